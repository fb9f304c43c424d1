"""Execution of one case: prepare its predictor, score it, and write its record, also after an error."""

import time
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np

from btlib import fingerprint
from btlib.adapters.device_choice import named_device, torch_name
from btlib.cases import Case, Prepared, Work
from btlib.cases.checks import check_asked, check_prepared
from btlib.data.dataset import Dataset
from btlib.errors import BtlibError, ModelError, foreign_faults
from btlib.evaluation import Evaluation, evaluate, summarise
from btlib.evaluation.catalogue import metrics_of
from btlib.evaluation.predictor import Predictor
from btlib.evaluation.saved import SavedPredictions
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
    """Result of running a case.

    Attributes:
        record: Stored record.
        prepared: Predictor of the case; None if the case failed.
    """

    record: CaseRecord
    prepared: Prepared | None


def conditions(dataset: Dataset, split: Split, protocol: Protocol) -> Conditions:
    """Return the conditions of a measurement on a split. Numbers are comparable only if their conditions agree."""
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
        spacing_fingerprint=None if dataset.originals is None else dataset.originals.fingerprint,
    )


def patient_facts(dataset: Dataset, split: Split) -> PatientFacts | None:
    """Return the number of test patients, and of test samples whose patient is in training; None if unknown."""
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
    """Prepare a case, score it on the test samples, and write its record.

    An error of the case is stored as the outcome in the record, so that other cases continue. Only an interrupt by the
    user is raised.

    Args:
        case: Case to run.
        work: Inputs of the case.
        tier: Name of the tier for the record.
        store: Store for the record.
        held_out: Test samples, which the case does not receive.
        timeout: Time limit in seconds; None for no limit.
        fold: Name of the split if the run has several folds.
    """
    truth, split, guard = held_out.truth, held_out.split, held_out.guard()
    started, code = time.perf_counter(), code_of(case)  # the file may be edited during a long training
    prepared: Prepared | None = None
    evaluation: Evaluation | None = None
    prepare_seconds: float | None = None
    outcome: Literal["done"] | Failure = "done"
    error: str | None = None
    try:
        check_asked(case, truth.task)
        with time_limit(timeout):
            made = case.prepare(work)
            check_prepared(case, made)
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
    except foreign_faults() as fault:  # user code may raise anything; this is a failure of the case
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
        metrics={metric: metrics_of(truth.task)[metric].version for metric in case.metrics},
        outcome=outcome,
        error=error,
        conditions=conditions(truth, split, work.protocol),
        samples=evaluation.samples if evaluation else None,
        summary=summarise(evaluation.samples, work.protocol.batch_mean_size, metrics_of(truth.task))
        if evaluation
        else None,
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
    """Return the device that the case states; None if it states none. PyTorch is not imported for this."""
    named = named_device(prepared.predictor, prepared.details)
    return None if named is None else torch_name(named)


def _masks(evaluation: Evaluation, record: CaseRecord) -> Masks | None:
    if evaluation.masks is None:
        return None
    return Masks(np.array(evaluation.samples.id), evaluation.masks, record.conditions.of_images()[0])


def _check_declared(case: Case, evaluation: Evaluation) -> None:
    found = (evaluation.samples.has_mask, evaluation.samples.has_classes)
    if found != (case.has_mask, case.has_classes):
        raise ModelError(
            f"expected predictions with has_mask={case.has_mask} and has_classes={case.has_classes}, "
            f"got has_mask={found[0]} and has_classes={found[1]}",
            where=f"case {case.name}",
            hint="correct the declaration of the case or its predictor",
        )


def _digest(predictor: Predictor) -> str | None:
    """Return the fingerprint of a file of saved predictions; None for another predictor."""
    return fingerprint.of_file(predictor.path) if isinstance(predictor, SavedPredictions) else None


def _model_info(prepared: Prepared) -> ModelInfo:
    chosen = {} if prepared.threshold is None else {"threshold": float(prepared.threshold)}
    return ModelInfo(
        source=prepared.source,
        fingerprint=prepared.fingerprint,
        file_digest=prepared.file_digest or _digest(prepared.predictor),
        seconds=float(prepared.seconds),
        details=dict(prepared.details) | chosen,
        notes=list(prepared.notes),
    )


def _kind(fault: BaseException) -> Failure:
    if isinstance(fault, CaseTimeoutError):
        return "timeout"
    return "out-of-memory" if memory.ran_out(fault) else "error"


def message_of(fault: BaseException) -> str:
    """Return the message of an error of btlib, or the end of the traceback of any other error."""
    if isinstance(fault, BtlibError):
        return str(fault)
    return "".join(traceback.format_exception(fault, limit=-6)).rstrip()
