"""`btlib.run`, `btlib.resume`: measured, judged and reported without pytest; interrupted, and finished."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import btlib
from btlib.api.execution import InterruptedRunError
from btlib.cases import CASES, Case, Prepared
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.sources.tasks import PHANTOM
from btlib.errors import OptionError, RecordError, UnknownNameError
from btlib.protocol import Protocol, Recipe, Tier
from btlib.runs import CaseRecord, RunStore
from btlib.types import Predictions

TIER = Tier(
    name="small",
    protocol=Protocol(image_size=32),
    recipe=Recipe(epochs=1),
    baseline="none",
    phantom_samples=0,
    always_phantom=False,
    bench_seconds=0.0,
    speed_margin=0.5,
    precision="fp32",
    engine="eager",
    explain_samples=2,
    explain_patches=4,
    explain_steps=1,
)
CASE = """
from pathlib import Path
import numpy as np
from btlib.cases import Prepared, case
from btlib.types import Predictions

HERE = Path(__file__).parent


class Bright:
    def predict(self, images):
        return Predictions(np.clip(images / images.max(), 0, 1), None)


@case("{name}", "brightness", has_mask=True, has_classes=False)
def prepare(work):
    with (HERE / "calls.txt").open("a") as calls:
        calls.write(f"{{work.seed}} {{work.split}}\\n")
    if (HERE / f"stop-{{work.seed}}").exists():
        raise KeyboardInterrupt
    if (HERE / f"fail-{{work.seed}}").exists():
        raise ValueError("it failed")
    return Prepared(Bright(), "given")
"""


class Bright:
    """Predicts brightness, and the first class a little more than the others."""

    def predict(self, images: np.ndarray) -> Predictions:
        classes = np.tile([0.4, 0.3, 0.3], (len(images), 1))
        return Predictions(np.clip(images / max(images.max(), 1), 0, 1), classes)


@pytest.fixture(autouse=True)
def _no_cases_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CASES, "_items", dict(CASES._items))


@pytest.fixture
def bright() -> Case:
    return Case("bright", "brightness", True, True, lambda work: Prepared(Bright(), "given"))


@pytest.fixture
def source() -> PhantomSource:
    return PhantomSource(PHANTOM, 24)


@pytest.fixture
def start(tmp_path: Path, source: PhantomSource) -> Callable[..., Any]:
    def started(cases: Any, **more: Any) -> Any:
        return btlib.run(
            cases, source, **{"tier": TIER, "root": tmp_path, "no_tune": True, "independent": True, **more}
        )

    return started


@pytest.fixture
def in_file(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[str, Path]:
    """A case in a file of its own, and the file that notes each time it is prepared."""
    name = f"case {request.node.name}"
    file = tmp_path / "mine.py"
    file.write_text(CASE.format(name=name), encoding="utf-8")
    return f"{file}::{name}", tmp_path / "calls.txt"


def test_a_case_is_measured_judged_and_reported(start: Any, bright: Case, tmp_path: Path) -> None:
    done = start(bright, name="first look", measures=["inference", "explanation"])
    assert (done.exit_code, done.folder.parent) == (0, tmp_path / "reports")
    assert {v.metric: v.status for v in done.judgement.verdicts} == {"dice": "measured", "accuracy": "measured"}
    store = RunStore(done.folder)
    (record,) = store.records()
    assert record.measured == ["quality", "inference", "explanation"]
    assert record.problems == {}
    assert record.speed is not None
    assert {figure: timing.reference for figure, timing in record.speed.figures.items()} == {
        "inference, batch 1": None,
        "inference, batch 16": None,
    }
    assert set(store.explained()) == {"bright"}
    for name in ("judgement.json", "comparison.md", "index.html", "summary.md"):
        assert (done.folder / name).exists()
    assert "first look" in (done.folder / "index.html").read_text(encoding="utf-8")
    assert "first look" in (done.folder / "comparison.md").read_text(encoding="utf-8")
    assert store.info().name == "first look"


def test_the_core_measures_a_foreign_case_without_the_thesis(tmp_path: Path) -> None:
    """As if its package were not there: no entry point names it, and its modules cannot be imported."""
    program = f"""
import sys
from importlib.metadata import EntryPoints
import btlib.registry
btlib.registry.entry_points = lambda group: EntryPoints(())


class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.startswith(("btlib.thesis", "btlib.models")):
            raise ImportError(f"{{name}} is not to be imported")


sys.meta_path.insert(0, Refuse())
import numpy as np
import btlib
from btlib.cases import Case, Prepared
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.sources.tasks import PHANTOM
from btlib.protocol import Protocol, Recipe, Tier
from btlib.types import Predictions


