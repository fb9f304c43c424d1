"""The worked examples, run as they stand: each keeps its promises, learns, and is loaded the second time."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from btlib import evaluate, judge
from btlib.adapters import SavedPredictions, TorchPredictor, save_predictions
from btlib.cases import CASES, Case, Work, load_case, load_cases
from btlib.conformance import CHECKS, Subject, check_case, examine
from btlib.data import load_dataset, write_phantoms
from btlib.data.dataset import Dataset, Samples
from btlib.errors import ModelError
from btlib.evaluation import Predictor
from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.thresholds import ThresholdCurve
from btlib.gate.from_results import reference
from btlib.protocol import Protocol
from btlib.results import CaseResult, SeedRun
from btlib.runs.execute import conditions
from btlib.splits import Split, slice_seed42
from btlib.thesis.recipe import ThesisRecipe

EXAMPLES = Path(__file__).parents[2] / "examples"
RECIPE = ThesisRecipe(name="test", backbone="tiny", weights="none", epochs=8, batch_size=4, learning_rate=3e-3)


@pytest.fixture(scope="module")
def case() -> Iterator[Callable[[str], Case]]:
    """A case of the examples; all are forgotten in the end."""
    known = dict(load_cases()._items)
    yield lambda spec: load_case(str(EXAMPLES / spec))
    CASES._items.clear()
    CASES._items.update(known)


@dataclass(frozen=True, eq=False)
class Bench:
    """A data set and its split, which cases see through their work alone."""

    dataset: Dataset
    checkpoints: Path

    @property
    def split(self) -> Split:
        return slice_seed42(len(self.dataset))

    @property
    def protocol(self) -> Protocol:
        return Protocol(image_size=self.dataset.image_size)

    @property
    def work(self) -> Work:
        how = {"device": "cpu", "precision": "fp32"}
        return Work.on(self.dataset, self.split, self.protocol, RECIPE, 7, self.checkpoints, **how)

    def subject(self, case: Case, work: Work | None = None) -> Subject:
        test = self.split.test
        samples = self.dataset.part(test[:4])
        return Subject(case, work or self.work, samples, np.array(samples.images), self.dataset.ids[test])

    def measured(self, predictor: Predictor) -> CaseResult:
        table = evaluate(predictor, self.dataset, self.split.test, threshold=0.5).samples
        on = conditions(self.dataset, self.split, self.protocol)
        run = SeedRun(seed=7, fingerprint=None, samples=table)
        return CaseResult("X", "a case", on, {"dice": 1, "accuracy": 1}, (run,))


@pytest.fixture
def bench(make_dataset: Callable[..., Dataset], tmp_path: Path) -> Bench:
    """Squares on noise, whose side tells the class; nothing of them is as bright as in another image."""
    return Bench(make_dataset(36, size=48), tmp_path)


@pytest.mark.parametrize(
    ("spec", "dice"),
    [
        pytest.param("unet_smp.py::unet", 0.8, marks=pytest.mark.nightly),
        pytest.param("unet_smp.py::unet-staged", 0.7, marks=pytest.mark.nightly),
        pytest.param("unet_smp.py::unet-tuned", 0.7, marks=pytest.mark.nightly),
        pytest.param("flax_unet.py::flax", 0.7, marks=pytest.mark.nightly),
        ("sklearn_control.py::control", 0.6),
    ],
)
def test_it_keeps_its_promises_learns_and_is_stored(spec: str, dice: float, case: Callable[[str], Case], bench: Bench):
    examined = bench.subject(case(spec))
    failures = [result for result in examine(examined) if result.outcome == "fail"]
    assert failures == []
    assert examined.first().source == "trained"
    assert examined.prepare().source == "loaded"
    table = evaluate(examined.predictor, bench.dataset, bench.split.test, threshold=0.5).samples
    assert per_sample(table, "dice").mean() > dice
    assert table.has_classes


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("name", "epochs", "interrupted"),
    [
        ("unet", 3, "epoch 2 of 3"),
        ("unet-staged", 3, "epoch 2 of 3"),  # between its stages
        ("unet-tuned", 18, "cycle 2, epoch 2 of 3"),
    ],
)
def test_an_interrupted_unet_ends_where_an_uninterrupted_one_does(
    name: str, epochs: int, interrupted: str, case: Callable[[str], Case], bench: Bench
):
    unet = case(f"unet_smp.py::{name}")
    work = replace(bench.work, recipe=replace(RECIPE, epochs=epochs, augment=True))

    finished: list[str] = []

    def stop(line: str) -> None:
        if interrupted in line:
            raise KeyboardInterrupt
        finished.append(line.partition(", loss")[0])

    with pytest.raises(KeyboardInterrupt):
        unet.prepare(replace(work, report=stop))
    whole = unet.prepare(replace(work, checkpoints=work.checkpoints / "whole"))
    again: list[str] = []
    resumed = unet.prepare(replace(work, report=lambda line: again.append(line.partition(", loss")[0])))
    assert (whole.source, resumed.source) == ("trained", "resumed")
    repeated = [line for line in finished if "epoch 1 of" in line and line in again]
    assert repeated == [], "of epoch 2 and 3 the state may have been passed over"
    images = bench.dataset.images[bench.split.test]
    (mask, classes), (mask_too, classes_too) = (
        (p.mask_prob, p.class_prob) for p in (prepared.predictor.predict(images) for prepared in (whole, resumed))
    )
    assert np.array_equal(mask, mask_too)
    assert np.array_equal(classes, classes_too)


@pytest.mark.nightly
@pytest.mark.parametrize("best", [1, 2, 3])
def test_the_tuned_unet_keeps_as_many_of_the_last_nets_as_do_best_on_validation(
    best: int, case: Callable[[str], Case], bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    tuned = case("unet_smp.py::unet-tuned").prepare
    asked: list[torch.nn.Module] = []

    def curve(predictor: TorchPredictor, samples: Samples, *, where: str) -> ThresholdCurve:
        assert samples.ids.tolist() == bench.dataset.ids[bench.split.val].tolist()
        nets = list(predictor.model.nets)
        asked.extend(net for net in nets if net not in asked)
        return ThresholdCurve(thresholds=[0.3, 0.5], dice=[0.0, 0.9 if len(nets) == best else 0.8])

    monkeypatch.setitem(tuned.__globals__, "curve_of", curve)
    work = replace(bench.work, recipe=replace(RECIPE, epochs=1))
    for _ in ("trained", "loaded"):
        kept = tuned(work).predictor.model.nets
        last = asked[0]  # the mean of one was asked for first
        assert len(kept) == best
        assert all(torch.equal(*pair) for pair in zip(kept[-1].parameters(), last.parameters(), strict=True))


@pytest.mark.nightly  # exporting takes seconds; by day other tests do it
def test_one_trained_f_scores_alike_through_torch_as_an_onnx_file_and_as_saved_predictions(
    case: Callable[[str], Case], bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """With the commands that the example's head gives."""
    from typer.testing import CliRunner

    from btlib.cli import app

    monkeypatch.chdir(tmp_path)
    given = case("onnx_variant_f.py::onnx-f")
    with pytest.raises(ModelError, match=r"file not found\n.*btlib export F --to onnx variant_f\.onnx"):
        given.prepare(bench.work)
    work = replace(bench.work, checkpoints=tmp_path / "checkpoints", recipe=replace(RECIPE, epochs=1))
    f = load_cases()["F"].prepare(work).predictor
    result = CliRunner().invoke(app, ["export", "F", "--to", "onnx", "variant_f.onnx"])
    assert result.exit_code == 0, result.output
    assert "on 8 phantom samples of 48 px probabilities differ by at most" in result.output
    examined = bench.subject(given, work)
    assert [found for found in examine(examined) if found.outcome == "fail"] == []
    save_predictions(tmp_path / "f.npz", bench.dataset, f)
    ways = [f, examined.predictor, SavedPredictions(tmp_path / "f.npz")]
    tables = [evaluate(predictor, bench.dataset, threshold=0.5).samples for predictor in ways]
    for table in tables[1:]:
        assert per_sample(table, "dice") == pytest.approx(per_sample(tables[0], "dice"), abs=1e-3)
        assert table.class_prob == pytest.approx(tables[0].class_prob, abs=1e-4)
    results = [bench.measured(predictor) for predictor in ways]
    verdicts = [[(v.metric, v.status) for v in judge(result, reference([results[0]], "F"))] for result in results]
    assert verdicts[0] == verdicts[1] == verdicts[2]


