"""Opening a run: what its cases are given, what `run.json` says, and what is refused before anything is trained."""

import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from btlib import hooks
from btlib.api import opening as room
from btlib.api.benchmark_run import BenchmarkRun
from btlib.api.opening import open_run, tier_of
from btlib.data.dataset import Dataset
from btlib.data.sources.tasks import FIGSHARE, PHANTOM
from btlib.errors import BaselineError, OptionError, SplitError, UnknownNameError
from btlib.gate.loading import NONE, NotComparedError
from btlib.options import RunOptions
from btlib.protocol import TIERS
from btlib.runs import RunStore, workspace
from btlib.runs.cell import Cell
from btlib.runs.plan import RunPlan
from btlib.runs.progress import ProgressReporter
from btlib.speed import tuning
from btlib.splits import make_split

from .toys import Toys

Open = Callable[..., BenchmarkRun]
TOYS: Any = SimpleNamespace(cases={"toy2": None, "toy1": None})
"""As much of a baseline as is looked at."""


class Loads:
    """In place of the reader of files: samples of any size and scaling, and what it was asked for."""

    def __init__(self, make_dataset: Callable[..., Dataset]) -> None:
        self.make = make_dataset
        self.asked: list[tuple[Path, int, str, bool]] = []
        self.changes: dict[str, Any] = {}

    def __call__(self, data: Path, image_size: int, scaling: Any, *, progress: bool) -> Dataset:
        self.asked.append((data, image_size, scaling, progress))
        return replace(self.make(36, image_size), scaling=scaling, **self.changes)


@pytest.fixture
def loads(make_dataset: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch) -> Loads:
    found = Loads(make_dataset)
    monkeypatch.setattr(workspace, "load_dataset", found)
    monkeypatch.setattr(room, "checkout", lambda root: (f"commit of {root.name}", True))
    return found