class Bright:
    def predict(self, images):
        return Predictions(np.clip(images / images.max(), 0, 1), None)


tier = Tier("small", Protocol(image_size=32), Recipe(), "none", 0, False, 0.0, 0.5, "fp32", "eager")
case = Case("bright", "brightness", True, False, lambda work: Prepared(Bright(), "given"))
done = btlib.run(case, PhantomSource(PHANTOM, 24), tier=tier, root={str(tmp_path)!r}, measures=["inference"])
assert done.exit_code == 0, done.summary
assert not [name for name in sys.modules if name.startswith("btlib.thesis")]
print(done.folder)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    folder = Path(done.stdout.strip().splitlines()[-1])
    assert "bright" in (folder / "index.html").read_text(encoding="utf-8")


def test_folds_are_pooled_judged_and_reported_as_one(start: Any, bright: Case) -> None:
    done = start(bright, folds="patient-5fold")
    store = RunStore(done.folder)
    records = store.records()
    assert [record.fold for record in records] == [f"patient-5fold-{k}" for k in range(1, 6)]
    ids = [name for record in records for name in record.samples.id]
    assert len(ids) == len(set(ids)) == 24
    assert [v.status for v in done.judgement.verdicts] == ["measured", "measured"]
    pooled = np.mean([v for record in records for v in dice(record)])
    assert done.judgement.cases["bright"].verdict("dice").measured == pytest.approx(pooled)
    assert store.split() is None
    for fold in store.info().folds:
        split = store.split(fold)
        assert split is not None
        assert not set(split.test.ids) & set(split.train.ids)


def dice(record: CaseRecord) -> np.ndarray:
    from btlib.evaluation.catalogue import METRICS

    return METRICS["dice"].of(record.samples)


