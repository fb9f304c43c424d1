"""The choice of an engine: the first that fits and that says what plain fp32 says."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from btlib.adapters.torch import Precision, TorchPredictor
from btlib.data.dataset import Samples
from btlib.engines.engine import ENGINES, Subject, engine_names
from btlib.errors import BtlibError, ModelError, OptionError
from btlib.evaluation import Predictor, evaluate
from btlib.evaluation.catalogue import METRICS
from btlib.registry import unknown_name
from btlib.sample_table import SampleTable
from btlib.speed import memory

DICE_GAP = 0.002
"""Largest difference of the mean Dice from plain fp32."""

AGREEMENT = 0.995
"""Least share of samples that must be given the same class as by plain fp32."""

MOST_SAMPLES = 64
"""Validation samples that the guard looks at."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """An engine that passed the guard.

    Attributes:
        predictor: The model as it runs it.
        engine: Its name.
        details: For the record: engine, precision, gaps from plain fp32, samples looked at.
        notes: Engines that were passed over, and why.
    """

    predictor: Predictor
    engine: str
    details: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def choose(
    subject: Subject,
    wanted: str,
    samples: Samples,
    threshold: float,
    report: Callable[[str], None] = print,
) -> Chosen:
    """Build the engine that was asked for, or for "auto" the fastest that fits, and hold it against plain fp32.

    A model that is unsure says something else in bf16 than in fp32; then it is run in fp32. A quantised engine has no
    other precision to fall back on.

    Args:
        subject: The model.
        wanted: One of `engine_names()`.
        samples: Validation or training samples at the model's size; the first 64 are looked at.
        threshold: Of the mask.
        report: Told why an engine is passed over.

    Raises:
        UnknownNameError: No such engine.
        OptionError: The engine that was asked for does not fit this device, or its package is not installed.
        ModelError: The engine that was asked for, or every one, does not say what plain fp32 says.
    """
    if wanted not in engine_names():
        raise unknown_name("engine", wanted, engine_names(), where="--bt-engine")
    fitting = [name for name in ENGINES if ENGINES[name].fits(subject.device)]
    if wanted != "auto" and wanted not in fitting:
        raise OptionError(
            f"engine {wanted!r} does not fit {subject.device.type} with what is installed",
            where="--bt-engine",
            hint=f"choose one of: auto, {', '.join(fitting)}{_to_install(wanted)}",
        )
    guard = samples.part(np.arange(min(MOST_SAMPLES, len(samples))))
    plain_fp32 = TorchPredictor(copy.deepcopy(subject.model), subject.device, "fp32", subject.outputs)
    plain = evaluate(plain_fp32, guard, threshold=threshold).samples
    notes: list[str] = []
    exact = [name for name in fitting if not ENGINES[name].quantised]
    for name, precision in _attempts(exact if wanted == "auto" else [wanted], subject.precision):
        ready = subject if precision == "int8" else replace(subject, precision=precision)
        try:
            predictor = ENGINES[name].build(ready)
            found = evaluate(predictor, guard, threshold=threshold).samples
        except BtlibError as error:
            problem: str | None = error.problem
            memory.release(error)
        else:
            details = gaps(plain, found)
            problem = too_far(details)
            if problem is None:
                return Chosen(predictor, name, _details(name, precision, subject) | {"guard": details}, tuple(notes))
        notes.append(f"engine {name} in {precision} was passed over: {problem}")
        report(notes[-1])
    raise ModelError("; ".join(notes), where="--bt-engine", hint="use --bt-engine eager --bt-precision fp32")


def _to_install(wanted: str) -> str:
    extra = ENGINES[wanted].extra
    return "" if extra is None else f"; or pip install 'btlib[{extra}]'"


def _attempts(names: list[str], precision: Precision) -> list[tuple[str, Precision | Literal["int8"]]]:
    """Each engine in the precision that is wanted; where none of them will do, the last one in fp32."""
    if ENGINES[names[-1]].quantised:
        return [(names[-1], "int8")]
    wanted: list[tuple[str, Precision | Literal["int8"]]] = [(name, precision) for name in names]
    return wanted if precision == "fp32" else [*wanted, (names[-1], "fp32")]


def _details(name: str, precision: str, subject: Subject) -> dict[str, Any]:
    """Of an engine, for the record."""
    details: dict[str, Any] = {"engine": name, "precision": precision}
    if ENGINES[name].quantised and subject.calibration is not None:
        details["calibration_samples"] = len(subject.calibration())
    return details


def gaps(plain: SampleTable, found: SampleTable) -> dict[str, float | int]:
    """How far an engine's table is from plain fp32's on the same samples."""
    details: dict[str, float | int] = {"samples": plain.n}
    if plain.has_mask:
        details["dice_gap"] = abs(float(_dice(found) - _dice(plain)))
    if plain.has_classes:
        details["agreement"] = float(np.mean(found.predicted() == plain.predicted()))
    return details


def _dice(table: SampleTable) -> float:
    return float(METRICS["dice"].of(table).mean())


def too_far(details: dict[str, float | int]) -> str | None:
    """What the guard objects to; None where it does not."""
    if not details.get("dice_gap", 0.0) <= DICE_GAP:
        return f"mean Dice differs by {details['dice_gap']:.4f} from fp32 (at most {DICE_GAP:g})"
    if not details.get("agreement", 1.0) >= AGREEMENT:
        return f"{100 * details['agreement']:.1f} % of the classes agree with fp32 (at least {100 * AGREEMENT:g} %)"
    return None
