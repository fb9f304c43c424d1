"""Opening a run: what its cases are given, what `run.json` says, and what is refused before anything is trained."""

import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from btlib.baselines.held import NONE, NotComparedError
from btlib.data.dataset import Dataset
from btlib.data.sources.tasks import FIGSHARE, PHANTOM
from btlib.errors import BaselineError, OptionError, SplitError, UnknownNameError
from btlib.plugin import opening as room
from btlib.plugin.opening import open_run
from btlib.plugin.options import Options, tier_of
from btlib.plugin.run import Run
from btlib.plugin.terminal import Terminal
from btlib.protocol import TIERS
from btlib.runs import RunFolder
from btlib.speed import tuning
from btlib.splits import make_split

Open = Callable[..., Run]
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
    monkeypatch.setattr(room, "load_dataset", found)
    monkeypatch.setattr(room, "checkout", lambda root: (f"commit of {root.name}", True))
    return found


@pytest.fixture
def opened(tmp_path: Path, parse: Callable[..., Options], loads: Loads, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens a run of 36 samples of 32 pixels; the baseline is one that cannot be had, unless it is given."""
    (tmp_path / "here" / "slices").mkdir(parents=True)
    monkeypatch.setattr(tuning, "tune", Mock())

    def run(
        *args: str,
        tier: str = "smoke",
        held: Any = None,
        cases: tuple[str, ...] = ("toy1", "toy2"),
        data: str | None = "slices",
    ) -> Run:
        options = parse("--bt-image-size=32", *([f"--bt-data={data}"] if data else []), *args)
        nobody: Any = SimpleNamespace(pluginmanager=SimpleNamespace(get_plugin=lambda name: None))
        terminal = Terminal(nobody)
        baseline = (tmp_path / "some.json", BaselineError("not there")) if held is None else held
        return open_run(tier_of(options, tier), options, terminal, RunFolder(tmp_path / "run"), baseline, cases)

    return run


def test_a_case_is_given_what_tier_and_options_say(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Mock()
    monkeypatch.setattr(Terminal, "now_and_then", lambda self: said)
    run = opened(
        *("--bt-seed=9", "--bt-seeds=3", "--bt-device=cpu", "--bt-precision=bf16", "--bt-engine=eager"),
        *("--bt-checkpoints=kept", "--bt-epochs=2"),
    )
    work, tier = run.work, tier_of(run.options, "smoke")
    assert (work.protocol, work.recipe, run.tier) == (tier.protocol, tier.recipe, tier)
    assert (work.seed, run.seeds) == (9, (9, 10, 11))
    assert (work.device, work.precision, work.engine) == ("cpu", "bf16", "eager")
    assert (work.checkpoints, work.retrain, work.thesis_checkpoints) == (tmp_path / "kept", False, None)
    assert (work.say, work.live, work.case) == (said, False, "")
    assert work.split == run.split.fingerprint == make_split("slice-seed42", run.truth).fingerprint
    for samples, at in ((work.train, run.split.train), (work.val, run.split.val)):
        assert samples.ids.tolist() == run.truth.ids[at].tolist()
    assert (work.data, work.task) == (run.truth.fingerprint, PHANTOM)
    assert (run.folder, run.options.epochs) == (RunFolder(tmp_path / "run"), 2)
    assert opened("--bt-retrain").work.retrain
    undo = Mock()
    monkeypatch.setattr(room.determinism, "enforce", lambda: undo)  # type: ignore[attr-defined]
    assert (run.work.deterministic, run.ends) == (False, [])
    steady = opened("--bt-deterministic")
    assert (steady.work.deterministic, undo.call_count) == (True, 0)
    steady.close()
    undo.assert_called_once_with()
    (tmp_path / "here" / "theirs").mkdir()
    theirs = opened("--bt-thesis-checkpoints=theirs", tier="full")
    assert theirs.work.thesis_checkpoints == tmp_path / "here" / "theirs"
    assert theirs.work.engine == "auto", "as its tier says"


@pytest.mark.parametrize("where", ["--bt-output", "--bt-checkpoints", "BTLIB_CACHE"])
@pytest.mark.parametrize("kind", ["a file", "a dangling link"])
def test_a_folder_that_cannot_be_written_is_told_before_anything_is_read(
    opened: Open, loads: Loads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, kind: str
) -> None:
    place = tmp_path / "place"
    if kind == "a file":
        place.touch()
    else:
        place.symlink_to(tmp_path / "gone")
    args = [f"{where}=place"] if where.startswith("--") else []
    if not args:
        monkeypatch.setenv(where, str(place))
    with pytest.raises(OptionError, match=r"can be written there: .*place is (not a folder|a link to)") as caught:
        opened(*args)
    assert caught.value.where == where
    assert loads.asked == []


def test_data_are_read_once_for_each_size_and_scaling(opened: Open, loads: Loads, tmp_path: Path) -> None:
    run = opened("--bt-scaling=percentile")
    for size, scaling in ((32, "percentile"), (32, "thesis"), (48, "percentile"), (32, "thesis")):
        found = run.load(size, scaling)  # type: ignore[arg-type]
        assert (found.image_size, found.scaling) == (size, scaling)
    folder = tmp_path / "here" / "slices"
    expected = [(folder, 32, "percentile", False), (folder, 32, "thesis", False), (folder, 48, "percentile", False)]
    assert loads.asked == expected
    assert run.truth.scaling == run.work.train.scaling == "percentile"


def test_limit_and_independence_hold_at_any_size(opened: Open) -> None:
    run = opened("--bt-limit=20", "--bt-independent")
    for dataset in (run.truth, run.load(48, "percentile")):
        assert len(dataset) == 20
        assert dataset.independent
    assert run.truth.ids.tolist() == run.load(48, "thesis").ids.tolist()
    assert len(opened().truth) == 36
    assert not opened().truth.independent


def test_random_labels_are_learnt_and_the_split_is_that_of_the_true_ones(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = Mock(wraps=make_split)
    monkeypatch.setattr(room, "make_split", split)
    plain, run = opened(), opened("--bt-random-labels")
    truth = plain.truth
    assert run.truth.labels.tolist() != truth.labels.tolist()
    assert run.load(48, "thesis").labels.tolist() == run.truth.labels.tolist(), "whatever the size"
    (name, given) = split.call_args.args
    assert (name, given.labels.tolist()) == ("slice-seed42", truth.labels.tolist())
    assert run.work.train.labels.tolist() == run.truth.labels[run.split.train].tolist()
    assert run.folder.split() == plain.folder.split()
    assert "36 PHANTOM samples (synthetic) UNDER RANDOM LABELS, 32 px" in run.folder.info().data


def test_what_a_run_says_of_itself(opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["pytest", "benchmarks", "-k", "a b"])
    run = opened(
        *("--bt-seed=9", "--bt-seeds=2", "--bt-against=toy2,toy1", "--bt-split=slice-seed42", "--bt-strict"),
        held=(tmp_path / "mine.json", TOYS),
        cases=("toy2", "new", "toy1"),
    )
    info, split = run.folder.info(), run.folder.split()
    assert info.model_dump(exclude={"data", "load_seconds", "started"}) == {
        "tier": "smoke",
        "command": "pytest benchmarks -k 'a b'",
        "baseline": str(tmp_path / "mine.json"),
        "task": PHANTOM.model_dump(),
        "data_folder": None,
        "image_size": 32,
        "recipe": asdict(run.tier.recipe),
        "against": ["toy2", "toy1"],
        "strict": True,
        "cases": ["toy2", "new", "toy1"],
        "seeds": [9, 10],
        "commit": f"commit of {tmp_path.name}",
        "dirty": True,
    }
    assert info.load_seconds > 0
    assert info.started.endswith("+00:00")
    parts, patients = run.split, run.truth.patients
    seen = sum(patients[i] in {patients[k] for k in parts.train} for i in parts.test)
    assert len({len(parts.train), len(parts.val), len(parts.test), seen}) == 4
    assert info.data == (
        f"36 PHANTOM samples (synthetic), 32 px, thesis scaling; split slice-seed42: {len(parts.train)} train, "
        f"{len(parts.val)} validation, {len(parts.test)} test; 18 simulated patients, "
        f"{seen} of {len(parts.test)} test samples of patients in training"
    )
    assert split is not None
    assert split.fingerprint == parts.fingerprint
    assert split.test.ids == run.truth.ids[parts.test].tolist()
    assert run.baseline is TOYS


def test_where_nothing_is_named_nothing_is_noted(opened: Open) -> None:
    info = opened().folder.info()
    assert (info.against, info.strict, info.seeds) == (None, False, [42])


def test_a_recipes_own_scaling_is_named(opened: Open) -> None:
    data = opened("--bt-recipe=modern", tier="full").folder.info().data
    assert "32 px, percentile scaling" in data


@pytest.mark.parametrize(
    ("changes", "args", "told"),
    [
        ({"task": FIGSHARE}, (), "18 patients from the files, {seen} of {n} test samples of patients in training"),
        ({"task": FIGSHARE, "patient_source": "table"}, (), "18 patients from the table, {seen} of"),
        ({"patients": ("P",) * 35 + (None,)}, (), "; patients unknown of 1 samples"),
        (
            {"patients": (None,) * 36},
            ("--bt-independent",),
            "; patients unknown of 36 samples, which the user says are independent",
        ),
    ],
    ids=["of files", "of the table", "one unknown", "all unknown"],
)
def test_whose_samples_they_are(
    opened: Open, loads: Loads, changes: dict[str, Any], args: tuple[str, ...], told: str
) -> None:
    loads.changes = changes
    run = opened(*args)
    patients, split = run.truth.patients, run.split
    seen = sum(patients[i] in {patients[k] for k in split.train} for i in split.test)
    data = run.folder.info().data
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
    opened("--bt-no-tune")
    tune.assert_not_called()


def test_what_a_run_needs_is_checked_before_data_are_read(
    opened: Open, loads: Loads, monkeypatch: pytest.MonkeyPatch
) -> None:
    available = Mock(side_effect=OptionError("there is none"))
    monkeypatch.setattr(room, "check_available", available)
    none = (NONE, NotComparedError("as asked"))
    with pytest.raises(OptionError, match="there is none"):
        opened("--bt-device=mps")
    available.assert_called_once_with("mps")
    with pytest.raises(SplitError, match="withdrawn"):
        opened("--bt-split=block-seed42")
    for args in (("--bt-against=A",), ("--bt-strict",)):
        with pytest.raises(OptionError, match=f"^{args[0].partition('=')[0]} with --bt-baseline none: "):
            opened(*args, held=none)
    with pytest.raises(BaselineError, match="damaged"):
        opened("--bt-baseline=mine", held=(Path("mine.json"), BaselineError("damaged")))
    for name in ("protocol=cpu128", "recipe=modern"):
        with pytest.raises(OptionError, match=f"^--bt-{name.partition('=')[0]}: the tier smoke has a protocol and"):
            opened(f"--bt-{name}")
    assert loads.asked == []
    available.side_effect = None
    assert isinstance(opened(held=none).baseline, NotComparedError)
    assert isinstance(opened().baseline, BaselineError), "cases are measured even then"


@pytest.mark.parametrize("given", ["--bt-retrain", "--bt-recipe=modern", "--bt-seeds=2"])
def test_the_thesiss_checkpoints_are_not_trained_again(opened: Open, tmp_path: Path, given: str) -> None:
    (tmp_path / "here" / "theirs").mkdir()
    theirs = "--bt-thesis-checkpoints=theirs"
    with pytest.raises(OptionError, match=f"^{given.partition('=')[0]} with --bt-thesis-checkpoints: "):
        opened(theirs, given, tier="full")
    opened(theirs, "--bt-seeds=1", "--bt-protocol=cpu128", tier="full")
    opened(given, tier="full")


@pytest.mark.parametrize(
    ("args", "cases", "left_out"),
    [
        (("--bt-strict",), ("toy1",), "toy2"),
        (("--bt-strict",), ("new",), "toy1, toy2"),
        (("--bt-strict",), ("toy1", "toy2", "new"), None),
        ((), ("toy1",), None),
    ],
)
def test_strict_wants_every_case_of_the_baseline(
    opened: Open, loads: Loads, args: tuple[str, ...], cases: tuple[str, ...], left_out: str | None
) -> None:
    held = (Path("smoke.json"), TOYS)
    if left_out is None:
        opened(*args, held=held, cases=cases)
        return
    told = f"^--bt-strict: baseline 'smoke' has cases that were not collected: {left_out}\nTo mend it"
    with pytest.raises(OptionError, match=told):
        opened(*args, held=held, cases=cases)
    assert loads.asked == []
    opened(*args, cases=cases)  # where the baseline cannot be had each item fails


def test_references_are_cases_of_the_baseline(opened: Open) -> None:
    for held, args in (((Path("smoke.json"), TOYS), "--bt-against=toy1,toy3"), (None, "--bt-against=toy3")):
        with pytest.raises(UnknownNameError, match=r"^--bt-against: unknown case of the baseline 'toy3'"):
            opened(args, held=held)
    opened("--bt-against=toy2", held=(Path("smoke.json"), TOYS))


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
    settings = replace(TIERS[tier], phantom_slices=7)
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
    run = opened(data=None)
    own.assert_called_once_with(run.tier, tmp_path, False)
    assert [folder for folder, *_ in loads.asked] == [tmp_path / "here" / "slices", tmp_path / "phantoms"]
