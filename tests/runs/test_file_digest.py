"""What identifies a predictor: the content of its files, not how it was trained."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from btlib import fingerprint, stored_folder
from btlib.cases import Prepared, Work
from btlib.cases.fitting import fit_or_load
from btlib.evaluation.saved import SavedPredictions
from btlib.gate.from_results import reference
from btlib.gate.schema import Baseline
from btlib.runs.execute import _model_info
from btlib.runs.record import CaseRecord
from btlib.runs.results import as_results
from btlib.runs.store import RunStore

SEEDS = iter(range(1000))


def weights(_: Path) -> np.ndarray:
    """A training that gives other weights each time, as on other processors."""
    return np.array([float(next(SEEDS))])


def stored(work: Work) -> Prepared:
    fitted = fit_or_load(
        work,
        "model",
        weights,
        save=lambda model, folder: np.save(folder / "weights.npy", model),
        load=lambda folder: np.load(folder / "weights.npy"),
    )
    return fitted.prepared(object())  # type: ignore[arg-type]


def test_a_training_of_the_same_recipe_is_another_file(work: Work) -> None:
    first, again = stored(work), stored(work)
    folder = work.checkpoints / again.details["checkpoint"]
    assert first.file_digest == again.file_digest == stored_folder.digest(folder)
    shutil.rmtree(folder)
    anew = stored(work)
    assert anew.fingerprint == first.fingerprint
    assert anew.file_digest != first.file_digest


def test_saved_predictions_are_their_file(tmp_path: Path) -> None:
    predictor = SavedPredictions.__new__(SavedPredictions)
    predictor.path = tmp_path / "predictions.npz"
    predictor.path.write_bytes(b"one")
    info = _model_info(Prepared(predictor, "given"))
    assert info.file_digest == fingerprint.of_file(predictor.path)
    assert _model_info(Prepared(predictor, "given", file_digest="own")).file_digest == "own"
    assert _model_info(Prepared(object(), "given")).file_digest is None  # type: ignore[arg-type]


def with_digest(record: CaseRecord, digest: str | None) -> CaseRecord:
    assert record.model is not None
    return record.model_copy(update={"model": record.model.model_copy(update={"file_digest": digest})})


def test_it_reaches_the_baseline_and_its_file(folder: RunStore, tmp_path: Path) -> None:
    records = [with_digest(record, f"digest of {record.case}") for record in folder.records()]
    results = as_results(records)
    assert [run.file_digest for result in results for run in result.runs] == ["digest of X", "digest of Y"]
    baseline = reference(results, "mine")
    baseline.save(tmp_path / "mine.json")
    loaded = Baseline.load(tmp_path / "mine.json")
    assert loaded.cases["X"].runs[0].file_digest == "digest of X"
    assert loaded == baseline


@pytest.mark.parametrize(("second", "known"), [("b", True), (None, False)])
def test_all_folds_have_one_identity(folder: RunStore, second: str | None, known: bool) -> None:
    """None if a fold has none; another order of the folds is the same."""
    one, other = folder.records()
    renamed = {"case": "X", "fold": "patient-5fold-2", "samples": other.samples}
    table = one.samples
    assert table is not None
    moved = table.model_copy(update={"id": [f"other {name}" for name in table.id]})
    folds = [
        one.conditions.model_copy(update={"split_name": f"patient-5fold-{k}", "split_fingerprint": str(k)})
        for k in (1, 2)
    ]
    records = [
        with_digest(one.model_copy(update={"fold": "patient-5fold-1", "conditions": folds[0]}), "a"),
        with_digest(one.model_copy(update=renamed | {"samples": moved, "conditions": folds[1]}), second),
    ]
    (result,) = as_results(records)
    assert result.failure is None, result.message
    (run,) = result.runs
    assert (run.file_digest is not None) == known
    assert run.file_digest == (fingerprint.of(["a", "b"]) if known else None)
