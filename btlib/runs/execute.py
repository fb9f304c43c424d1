"""Run one case: get its predictor, score it, write its record, whatever happens."""

import json
import math
import numbers
import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

import numpy as np

from btlib.adapters.device_choice import named_device, torch_name
from btlib.cases import Case, Prepared, Source, Work
from btlib.data.dataset import Dataset
from btlib.data.task import Task
from btlib.errors import BtlibError, ModelError
from btlib.evaluation import Evaluation, evaluate, summarise
from btlib.evaluation.catalogue import METRICS
from btlib.metrics import EPSILON
from btlib.protocol import Protocol
from btlib.results import Conditions, Failure, PatientFacts
from btlib.runs.environment import environment
from btlib.runs.held_out import HeldOut
from btlib.runs.masks import Masks
from btlib.runs.provenance import code_of
from btlib.runs.record import CaseRecord, ModelInfo
from btlib.runs.store import RunStore
from btlib.runs.timeout import CaseTimeoutError, time_limit
from btlib.speed import memory
from btlib.splits import Split


@dataclass(frozen=True, eq=False)
class Result:
    """A case that was run.

    Attributes:
        record: What was written.
        prepared: Its predictor; None where the case failed.
    """

    record: CaseRecord
    prepared: Prepared | None


def conditions(dataset: Dataset, split: Split, protocol: Protocol) -> Conditions:
    """What must agree for numbers on the test samples of a split to be compared with others."""
    test = split.test
    classes = len(dataset.task.classes)
    return Conditions(
        task=dataset.task,
        truth_fingerprint=dataset.truth_fingerprint,
        input_fingerprint=dataset.input_fingerprint,
        split_name=split.name,
        split_fingerprint=split.fingerprint,
        n_test=len(test),
        test_class_counts=np.bincount(dataset.strata[test], minlength=classes).tolist() if classes else [],
        image_size=protocol.image_size,
        scaling=protocol.scaling,
        threshold=protocol.threshold,
        epsilon=EPSILON,
        patients=patient_facts(dataset, split),
        independent=dataset.independent or dataset.task.independent,
    )


def patient_facts(dataset: Dataset, split: Split) -> PatientFacts | None:
    """Who the test samples belong to, and how many of them have siblings in training; None where that is not known."""
    train, test = ([dataset.patients[i] for i in part] for part in (split.train, split.test))
    if None in train or None in test:
        return None
    trained, source = set(train), dataset.patient_source or "files"
    return PatientFacts(source=source, n_test=len(set(test)), seen=sum(patient in trained for patient in test))


