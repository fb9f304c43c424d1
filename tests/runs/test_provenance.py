"""Which code made the numbers: the file of a case and its own repository, whatever pytest's root is."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from btlib.cases import CASES, Case, Prepared, Work, load_case
from btlib.gate.acceptance import propose
from btlib.runs import CaseRecord, RunStore, provenance
from btlib.runs.cell import Cell
from btlib.runs.execute import run_case
from btlib.runs.held_out import HeldOut
from btlib.runs.provenance import checkout, code_of

CASE = """
from functools import partial
from btlib.cases import Prepared, case

@case("mine", "mine", has_mask=True, has_classes=False)
def prepare(work):
    return Prepared(None, "given")
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of the user's with a committed case in a folder, and another file."""
    top = tmp_path / "user"
    (top / "models").mkdir(parents=True)
    (top / "models" / "mine.py").write_text(CASE)
    (top / "train.py").write_text("rate = 1\n")
    git(top, "init", "-q")
    git(top, "add", ".")
    git(top, "-c", "user.name=u", "-c", "user.email=u@example.org", "commit", "-qm", "first")
    return top


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def mine() -> Callable[[Path], Case]:
    """The case of a file; it is forgotten when the test ends."""
    yield lambda path: load_case(f"{path}::mine")
    CASES._items.pop("mine", None)


def test_a_committed_case(repository: Path, mine: Callable[[Path], Case]):
    path = repository / "models" / "mine.py"
    code = code_of(mine(path))
    assert code is not None
    assert code.file == "models/mine.py"
    assert code.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (code.commit, code.dirty) == (git(repository, "rev-parse", "HEAD"), False)


@pytest.mark.parametrize(
    "change",
    [
        *(
            "the case",
            "another tracked file",
            "staged",
            "untracked",
            "a baseline alone",
            "ignored",
            "assumed unchanged",
        ),
        *("untracked, and not shown", "an untracked neighbour that it imports", "edited since it was imported"),
        *("an untracked file that it does not import", "an untracked test that is imported", "an ignored import"),
        *("git is not there", "git refuses"),
    ],
)
def test_a_case_that_is_not_committed_as_it_is(
    change: str, repository: Path, mine: Callable[[Path], Case], monkeypatch: pytest.MonkeyPatch
):
    path = repository / "models" / "mine.py"
    if change in ("the case", "staged"):
        path.write_text(CASE + "# changed\n")
    if change == "staged":
        git(repository, "add", ".")
    if change == "another tracked file":
        (repository / "train.py").write_text("rate = 2\n")
    if change == "assumed unchanged":
        git(repository, "update-index", "--assume-unchanged", "models/mine.py")
        path.write_text(CASE + "# changed\n")
    if change == "ignored":
        (repository / ".git" / "info" / "exclude").write_text("new.py\n")
    if change == "untracked, and not shown":
        git(repository, "config", "status.showUntrackedFiles", "no")
    if change == "an untracked neighbour that it imports":
        (repository / "models" / "untracked_helper_of_mine.py").write_text("")
        path.write_text("import untracked_helper_of_mine\n" + CASE)
        git(repository, "-c", "user.name=u", "-c", "user.email=u@example.org", "commit", "-qam", "second")
    if change == "an untracked file that it does not import":
        (repository / "models" / "notes_of_mine.py").write_text("")
    if change == "an ignored import":
        (repository / ".git" / "info" / "exclude").write_text("made.py\n")
        (repository / "made.py").write_text("")
        monkeypatch.setitem(sys.modules, "made_of_mine", SimpleNamespace(__file__=str(repository / "made.py")))
    if change == "an untracked test that is imported":
        for name in ("conftest.py", "test_of_mine.py"):
            (repository / name).write_text("")
            monkeypatch.setitem(sys.modules, f"mine_{name}", SimpleNamespace(__file__=str(repository / name)))
    if change.startswith("untracked") or change == "ignored":
        path = repository / "new.py"
        path.write_text(CASE)
    if change == "a baseline alone":
        (repository / "baselines").mkdir()
        (repository / "baselines" / "mine.json").write_text("{}")
    case = mine(path)
    if change == "edited since it was imported":
        path.write_text(CASE + "rate = 3\n")
        git(repository, "-c", "user.name=u", "-c", "user.email=u@example.org", "commit", "-qam", "second")
    if change == "git is not there":
        monkeypatch.setenv("PATH", str(repository))
    if change == "git refuses":
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(repository.parent))
        (repository / ".git" / "HEAD").write_text("damaged")
    code = code_of(case)
    assert code is not None
    clean = ("a baseline alone", "an untracked file that it does not import", "an untracked test that is imported")
    assert code.dirty is (change not in (*clean, "an ignored import"))


@pytest.mark.parametrize(
    ("change", "dirty"),
    [
        ("nothing", False),
        ("a tracked file", True),
        ("a tracked baseline", False),
        ("an untracked file", False),
        ("outside", None),
    ],
)
def test_whether_a_checkout_is_as_it_was_committed(change: str, dirty: bool | None, repository: Path):
    if change == "a tracked baseline":
        (repository / "baselines").mkdir()
        (repository / "baselines" / "mine.json").write_text("{}")
        git(repository, "add", ".")
        git(repository, "-c", "user.name=u", "-c", "user.email=u@example.org", "commit", "-qm", "second")
        (repository / "baselines" / "mine.json").write_text("{ }")
    if change == "a tracked file":
        (repository / "train.py").write_text("rate = 2\n")
    if change == "an untracked file":
        (repository / "new.py").write_text("")
    folder = repository.parent if change == "outside" else repository
    commit = None if change == "outside" else git(repository, "rev-parse", "HEAD")
    assert checkout(folder) == (commit, dirty)