OF_OWN_TASKS = pytest.mark.parametrize(("file", "name"), [("four_classes.py", "four"), ("two_structures.py", "two")])


@pytest.fixture
def scans(file: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder that the example writes as a script."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BTLIB_CACHE", str(tmp_path / "cache"))
    subprocess.run([sys.executable, EXAMPLES / file, "scans"], check=True, capture_output=True)
    return tmp_path / "scans"


@OF_OWN_TASKS
def test_an_example_for_another_task_keeps_its_promises(file: str, name: str, case: Callable[[str], Case], scans: Path):
    results = check_case(case(f"{file}::{name}"), scans, "cpu", image_size=32)
    assert {one.check: one.outcome for one in results} == dict.fromkeys(CHECKS, "pass")


@pytest.mark.nightly
@OF_OWN_TASKS
def test_it_learns_this_task(file: str, name: str, case: Callable[[str], Case], scans: Path, tmp_path: Path):
    given, here = case(f"{file}::{name}"), Bench(load_dataset(scans, 48, "percentile"), tmp_path / "models")
    work = replace(here.work, recipe=replace(RECIPE, epochs=6, learning_rate=1e-3, batch_size=8))
    prepared = given.prepare(work)
    table = evaluate(prepared.predictor, here.dataset, here.split.test, threshold=0.5).samples
    assert (table.structures, table.classes) == (list(here.dataset.task.structures), list(here.dataset.task.classes))
    for structure in table.structures:
        assert per_sample(table, f"dice/{structure}").mean() > 0.4
    if name == "four":
        assert min(table.columns["tumour/truth_area"]) == 0  # a sample without a tumour is tested
    assert given.prepare(work).source == "loaded"