def run_case(
    case: Case,
    work: Work,
    tier: str,
    store: RunStore,
    held_out: HeldOut,
    timeout: float | None = None,
    *,
    fold: str | None = None,
) -> Result:
    """Prepare and score a case on the test samples; its record is written before this returns.

    An error of the case becomes a record of its outcome, so that the other cases go on; only an interrupt by the user
    comes through.

    Args:
        case: What to run.
        work: What the case is given.
        tier: Named in the record.
        store: Where the record goes.
        held_out: What it is scored on, which the case is not given.
        timeout: Seconds the case may take; None for as long as it likes.
        fold: Name of the split, where the run has several folds.
    """
    truth, split, guard = held_out.truth, held_out.split, held_out.guard()
    started, code = time.perf_counter(), code_of(case)  # before a long training, in which the file may be edited
    prepared: Prepared | None = None
    evaluation: Evaluation | None = None
    prepare_seconds: float | None = None
    outcome: Literal["done"] | Failure = "done"
    error: str | None = None
    try:
        _check_asked(case, truth.task)
        with time_limit(timeout):
            made = case.prepare(work)
            _check_prepared(case, made)
            prepared = made
            prepare_seconds = time.perf_counter() - started
            memory.release()
            memory.reset_peak()
            evaluation = evaluate(
                prepared.predictor,
                held_out.given,
                split.test,
                threshold=work.protocol.threshold if prepared.threshold is None else prepared.threshold,
                where=f"case {case.name}",
                truth=truth,
            )
        _check_declared(case, evaluation)
        guard.check(case.name)
    except (Exception, SystemExit) as fault:  # a case is foreign code: what it raises is its own failure, nobody else's
        outcome, error = _kind(fault), message_of(fault)
        evaluation = None
        memory.release(fault)
    guard.restore()
    record = CaseRecord(
        case=case.name,
        title=case.title,
        tier=tier,
        seed=work.seed,
        fold=fold,
        metrics={metric: METRICS[metric].version for metric in case.metrics},
        outcome=outcome,
        error=error,
        conditions=conditions(truth, split, work.protocol),
        samples=evaluation.samples if evaluation else None,
        summary=summarise(evaluation.samples, work.protocol.batch_mean_size) if evaluation else None,
        threshold_curve=evaluation.curve if evaluation else None,
        batch_mean_size=work.protocol.batch_mean_size,
        images_per_second=evaluation.images_per_second if evaluation else None,
        peak_memory_mib=memory.peak_mib() if evaluation else None,
        seconds=time.perf_counter() - started,
        prepare_seconds=prepare_seconds,
        predict_seconds=evaluation.predict_seconds if evaluation else None,
        model=_model_info(prepared) if prepared else None,
        code=code,
        environment=environment(_device(prepared) if prepared else None),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    record = store.save_record(
        record, prepared.curves if prepared else None, _masks(evaluation, record) if evaluation else None
    )
    return Result(record, prepared if outcome == "done" else None)


def _device(prepared: Prepared) -> str | None:
    """As far as the case names it: PyTorch is not imported to guess."""
    named = named_device(prepared.predictor, prepared.details)
    return None if named is None else torch_name(named)


def _masks(evaluation: Evaluation, record: CaseRecord) -> Masks | None:
    if evaluation.masks is None:
        return None
    return Masks(np.array(evaluation.samples.id), evaluation.masks, record.conditions.image_size)


def _check_asked(case: Case, task: Task) -> None:
    """Told before anything is trained."""
    for name, has, asked in (
        ("masks", case.has_mask, task.structures),
        ("classes", case.has_classes, task.classes),
    ):
        if has and not asked:
            raise ModelError(
                f"it predicts {name}, and the task {task.name!r} asks for none",
                where=f"case {case.name}",
                hint="measure it on another task, or declare what it predicts",
            )


def _check_prepared(case: Case, prepared: object) -> None:
    if not isinstance(prepared, Prepared):
        raise ModelError(
            f"expected prepare to return a Prepared, got {type(prepared).__name__}",
            where=f"case {case.name}",
            hint='end it with: return Prepared(predictor, "given")',
        )
    _check_facts(case, prepared)
    if "threshold" in prepared.details:
        raise ModelError(
            "details: threshold is a field of its own, at which masks are cut",
            where=f"case {case.name}",
            hint="write Prepared(…, threshold=…), or give the detail another name",
        )


def _check_facts(case: Case, prepared: Prepared) -> None:
    """What a case says of its model can be written into its record."""
    try:
        json.dumps(dict(prepared.details), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"details: expected plain JSON values, {error}",
            where=f"case {case.name}",
            hint="convert numbers of NumPy: float(…), int(…)",
        ) from error
    threshold = prepared.threshold
    known = threshold is None or (isinstance(threshold, numbers.Real) and 0 <= threshold <= 1)
    if not known or isinstance(threshold, bool):
        raise ModelError(f"threshold: expected 0…1 or None, got {threshold!r}", where=f"case {case.name}")
    if prepared.source not in get_args(Source):
        expected = ", ".join(get_args(Source))
        raise ModelError(f"source: expected one of {expected}, got {prepared.source!r}", where=f"case {case.name}")
    if not (isinstance(prepared.seconds, numbers.Real) and 0 <= prepared.seconds < math.inf):
        problem = f"seconds: expected a number from 0, got {prepared.seconds!r}"
        raise ModelError(problem, where=f"case {case.name}")


def _check_declared(case: Case, evaluation: Evaluation) -> None:
    gave = (evaluation.samples.has_mask, evaluation.samples.has_classes)
    if gave != (case.has_mask, case.has_classes):
        raise ModelError(
            f"declared masks {case.has_mask} and classes {case.has_classes}, "
            f"predicted masks {gave[0]} and classes {gave[1]}",
            where=f"case {case.name}",
            hint="correct the declaration or the predictor",
        )


def _model_info(prepared: Prepared) -> ModelInfo:
    chosen = {} if prepared.threshold is None else {"threshold": float(prepared.threshold)}
    return ModelInfo(
        source=prepared.source,
        fingerprint=prepared.fingerprint,
        seconds=float(prepared.seconds),
        details=dict(prepared.details) | chosen,
        notes=list(prepared.notes),
    )


def _kind(fault: Exception | SystemExit) -> Failure:
    if isinstance(fault, CaseTimeoutError):
        return "timeout"
    return "out-of-memory" if memory.ran_out(fault) else "error"


def message_of(fault: Exception | SystemExit) -> str:
    """A deliberate error speaks for itself; of any other, the place matters too."""
    if isinstance(fault, BtlibError):
        return str(fault)
    return "".join(traceback.format_exception(fault, limit=-6)).rstrip()
