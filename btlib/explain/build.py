"""An explainer of a PyTorch model, by its engines."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from btlib.explain.explainer import Explainer, Runner
from btlib.explain.occlusion import BATCH

if TYPE_CHECKING:  # torch is imported when a model is explained, not when maps are computed
    from btlib.adapters.devices import Precision
    from btlib.data.dataset import Samples
    from btlib.engines import Subject

CPU_PIXELS = 4 * 256**2
"""Pixels predicted at once on a CPU: four samples of 256 px, whose activations stay in its caches; more of smaller
ones, for each call has a price, and a high one on a busy machine."""


def explainer(
    subject: "Subject",
    samples: "Samples",
    wanted: str = "auto",
    report: Callable[[str], None] = print,
) -> Explainer:
    """An explainer of a PyTorch model, of which it runs only what the classes need. `dataclasses.replace` sets patch,
    stride and fill.

    Args:
        subject: The model, with the precision to try first.
        samples: Validation or training samples that the engines are held against plain fp32 on.
        wanted: The engine, one of `btlib.engines.engine_names()`.
        report: Told why an engine is passed over.

    Raises:
        UnknownNameError: No such engine.
        OptionError: The engine does not fit this device, or its package is not installed.
        ModelError: The model has no classes, or no engine says what plain fp32 says.
    """
    from btlib.adapters.torch import TorchPredictor
    from btlib.engines import choose
    from btlib.explain.classes_only import classes_only

    classes = classes_only(subject)

    def runner(precision: "Precision") -> Runner:
        chosen = choose(
            replace(classes, precision=precision), wanted, samples, 0.5, report
        )  # of a mask, which there is none
        return Runner(chosen.predictor, chosen.engine, chosen.details["precision"])

    fast = runner(subject.precision)
    plain = TorchPredictor(copy.deepcopy(classes.model), classes.device, "fp32", classes.outputs)
    make_exact = None if fast.precision == "fp32" else partial(runner, "fp32")
    batch = max(CPU_PIXELS // classes.image_size**2, 1) if classes.device.type == "cpu" else BATCH
    return Explainer(fast, plain, make_exact, batch_size=batch)