def test_named_folds_are_tested_alone(start: Any, bright: Case) -> None:
    done = start(bright, folds="patient-5fold-2,patient-5fold-4")
    assert RunStore(done.folder).info().folds == ["patient-5fold-2", "patient-5fold-4"]
    assert "patient-5fold-2+4" in (done.folder / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("more", "error", "told"),
    [
        ({"seds": 3}, UnknownNameError, "seeds"),
        ({"seeds": 0}, OptionError, "whole number from 1"),
        ({"seeds": True}, OptionError, "whole number"),
        ({"measures": ["inferenc"]}, UnknownNameError, "inference"),
        ({"folds": "patient-5fold", "split": "slice-seed42"}, OptionError, "folds"),
        ({"folds": "patient-6fold"}, UnknownNameError, "patient-5fold"),
        ({"device": "gpu"}, UnknownNameError, "cpu"),
        ({"engine": "openvin"}, UnknownNameError, "openvino"),
        ({"speed_reference": "nobody"}, OptionError, "nobody"),
        ({"weights": "resnet"}, OptionError, "coco"),
    ],
)
def test_what_cannot_be_asked_for_is_told_before_anything_is_read(
    start: Any, bright: Case, tmp_path: Path, more: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        start(bright, **more)
    assert not (tmp_path / "reports").exists()


def test_no_case_is_refused(start: Any) -> None:
    with pytest.raises(OptionError, match="expected at least one case"):
        start([])


def test_an_interrupted_run_is_finished_in_its_own_folder(
    tmp_path: Path, in_file: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    spec, calls = in_file
    asked: dict[str, Any] = {"root": tmp_path, "no_tune": True, "tier": "smoke", "baseline": "none", "seeds": 3}
    asked |= {"data": data, "image_size": 32, "seed": 9}
    whole = btlib.run(spec, name="whole", **asked)
    calls.unlink()
    (tmp_path / "stop-10").touch()
    with pytest.raises(InterruptedRunError) as interrupted:
        btlib.run(spec, name="cut short", **asked)
    finished = interrupted.value.finished
    assert finished.exit_code == 7
    assert [r.seed for r in RunStore(finished.folder).records()] == [9]
    assert (finished.folder / "index.html").exists()
    assert {v.status for v in finished.judgement.verdicts} == {"error"}  # one seed of three is never a pass
    (tmp_path / "stop-10").unlink()
    calls.unlink()
    again = btlib.resume(finished.folder)
    assert again.folder == finished.folder
    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["10", "11"]
    assert again.exit_code == 0
    ours, theirs = (RunStore(one.folder).records() for one in (again, whole))
    assert [record.samples for record in ours] == [record.samples for record in theirs]
    assert RunStore(again.folder).info().name == "cut short"


def test_cells_that_failed_are_executed_again(tmp_path: Path, in_file: tuple[str, Path], data: Path) -> None:
    spec, calls = in_file
    (tmp_path / "fail-5").touch()
    asked: dict[str, Any] = {"root": tmp_path, "no_tune": True, "tier": "smoke", "baseline": "none", "data": data}
    done = btlib.run(spec, image_size=32, seed=4, seeds=2, **asked)
    assert done.exit_code == 7
    (tmp_path / "fail-5").unlink()
    calls.unlink()
    assert btlib.resume(done.folder).exit_code == 0
    assert [line.split()[0] for line in calls.read_text().splitlines()] == ["5"]


def test_a_run_does_not_go_on_with_other_data(tmp_path: Path, in_file: tuple[str, Path], data: Path) -> None:
    spec, _ = in_file
    own = shutil.copytree(data, tmp_path / "data")
    done = btlib.run(spec, own, root=tmp_path, no_tune=True, tier="smoke", baseline="none", image_size=32)
    sorted(own.glob("*.mat"))[-1].unlink()
    with pytest.raises(OptionError, match="the data have changed"):
        btlib.resume(done.folder)


def test_a_run_that_does_not_say_what_was_asked_for_is_not_resumed(start: Any, bright: Case) -> None:
    done = start(bright)
    file = done.folder / "run.json"
    value = json.loads(file.read_text(encoding="utf-8"))
    store = RunStore(done.folder)
    store.save_info(store.info().model_copy(update={"options": None}))
    assert value["options"] is not None
    with pytest.raises(RecordError, match="older version"):
        btlib.resume(done.folder)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from btlib.data import write_phantoms

    return write_phantoms(tmp_path_factory.mktemp("phantoms") / "data", 24, 32)


def test_a_run_does_not_go_on_with_another_recipe(tmp_path: Path, in_file: tuple[str, Path], data: Path) -> None:
    spec, _ = in_file
    done = btlib.run(
        spec, data, root=tmp_path, no_tune=True, tier="smoke", baseline="none", image_size=32, recipe=Recipe(epochs=3)
    )
    with pytest.raises(OptionError, match=r"recipe: expected .* as stored in the run"):
        btlib.resume(done.folder)


def test_a_run_does_not_go_on_with_an_edited_case(tmp_path: Path, in_file: tuple[str, Path], data: Path) -> None:
    spec, _ = in_file
    done = btlib.run(spec, data, root=tmp_path, no_tune=True, tier="smoke", baseline="none", image_size=32)
    file = tmp_path / "mine.py"
    file.write_text(file.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    with pytest.raises(OptionError, match="has changed since"):
        btlib.resume(done.folder)


def test_a_damaged_record_is_made_anew(tmp_path: Path, in_file: tuple[str, Path], data: Path) -> None:
    spec, calls = in_file
    asked: dict[str, Any] = {"root": tmp_path, "no_tune": True, "tier": "smoke", "baseline": "none", "image_size": 32}
    done = btlib.run(spec, data, **asked)
    store = RunStore(done.folder)
    (record,) = store.records()
    path = store.record_path(record.cell)
    path.write_bytes(path.read_bytes()[:200])
    calls.unlink()
    assert btlib.resume(done.folder).exit_code == 0
    assert len(calls.read_text().splitlines()) == 1
    assert store.records()[0].samples == record.samples


def test_a_name_and_an_object_go_together(start: Any, bright: Case) -> None:
    done = start(bright, protocol=Protocol(image_size=48), recipe="modern", tier=replace(TIER, preset="slice42"))
    info = RunStore(done.folder).info()
    assert (info.image_size, info.recipe["name"]) == (48, "modern")
    done = start(bright, protocol="cpu128", recipe=Recipe(name="own", epochs=1), image_size=40)
    info = RunStore(done.folder).info()
    assert (info.image_size, info.recipe["name"], info.recipe["epochs"]) == (40, "own", 1)


def test_what_was_asked_for_and_could_not_be_measured_is_no_success(
    start: Any, bright: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    from btlib.runs.measuring import MEASURES

    def fails(live: object) -> dict[str, object]:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(MEASURES, "_items", {**MEASURES._items, "inference": fails})
    done = start(bright, measures=["inference"])
    assert (done.exit_code, [v.status for v in done.judgement.verdicts]) == (7, ["measured", "measured"])


def test_one_named_fold_is_a_fold(start: Any, bright: Case) -> None:
    store = RunStore(start(bright, folds="patient-5fold-3").folder)
    assert (store.info().folds, [r.fold for r in store.records()]) == (["patient-5fold-3"], ["patient-5fold-3"])
