"""Choice of an engine: the first one that fits and whose predictions agree with plain fp32."""

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
"""Largest allowed difference of the mean Dice from plain fp32."""

AGREEMENT = 0.995
"""Smallest allowed share of samples with the same class as with plain fp32."""

MOST_SAMPLES = 64
"""Largest number of held-out samples in the comparison with plain fp32."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """Engine whose predictions agree with plain fp32.

    Attributes:
        predictor: Predictor that runs the model with this engine.
        engine: Name of the engine.
        details: Details for the record: engine, precision, differences from plain fp32, number of samples compared.
        notes: Messages about engines that were skipped, with the reasons.
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
    """Build the requested engine, or for "auto" the fastest that fits, and compare its predictions with plain fp32.

    The predictions of an uncertain model may differ between bf16 and fp32. The model then runs in fp32. A quantised
    engine has no such fallback.

    Args:
        subject: Model to run.
        wanted: One of `engine_names()`.
        samples: Validation or training samples at the model's size; the first 64 are used.
        threshold: Threshold of the mask probability.
        report: Function that receives a message about each skipped engine, with the reason.

    Raises:
        UnknownNameError: The engine does not exist.
        OptionError: The requested engine does not fit this device, or its package is not installed.
        ModelError: The predictions of the requested engine, or with "auto" of every engine, differ from plain fp32.
    """
    if wanted not in engine_names():
        raise unknown_name("engine", wanted, engine_names(), where="--bt-engine")
    fitting = [name for name in ENGINES if ENGINES[name].fits(subject.device)]
    if wanted != "auto" and wanted not in fitting:
        raise OptionError(
            f"engine {wanted!r} cannot run on {subject.device.type} with the installed packages",
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
        notes.append(f"engine {name} in {precision} was skipped: {problem}")
        report(notes[-1])
    raise ModelError("; ".join(notes), where="--bt-engine", hint="use --bt-engine eager --bt-precision fp32")


def _to_install(wanted: str) -> str:
    extra = ENGINES[wanted].extra
    return "" if extra is None else f"; or pip install 'btlib[{extra}]'"


def _attempts(names: list[str], precision: Precision) -> list[tuple[str, Precision | Literal["int8"]]]:
    """Return each engine with the requested precision, followed by the last engine with fp32 as the fallback."""
    if ENGINES[names[-1]].quantised:
        return [(names[-1], "int8")]
    wanted: list[tuple[str, Precision | Literal["int8"]]] = [(name, precision) for name in names]
    return wanted if precision == "fp32" else [*wanted, (names[-1], "fp32")]


def _details(name: str, precision: str, subject: Subject) -> dict[str, Any]:
    """Return the details of an engine for the record."""
    details: dict[str, Any] = {"engine": name, "precision": precision}
    if ENGINES[name].quantised and subject.calibration is not None:
        details["calibration_samples"] = len(subject.calibration())
    return details


def gaps(plain: SampleTable, found: SampleTable) -> dict[str, float | int]:
    """Return the differences between an engine's sample table and that of plain fp32, on the same samples."""
    details: dict[str, float | int] = {"samples": plain.n}
    if plain.has_mask:
        details["dice_gap"] = abs(float(_dice(found) - _dice(plain)))
    if plain.has_classes:
        details["agreement"] = float(np.mean(found.predicted() == plain.predicted()))
    return details


def _dice(table: SampleTable) -> float:
    return float(METRICS["dice"].of(table).mean())


def too_far(details: dict[str, float | int]) -> str | None:
    """Return a message if a difference is larger than allowed, else None."""
    if not details.get("dice_gap", 0.0) <= DICE_GAP:
        return f"mean Dice differs by {details['dice_gap']:.4f} from fp32 (allowed: at most {DICE_GAP:g})"
    if not details.get("agreement", 1.0) >= AGREEMENT:
        share = 100 * details["agreement"]
        return f"{share:.1f} % of the classes agree with fp32 (required: at least {100 * AGREEMENT:g} %)"
    return None
