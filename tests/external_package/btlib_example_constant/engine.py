"""An engine of one's own: PyTorch as it is."""

import copy

from btlib.adapters.torch import TorchPredictor
from btlib.engines import ENGINES, Engine, Subject


def build(subject: Subject) -> TorchPredictor:
    """The model behind TorchPredictor."""
    model = copy.deepcopy(subject.model)
    return TorchPredictor(model, subject.device, subject.precision, subject.outputs)


ENGINES.add("as-it-is", Engine("as-it-is", "btlib_example_constant.engine", ("cpu",)))
