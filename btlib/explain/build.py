"""Explainer of a PyTorch model that runs on btlib's engines."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from btlib.explain.explainer import Explainer, Runner
from btlib.explain.occlusion import BATCH

if TYPE_CHECKING:  # torch is imported only when a model is explained
    from btlib.adapters.devices import Precision
    from btlib.data.dataset import Samples
    from btlib.engines import Subject

CPU_PIXELS = 4 * 256**2
"""Number of pixels per call on a CPU: four samples of 256 px, whose activations fit the caches. A call has more samples
if they are smaller, because each call has a fixed cost."""


def explainer(
    subject: "Subject",
    samples: "Samples",
    wanted: str = "auto",
    report: Callable[[str], None] = print,
) -> Explainer:
    """Build the explainer of a PyTorch model. Only the parts of the model that the classes need are run.

    Use `dataclasses.replace` to set patch, stride and fill.

    Args:
        subject: The model, with the precision to try first.
        samples: Validation or training samples, on which the engines are compared with plain fp32.
        wanted: Name of the engine, one of `btlib.engines.engine_names()`.
        report: Function that gets a message if an engine is skipped, with the reason.

    Raises:
        UnknownNameError: There is no such engine.
        OptionError: The engine does not support this device, or its package is not installed.
        ModelError: The model has no classes, or no engine agrees with plain fp32.
    """
    from btlib.adapters.torch import TorchPredictor
    from btlib.engines import choose
    from btlib.explain.classes_only import classes_only

    classes = classes_only(subject)

    def runner(precision: "Precision") -> Runner:
        # 0.5 is the mask threshold, which is not used: there is no mask
        chosen = choose(replace(classes, precision=precision), wanted, samples, 0.5, report)
        return Runner(chosen.predictor, chosen.engine, chosen.details["precision"])

    fast = runner(subject.precision)
    plain = TorchPredictor(copy.deepcopy(classes.model), classes.device, "fp32", classes.outputs)
    make_exact = None if fast.precision == "fp32" else partial(runner, "fp32")
    batch = max(CPU_PIXELS // classes.image_size**2, 1) if classes.device.type == "cpu" else BATCH
    return Explainer(fast, plain, make_exact, batch_size=batch)