@pytest.mark.parametrize("fails", ["rev-parse", "status"])
def test_a_checkout_of_which_git_does_not_tell_all_is_none(fails: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(provenance, "_git", lambda folder, command, *more: None if command == fails else "abc")
    assert checkout(Path()) == (None, None)


def test_a_repository_without_a_commit_has_none(tmp_path: Path):
    """Git prints "HEAD" then, and that it is none."""
    git(tmp_path, "init", "-q")
    assert checkout(tmp_path) == (None, None)


@pytest.mark.parametrize("silent", ["status", "hash-object"])
def test_a_file_of_which_git_does_not_tell_all_is_dirty(
    silent: str, repository: Path, mine: Callable[[Path], Case], monkeypatch: pytest.MonkeyPatch
):
    """Whether anything differs, or what is stored of it and what is here."""
    ask = provenance._git

    def asked(folder: Path, *words: str) -> str | None:
        of_file = words[0] == "hash-object" or words[-1].startswith("HEAD:")
        return None if words[0] == silent or (of_file and silent == "hash-object") else ask(folder, *words)

    case = mine(repository / "models" / "mine.py")
    assert code_of(case).dirty is False  # type: ignore[union-attr]
    monkeypatch.setattr(provenance, "_git", asked)
    assert code_of(case).dirty is True  # type: ignore[union-attr]


def test_outside_a_repository_and_where_it_is_ignored(repository: Path, tmp_path: Path, mine: Callable[[Path], Case]):
    (repository / ".gitignore").write_text(".venv/\n")
    for place in ("site-packages", "dist-packages"):
        installed = repository / ".venv" / "lib" / place / "mine.py"
        installed.parent.mkdir(parents=True)
        installed.write_text(CASE)
        code = code_of(mine(installed))
        CASES._items.pop("mine")
        assert code is not None
        assert (code.file, code.commit, code.dirty) == ("mine.py", None, None)


def test_outside_a_repository(tmp_path: Path, mine: Callable[[Path], Case]):
    (tmp_path / "mine.py").write_text(CASE)
    code = code_of(mine(tmp_path / "mine.py"))
    assert code is not None
    assert (code.file, code.commit, code.dirty) == ("mine.py", None, None)


def test_a_case_without_a_file():
    namespace: dict[str, object] = {}
    exec("def prepare(work): pass", namespace)
    case = Case("mine", "mine", has_mask=True, has_classes=False, prepare=namespace["prepare"])  # type: ignore[arg-type]
    assert code_of(case) is None


def test_it_is_in_the_record_and_the_baseline_and_a_dirty_one_is_refused(
    folder: RunStore,
    work: Work,
    data: HeldOut,
    make_case: Callable[..., Case],
    repository: Path,
    mine: Callable[[Path], Case],
    monkeypatch: pytest.MonkeyPatch,
):
    path = repository / "models" / "mine.py"
    file = mine(path)
    monkeypatch.setattr("btlib.runs.execute.code_of", lambda case: code_of(file) if case.name == "X" else None)
    for seed in (7, 8):
        run_case(make_case("X"), replace(work, seed=seed), "smoke", folder, data)
    proposal = propose(folder.path, "mine", "because")
    assert proposal.refusals == ()
    saved = proposal.new.cases["X"].code
    assert saved == CaseRecord.load(folder.record_path(Cell("X", 8))).code == code_of(file)
    path.write_text(CASE + "# between two seeds\n")
    run_case(make_case("X"), replace(work, seed=8), "smoke", folder, data)
    refusals = propose(folder.path, "mine", "because").refusals
    assert [refusal.split(", ")[0] for refusal in refusals] == ["case X comes from models/mine.py"]


def test_a_ready_made_model_has_no_training_recipe(
    folder: RunStore, work: Work, data: HeldOut, make_case: Callable[..., Case]
):
    recipe = {"name": "thesis", "epochs": 10}
    folder.save_info(folder.info().model_copy(update={"recipe": recipe}))
    trained = make_case("Y", lambda w: Prepared(make_case().prepare(w).predictor, "trained"))
    run_case(trained, work, "smoke", folder, data)
    baseline = propose(folder.path, "mine", "because").new
    assert baseline.provenance_of("X").recipe is None
    assert baseline.provenance_of("Y").recipe == recipe
    records = {record.case: folder.info().recipe_of(record) for record in folder.records()}
    assert records == {"X": {}, "Y": recipe}


def test_a_prepare_that_returns_something_else_says_so(
    work: Work, data: HeldOut, make_case: Callable[..., Case], folder: RunStore
):
    for returned in (None, object()):
        record = run_case(make_case("X", lambda w, returned=returned: returned), work, "smoke", folder, data).record
        assert record.outcome == "error"
        assert f"expected prepare to return a Prepared, got {type(returned).__name__}" in record.error