def test_predictions_of_another_machine(case: Callable[[str], Case], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The same file is run as a script there, and holds the case here."""
    write_phantoms(tmp_path / "phantoms", 24)
    monkeypatch.chdir(tmp_path)
    script = EXAMPLES / "saved_predictions.py"
    subprocess.run([sys.executable, script, "phantoms", "predictions.npz"], check=True, capture_output=True)
    here = Bench(load_dataset("phantoms", 96, "percentile"), tmp_path)
    examined = here.subject(case("saved_predictions.py::saved"))
    assert [found for found in examine(examined) if found.outcome == "fail"] == []
    table = evaluate(examined.predictor, here.dataset, here.split.test).samples
    assert table.overlap()[1].tolist() == (here.dataset.images[here.split.test] > 0.65).sum(axis=(2, 3)).tolist()


def test_the_first_model_of_the_documentation_keeps_its_promises(
    case: Callable[[str], Case], bench: Bench, tmp_path: Path
):
    page = (EXAMPLES.parent / "docs" / "bring-your-own-model.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "mine.py").write_text(next(block for block in blocks if "class Bright" in block), encoding="utf-8")
    mine = case(f"{tmp_path}/mine.py::mine")
    assert mine.scaling == "percentile"
    scaled = replace(bench, dataset=replace(bench.dataset, images=np.clip(bench.dataset.images / 5, 0, 1)))
    assert [found for found in examine(scaled.subject(mine)) if found.outcome == "fail"] == []


WITHOUT_TORCH = """
import sys
from importlib.abc import MetaPathFinder


class Blocker(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torchvision", "pytorch_lightning", "jax", "onnxruntime"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Blocker())
import pytest

sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.nightly  # by day the wheel's journey has a case of its own without any framework
def test_the_control_runs_through_the_suite_without_any_framework(tmp_path: Path):
    write_phantoms(tmp_path / "phantoms", 24)
    root = EXAMPLES.parent
    command = [
        *(
            sys.executable,
            "-c",
            WITHOUT_TORCH,
            str(root / "benchmarks" / "test_quality.py"),
            "--rootdir",
            str(root),
            "-m",
            "smoke",
        ),
        *("-p", "no:cacheprovider", "-k", "control", "--bt-case", f"{EXAMPLES}/sklearn_control.py::control"),
        *("--bt-data", str(tmp_path / "phantoms"), "--bt-image-size", "48", "--benchmark-disable"),
        *("--bt-output", str(tmp_path / "reports"), "--bt-checkpoints", str(tmp_path / "checkpoints")),
    ]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")}
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, env=environment, check=False)
    record = next((tmp_path / "reports").glob("*-smoke/records/control-seed42.json"), None)
    assert record is not None, done.stdout + done.stderr
    assert '"outcome": "done"' in record.read_text()
    report = next((tmp_path / "reports").glob("*-smoke/comparison.md")).read_text()
    assert "threshold and random forest" in report


def test_labels_at_random_teach_nothing(
    case: Callable[[str], Case], make_dataset: Callable[..., Dataset], tmp_path: Path
):
    """The control with its training labels shuffled falls short of itself: the classes come from the images alone."""
    whole = Bench(make_dataset(120, size=48), tmp_path / "right")
    shuffled = replace(whole.dataset, labels=np.random.default_rng(0).permutation(whole.dataset.strata))
    random = Bench(shuffled, tmp_path / "random")
    control = case("sklearn_control.py::control")
    right, wrong = (whole.measured(control.prepare(given.work).predictor) for given in (whole, random))
    baseline = reference([right], "control")
    assert {v.metric: v.status for v in judge(right, baseline)} == {"dice": "pass", "accuracy": "pass"}
    assert {v.metric: v.status for v in judge(wrong, baseline)}["accuracy"] == "regressed"
    assert wrong.values("accuracy").mean() < 0.6