@pytest.fixture
def opened(tmp_path: Path, cases: Toys, loads: Loads, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a run of 36 samples of 32 pixels; the baseline is one that cannot be had, unless it is given."""
    (tmp_path / "samples").mkdir()
    monkeypatch.setattr(tuning, "tune", Mock())
    cases.add("new")

    def run(
        tier: str = "smoke",
        held: Any = None,
        of: tuple[str, ...] = ("toy1", "toy2"),
        data: Path | None = tmp_path / "samples",
        progress: ProgressReporter | None = None,
        again: bool = False,
        **more: Any,
    ) -> BenchmarkRun:
        options = RunOptions(root=tmp_path, image_size=32, data=data, **more)
        baseline = (tmp_path / "some.json", BaselineError("not there")) if held is None else held
        plan = RunPlan(tier_of(options, tier), options, dict.fromkeys(of, frozenset()))
        store = RunStore(tmp_path / "run")
        return open_run(BenchmarkRun, plan, progress or ProgressReporter(), store, baseline, again=again)

    return run


def test_a_case_is_given_what_tier_and_options_say(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said, options = Mock(), {"seed": 9, "seeds": 3, "device": "cpu", "precision": "bf16", "engine": "eager"}
    monkeypatch.setattr(ProgressReporter, "now_and_then", lambda self: said)
    theirs = {"weights": None, "batch_norm": None, "compile_training": False, "thesis_checkpoints": tmp_path}
    run = opened(
        **options,
        checkpoints=Path("kept"),
        epochs=2,
        plugins={"other": 3},
        progress=ProgressReporter(progress_bars=True),
    )
    work, tier = run.workspace.work(Cell("toy1", 10)), tier_of(run.plan.options, "smoke")
    assert (work.protocol, work.recipe, run.tier) == (tier.protocol, tier.recipe, tier)
    assert (work.seed, run.plan.seeds) == (10, (9, 10, 11))
    assert (work.device, work.precision, work.engine) == ("cpu", "bf16", "eager")
    assert (work.checkpoints, work.retrain, work.options) == (tmp_path / "kept", False, {"other": 3})
    assert (work.report, work.progress_bars, work.case) == (said, True, "toy1")
    assert work.split == run.split.fingerprint == make_split("slice-seed42", run.truth).fingerprint
    for samples, at in ((work.train, run.split.train), (work.val, run.split.val)):
        assert samples.ids.tolist() == run.truth.ids[at].tolist()
    assert (work.data, work.task) == (run.truth.fingerprint, PHANTOM)
    assert (run.store, run.plan.options.epochs) == (RunStore(tmp_path / "run"), 2)
    cell = Cell("toy1", 42)
    assert opened(retrain=True).workspace.work(cell).retrain
    undo = Mock()
    monkeypatch.setattr(room.determinism, "enforce", lambda: undo)
    assert (work.deterministic, run.ends) == (False, [])
    steady = opened(deterministic=True)
    assert (steady.workspace.work(cell).deterministic, undo.call_count) == (True, 0)
    steady.close()
    undo.assert_called_once_with()
    full = opened(tier="full", plugins=theirs).workspace.work(cell)
    assert full.options == theirs
    assert full.engine == "auto", "as its tier says"


@pytest.mark.parametrize("where", ["output", "checkpoints", "BTLIB_CACHE"])
@pytest.mark.parametrize("kind", ["a file", "a dangling link"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_read(
    opened: Open, loads: Loads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, kind: str
) -> None:
    place = tmp_path / "place"
    if kind == "a file":
        place.touch()
    else:
        place.symlink_to(tmp_path / "gone")
    if where == "BTLIB_CACHE":
        monkeypatch.setenv(where, str(place))
    with pytest.raises(OptionError, match=r"is not writable: .*place is (not a folder|a link to)") as caught:
        opened(**({} if where == "BTLIB_CACHE" else {where: Path("place")}))
    assert caught.value.where == (where if where == "BTLIB_CACHE" else f"--bt-{where}")
    assert loads.asked == []


def test_data_are_read_once_for_each_size_and_scaling(opened: Open, loads: Loads, tmp_path: Path) -> None:
    run = opened(scaling="percentile")
    for size, scaling in ((32, "percentile"), (32, "thesis"), (48, "percentile"), (32, "thesis")):
        found = run.workspace.load(size, scaling)  # type: ignore[arg-type]
        assert (found.image_size, found.scaling) == (size, scaling)
    folder = tmp_path / "samples"
    expected = [(folder, 32, "percentile", False), (folder, 32, "thesis", False), (folder, 48, "percentile", False)]
    assert loads.asked == expected
    assert run.truth.scaling == run.workspace.work(Cell("toy1", 42)).train.scaling == "percentile"


def test_limit_and_independence_hold_at_any_size(opened: Open) -> None:
    run = opened(limit=20, independent=True)
    for dataset in (run.truth, run.workspace.load(48, "percentile")):
        assert len(dataset) == 20
        assert dataset.independent
    assert run.truth.ids.tolist() == run.workspace.load(48, "thesis").ids.tolist()
    assert len(opened().truth) == 36
    assert not opened().truth.independent


def test_random_labels_are_learnt_and_the_split_is_that_of_the_true_ones(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = Mock(wraps=make_split)
    monkeypatch.setattr(workspace, "make_split", split)
    plain = opened()
    before = plain.store.split()
    run = opened(random_labels=True)
    truth = plain.truth
    assert run.truth.labels.tolist() != truth.labels.tolist()
    assert run.workspace.load(48, "thesis").labels.tolist() == run.truth.labels.tolist(), "whatever the size"
    (name, given) = split.call_args.args
    assert (name, given.labels.tolist()) == ("slice-seed42", truth.labels.tolist())
    assert run.workspace.work(Cell("toy1", 42)).train.labels.tolist() == run.truth.labels[run.split.train].tolist()
    assert run.store.split() == before
    assert "36 PHANTOM samples (synthetic) WITH RANDOM LABELS, 32 px" in run.store.info().data


def test_what_a_run_says_of_itself(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pytest", "benchmarks", "-k", "a b"])
    asked: dict[str, Any] = {"seed": 9, "seeds": 2, "against": ("toy2", "toy1"), "split": "slice-seed42"}
    run = opened(
        **asked,
        strict=True,
        alpha=0.2,
        rescore=True,
        name="a trial",
        held=(tmp_path / "mine.json", TOYS),
        of=("toy2", "new", "toy1"),
    )
    info, split = run.store.info(), run.store.split()
    assert info.model_dump(exclude={"data", "load_seconds", "started"}) == {
        "tier": "smoke",
        "name": "a trial",
        "command": "pytest benchmarks -k 'a b'",
        "baseline": str(tmp_path / "mine.json"),
        "task": PHANTOM.model_dump(),
        "data_folder": None,
        "image_size": 32,
        "recipe": asdict(run.tier.recipe),
        "against": ["toy2", "toy1"],
        "strict": True,
        "alpha": 0.2,
        "rescore": True,
        "cases": ["toy2", "new", "toy1"],
        "specs": {name: f"{Path(__file__).with_name('toys.py')}::{name}" for name in ("toy2", "new", "toy1")},
        "seeds": [9, 10],
        "stages": [],
        "stopped": {},
        "folds": [],
        "measures": {"toy2": [], "new": [], "toy1": []},
        "options": run.plan.options.as_json(),
        "commit": f"commit of {tmp_path.name}",
        "dirty": True,
        "speed_margin": run.tier.speed_margin,
    }
    assert RunOptions.from_json(info.options or {}) == run.plan.options
    assert info.load_seconds > 0
    assert info.started.endswith("+00:00")
    parts, patients = run.split, run.truth.patients
    seen = sum(patients[i] in {patients[k] for k in parts.train} for i in parts.test)
    assert len({len(parts.train), len(parts.val), len(parts.test), seen}) == 4
    assert info.data == (
        f"36 PHANTOM samples (synthetic), 32 px, thesis scaling; split slice-seed42: {len(parts.train)} train, "
        f"{len(parts.val)} validation, {len(parts.test)} test; 18 simulated patients, "
        f"{seen} of {len(parts.test)} test samples from patients in training"
    )
    assert split is not None
    assert split.fingerprint == parts.fingerprint
    assert split.test.ids == run.truth.ids[parts.test].tolist()
    assert run.baseline is TOYS


def test_where_nothing_is_named_nothing_is_noted(opened: Open) -> None:
    info = opened().store.info()
    assert (info.against, info.strict, info.seeds, info.name) == (None, False, [42], None)


def test_a_recipes_own_scaling_is_named(opened: Open) -> None:
    data = opened(recipe="modern", tier="full").store.info().data
    assert "32 px, percentile scaling" in data


@pytest.mark.parametrize(
    ("changes", "options", "told"),
    [
        ({"task": FIGSHARE}, {}, "18 patients from the files, {seen} of {n} test samples from patients in training"),
        ({"task": FIGSHARE, "patient_source": "table"}, {}, "18 patients from the table, {seen} of"),
        ({"patients": ("P",) * 35 + (None,)}, {}, "; patients unknown for 1 samples"),
        (
            {"patients": (None,) * 36},
            {"independent": True},
            "; patients unknown for 36 samples, declared independent by the user",
        ),
    ],
    ids=["of files", "of the table", "one unknown", "all unknown"],
)
def test_whose_samples_they_are(
    opened: Open, loads: Loads, changes: dict[str, Any], options: dict[str, Any], told: str
) -> None:
    loads.changes = changes
    run = opened(**options)
    patients, split = run.truth.patients, run.split
    seen = sum(patients[i] in {patients[k] for k in split.train} for i in split.test)
    data = run.store.info().data
    assert told.format(seen=seen, n=len(split.test)) in data
    assert data.startswith("36 figshare samples, " if "task" in changes else "36 PHANTOM samples (synthetic), ")
    if told.startswith(";"):
        assert data.endswith(told)


def test_the_machine_is_tuned_for_all_workers_unless_the_user_minds(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    tune = Mock()
    monkeypatch.setattr(tuning, "tune", tune)
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "3")
    opened()
    tune.assert_called_once_with(workers=3)
    monkeypatch.delenv("PYTEST_XDIST_WORKER_COUNT")
    opened()
    tune.assert_called_with(workers=1)
    tune.reset_mock()
    opened(no_tune=True)
    tune.assert_not_called()


def test_what_a_run_needs_is_checked_before_data_are_read(
    opened: Open, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    available = Mock(side_effect=OptionError("there is none"))
    monkeypatch.setattr(room, "check_available", available)
    none = (NONE, NotComparedError("as asked"))
    with pytest.raises(OptionError, match="there is none"):
        opened(device="mps")
    available.assert_called_once_with("mps")
    available.side_effect = None
    with pytest.raises(SplitError, match="withdrawn"):
        opened(split="block-seed42")
    with pytest.raises(UnknownNameError, match="no-such-fold"):
        opened(folds="no-such-fold-1")
    for options in ({"against": ("A",)}, {"strict": True}):
        (name,) = options
        with pytest.raises(OptionError, match=rf"^--bt-{name} with --bt-baseline none: "):
            opened(**options, held=none)
    with pytest.raises(BaselineError, match="damaged"):
        opened(baseline="mine", held=(Path("mine.json"), BaselineError("damaged")))
    for name, value in {"protocol": "cpu128", "recipe": "modern"}.items():
        with pytest.raises(OptionError, match=rf"^--bt-{name}: the protocol and the recipe of"):
            opened(**{name: value})
    with pytest.raises(UnknownNameError, match="unknown engine 'eagre'"):
        opened(engine="eagre")
    with pytest.raises(OptionError, match=r"^--bt-speed-reference: unknown case 'toy3'"):
        opened(speed_reference="toy3")
    assert loads.asked == []
    assert isinstance(opened(held=none).baseline, NotComparedError)
    assert isinstance(opened().baseline, BaselineError), "cases are measured even then"


@pytest.mark.parametrize(
    ("name", "value"), [("retrain", True), ("recipe", "modern"), ("seeds", 2)], ids=["retrain", "recipe", "seeds"]
)
def test_the_thesiss_checkpoints_are_not_trained_again(
    opened: Open, loads: Loads, tmp_path: Path, name: str, value: Any
) -> None:
    theirs = {"thesis_checkpoints": tmp_path}
    with pytest.raises(OptionError, match=rf"^--bt-{name} .*with --bt-thesis-checkpoints"):
        opened(plugins=theirs, **{name: value}, tier="full")
    assert loads.asked == []
    opened(plugins=theirs, seeds=1, protocol="cpu128", tier="full")
    opened(**{name: value}, tier="full")


@pytest.mark.parametrize(
    ("strict", "of", "left_out"),
    [
        (True, ("toy1",), "toy2"),
        (True, ("new",), "toy1, toy2"),
        (True, ("toy1", "toy2", "new"), None),
        (False, ("toy1",), None),
    ],
)
def test_strict_wants_every_case_of_the_baseline(
    opened: Open, loads: Loads, strict: bool, of: tuple[str, ...], left_out: str | None
) -> None:
    held = (Path("smoke.json"), TOYS)
    if left_out is None:
        opened(strict=strict, held=held, of=of)
        return
    told = f"^--bt-strict: baseline 'smoke' has cases that are not in this run: {left_out}\nHint"
    with pytest.raises(OptionError, match=told):
        opened(strict=strict, held=held, of=of)
    assert loads.asked == []
    opened(strict=strict, of=of)  # where the baseline cannot be had each item fails


def test_references_are_cases_of_the_baseline(opened: Open) -> None:
    for held, against in (((Path("smoke.json"), TOYS), ("toy1", "toy3")), (None, ("toy3",))):
        with pytest.raises(UnknownNameError, match=r"^--bt-against: unknown case of the baseline 'toy3'"):
            opened(against=against, held=held)
    opened(against=("toy2",), held=(Path("smoke.json"), TOYS))


@pytest.mark.parametrize(
    ("tier", "files", "real"),
    [("smoke", ["1.mat"], False), ("full", ["1.mat"], True), ("full", ["1.txt"], False), ("full", [], False)],
)
def test_the_tiers_own_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tier: str, files: list[str], real: bool
) -> None:
    folder = tmp_path / "data_figshare" / "data"
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).touch()
    phantoms = Mock()
    monkeypatch.setattr(room, "phantom_folder", phantoms)
    monkeypatch.setenv("BTLIB_CACHE", str(tmp_path / "cache"))
    settings = replace(TIERS[tier], phantom_samples=7)
    found = room._default_data(settings, tmp_path, True)
    assert found == (folder if real else phantoms.return_value)
    if not real:
        phantoms.assert_called_once_with(tmp_path / "cache" / "phantoms", 7, progress=True)


def test_without_data_of_the_user_the_tier_has_its_own(
    opened: Open, loads: Loads, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = Mock(return_value=tmp_path / "phantoms")
    monkeypatch.setattr(room, "_default_data", own)
    opened()
    own.assert_not_called()
    run = opened(data=None, progress=ProgressReporter(progress_bars=True))
    own.assert_called_once_with(run.tier, tmp_path, True)
    assert [folder for folder, *_ in loads.asked] == [tmp_path / "samples", tmp_path / "phantoms"]
    assert [progress_bars for *_, progress_bars in loads.asked] == [False, True]


def test_several_folds_are_split_and_written_out(opened: Open) -> None:
    run = opened(folds="patient-5fold-2,patient-5fold-4")
    info, splits = run.store.info(), run.workspace.splits
    assert info.folds == list(splits) == ["patient-5fold-2", "patient-5fold-4"]
    assert run.store.split() is None
    for name, split in splits.items():
        written = run.store.split(name)
        assert written is not None
        assert (written.name, written.test.ids) == (name, run.truth.ids[split.test].tolist())
        work = run.workspace.work(Cell("toy1", 42, name))
        assert (work.split, work.train.ids.tolist()) == (split.fingerprint, run.truth.ids[split.train].tolist())
    tested = sum(len(split.test) for split in splits.values())
    assert f"; 2 folds of patient-5fold-2+4: {tested} test samples, each tested once; " in info.data
    assert f", 0 of {tested} test samples from patients in training" in info.data
    assert run.split is splits["patient-5fold-2"]


def test_a_run_that_goes_on_keeps_what_it_says_of_itself_and_its_samples(opened: Open, loads: Loads) -> None:
    before = opened(seed=9)
    info = before.store.info()
    again = opened(seed=9, again=True, retrain=True)
    assert (before.executor.again, again.executor.again) == (False, True)
    assert again.store.info() == info, "what it began with stays"
    loads.changes = {"ids": (loads.make(36, 32).ids.astype(int) + 1).astype(str)}
    with pytest.raises(OptionError, match="slice-seed42 differs from the stored split: the data have changed"):
        opened(seed=9, again=True)


def test_a_plug_in_refuses_a_plan_before_data_are_read(
    opened: Open, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = list[RunPlan]()

    class Refuses:
        @hooks.hookimpl
        def btlib_check_plan(self, plan: RunPlan) -> None:
            seen.append(plan)
            raise OptionError("cannot be done")

    refuses = Refuses()
    hooks.manager().register(refuses)
    try:
        with pytest.raises(OptionError, match="cannot be done"):
            opened(seed=3)
    finally:
        hooks.manager().unregister(refuses)
    assert [(plan.options.seed, list(plan.cases)) for plan in seen] == [(3, ["toy1", "toy2"])]
    assert loads.asked == []
