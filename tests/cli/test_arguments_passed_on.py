"""Commands are thin shells: every option reaches the function that does the work, and what it gives is printed."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from btlib.cli import app
from btlib.data.sources.tasks import FIGSHARE, PHANTOM
from btlib.gate import Verdict
from btlib.gate.gate_options import GateOptions
from btlib.results import Conditions, PatientFacts
from btlib.runs import RunStore
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Path]


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


class Spy:
    """Stands in for a function, and keeps what it was called with."""

    def __init__(self, result: Any = None) -> None:
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.result = result

    def __call__(self, *args: Any, **named: Any) -> Any:
        self.calls.append((args, named))
        return self.result(*args, **named) if callable(self.result) else self.result


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Spy]:
    monkeypatch.chdir(tmp_path)

    def replaced(where: str, result: Any = None) -> Spy:
        made = Spy(result)
        monkeypatch.setattr(where, made)
        return made

    return replaced


def test_download(spy: Callable[..., Spy], tmp_path: Path):
    get = spy("btlib.data.sources.figshare.download.download", tmp_path / "d" / "data")
    result = run("data", "download", "d", "--base-url", "https://x")
    assert (
        result.stdout == f"The samples are in {tmp_path}/d/data. Check them with: btlib data verify d --expect 3064\n"
    )
    run("data", "download")
    assert get.calls == [
        ((Path("d"),), {"base_url": "https://x", "progress": True}),
        ((Path("data_figshare"),), {"base_url": "https://api.figshare.com/v2", "progress": True}),
    ]


def test_phantoms(spy: Callable[..., Spy]):
    write = spy("btlib.data.sources.phantom.files.write_phantoms", "there")
    assert run("data", "phantom", "p", "--slices", 3, "--seed", 7).stdout == "3 phantoms are in there\n"
    run("data", "phantom", "p", "--slices", 4)
    assert write.calls == [((Path("p"), 3, 7), {"progress": True}), ((Path("p"), 4, 0), {"progress": True})]


def test_verify(spy: Callable[..., Spy]):
    report = SimpleNamespace(
        **{"classes": {}, "sizes": {}, "patients": {}, "origins": {}, "n": 0, "faults": (), "notes": (), "sound": True}
    )
    scan = spy("btlib.data.sources.figshare.scan.scan", report)
    spy("btlib.data.sources.figshare.scan_output.patients_line", "no patients")
    result = run("data", "verify", "f", "--expect", 12)
    assert "0 valid samples (none), 0 faults" in result.stdout
    assert scan.calls == [((Path("f"), 12), {"progress": True})]


def test_migrate(spy: Callable[..., Spy]):
    """Each file is written in its place, with its own content."""
    saved: list[tuple[str, Path]] = []
    patients = {"a.json": None, "b.json": PatientFacts(source="files", n_test=5, seen=3)}

    def upgraded(path: Path, data: Path | None, progress: bool) -> Any:
        conditions = SimpleNamespace(patients=patients[path.name])
        return SimpleNamespace(save=lambda to: saved.append((path.name, to)), conditions=conditions, cases={"A": 1})

    migrate = spy("btlib.gate.migrate.migrate", upgraded)
    result = run("baseline", "migrate", "a.json", "b.json", "--data", "d")
    assert result.stdout == (
        "a.json: 1 cases\nb.json: 1 cases, 5 test patients, 3 test samples of patients in training\n"
    )
    assert saved == [("a.json", Path("a.json")), ("b.json", Path("b.json"))]
    assert [call[0][1] for call in migrate.calls] == [Path("d"), Path("d")]
    run("baseline", "migrate", "a.json")
    assert migrate.calls[-1] == ((Path("a.json"), None), {"progress": True})


def proposal(refusals: tuple[str, ...] = (), worse: tuple[str, ...] = ()) -> Any:
    new = SimpleNamespace(cases=dict.fromkeys("ABC"))
    return SimpleNamespace(refusals=refusals, worse=worse, cases=("A", "B"), new=new)


@pytest.mark.parametrize(
    ("made", "code"), [(proposal(), 0), (proposal(refusals=("dirty",)), 1), (proposal(worse=("A",)), 1)]
)
def test_a_proposal_that_could_not_be_accepted(
    spy: Callable[..., Spy], make_run: Make, make_table: Table, made: Any, code: int
):
    folder = make_run("one", A=make_table())
    look = spy("btlib.gate.acceptance.propose", made)
    spy("btlib.reporting.proposal.proposal_lines", lambda given: ["line 1", "line 2"] if given is made else [])
    margins = ["--margin", "dice=0.05", "--margin", "hd95=3"]
    result = run("baseline", "propose", folder, "--name", "mine", *margins, "--add", "--move-first", "A")
    assert (result.exit_code, result.stdout) == (code, "line 1\nline 2\n")
    assert look.calls == [
        ((folder, "mine", "proposed", {"dice": 0.05, "hd95": 3.0}, None), {"add": True, "move_first": ["A"]})
    ]
    run("baseline", "propose", folder, "--name", "mine")
    assert look.calls[1] == ((folder, "mine", "proposed", {}, None), {"add": False, "move_first": []})


@pytest.mark.parametrize("worse", [False, True])
def test_accepting(spy: Callable[..., Spy], make_run: Make, make_table: Table, worse: bool):
    """Against the baseline of that name, in the folder that was named."""
    folder, made = make_run("one", A=make_table()), proposal()
    look, write = spy("btlib.gate.acceptance.propose", made), spy("btlib.gate.acceptance.accept")
    spy("btlib.reporting.proposal.proposal_lines", ["line"])
    spy("btlib.gate.Baseline.load", lambda path: f"baseline {path.name}")
    Path("mine").mkdir()
    Path("mine/B.json").touch()
    more = ["--allow-worse"] if worse else []
    result = run("baseline", "accept", folder, "--name", "B", "--reason", "why", "--folder", "mine", *more)
    told = "line\nA, B accepted into mine/B.json (3 in total). Check the diff and commit it.\n"
    assert (result.exit_code, result.stdout) == (0, told)
    assert look.calls == [((folder, "B", "why", {}, "baseline B.json"), {"add": False, "move_first": []})]
    assert write.calls == [((made, Path("mine/B.json")), {"allow_worse": worse})]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *(("dice=0.999", 0), ("dice=1", 2), ("dice=0", 2), ("hd95=17", 0)),
        *(("brier=1.5", 0), ("brier=2", 2), ("auroc=0.1", 0), ("auroc=1", 2)),
    ],
)
def test_a_margin_lies_within_the_range_of_its_metric(
    spy: Callable[..., Spy], make_run: Make, make_table: Table, text: str, code: int
):
    look = spy("btlib.gate.acceptance.propose", proposal())
    spy("btlib.reporting.proposal.proposal_lines", [])
    folder = make_run("one", A=make_table())
    assert run("baseline", "propose", folder, "--name", "b", "--margin", text).exit_code == code
    assert len(look.calls) == (code == 0)


def test_compare_passes_its_options_on(spy: Callable[..., Spy]):
    """Strictness and independence for known and new cases alike."""
    sources = [SimpleNamespace(name=name) for name in ("before", "after")]
    load = spy("btlib.reporting.sources.load_sources", sources)
    hold, beside = spy("btlib.reporting.sources.hold", []), spy("btlib.reporting.sources.beside", [])
    spy("btlib.reporting.sources.left_out", [])
    spy("btlib.reporting.verdicts.verdict_table", "table")
    for options, how in (
        ([], {"options": GateOptions(), "independent": False}),
        (["--strict"], {"options": GateOptions(strict=True), "independent": False}),
        (["--independent"], {"options": GateOptions(), "independent": True}),
        (["--rescore"], {"options": GateOptions(rescore=True), "independent": False}),
        (["--alpha", "0.2"], {"options": GateOptions(alpha=0.2), "independent": False}),
    ):
        result = run("compare", "a", "b", "--folder", "f", "--name", "x", "--name", "y", *options)
        assert result.exit_code == 7, "there was nothing to judge"
        assert hold.calls[-1] == beside.calls[-1] == ((sources[1], sources[0]), how)
    assert load.calls[0] == ((["a", "b"], Path("f"), ["x", "y"]), {})


@pytest.mark.parametrize(
    ("status", "absent", "options", "code"),
    [
        *(("pass", [], ["--strict"], 0), ("pass", ["Y"], [], 0), ("pass", ["Y"], ["--strict"], 7)),
        *(("regressed", ["Y"], ["--strict"], 1), ("inconclusive", ["Y"], ["--strict"], 1)),
        *(("inconclusive", ["Y"], [], 0), ("error", [], [], 7)),
    ],
)
def test_what_falls_short_counts_more_than_what_is_absent(
    spy: Callable[..., Spy], status: Any, absent: list[str], options: list[str], code: int
):
    spy("btlib.reporting.sources.load_sources", [SimpleNamespace(name=name) for name in ("before", "after")])
    spy("btlib.reporting.sources.hold", [Verdict("X", "dice", status)])
    spy("btlib.reporting.sources.beside", [])
    spy("btlib.reporting.sources.left_out", absent)
    result = run("compare", "a", "b", *options)
    assert result.exit_code == code
    assert ("not in after: Y" in result.stdout) == bool(absent)


@pytest.fixture
def study(spy: Callable[..., Spy], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `btlib explain` works with, and what it asks of it."""
    asked: dict[str, Any] = {}
    explained = SimpleNamespace(task=FIGSHARE, summary="the summary", sanity=None)

    class Study:
        case, dataset, split, sure = "A", "the dataset", "the split", "the sure"

        def with_settings(self, *how: Any) -> "Study":
            asked["settings"] = how
            return self

        def run(self, at: Any, folder: RunStore, *, sanity: int) -> Any:
            asked["run"] = (at, folder.path, sanity)
            return explained, "the maps"

    def find(case: str, where: Any) -> Study:
        asked["find"] = (case, where)
        return Study()

    def remember(name: str, result: Any) -> Callable[..., Any]:
        def function(*args: Any) -> Any:
            asked[name] = args
            return result

        return function

    monkeypatch.setattr("btlib.explain.find.find", find)
    monkeypatch.setattr("btlib.explain.select.select", remember("select", np.array([3])))
    monkeypatch.setattr("btlib.reporting.explanation.draw", remember("draw", None))
    monkeypatch.setattr("btlib.explain.table.tables", remember("tables", "the tables"))
    asked["explained"] = explained
    return asked


def test_explain(study: dict[str, Any], tmp_path: Path):
    options = [
        "--samples",
        "worst 2",
        "--patch",
        9,
        "--stride",
        3,
        "--fill",
        "blur",
        "--sanity",
        5,
        "--engine",
        "eager",
    ]
    options += ["--precision", "bf16", "--checkpoint", "x.ckpt", "--data", "d", "--split", "s", "--out", "o"]
    result = run("explain", "F", *options, "--checkpoints", "c")
    assert result.exit_code == 0, result.output
    case, where = study["find"]
    assert (case, where.data, where.split, where.checkpoints) == ("F", Path("d"), "s", Path("c"))
    assert (where.checkpoint, where.engine, where.precision) == (Path("x.ckpt"), "eager", "bf16")
    assert study["settings"] == (9, 3, "blur")
    assert study["select"] == ("worst 2", "the dataset", "the split", "the sure")
    at, folder, sanity = study["run"]
    assert (at.tolist(), folder, sanity) == ([3], Path("o"), 5)
    assert study["draw"] == (study["explained"], "the maps", "the dataset", Path("o/explain/A.svg"))
    assert study["tables"] == ("the summary",)
    assert result.stdout == "\nthe tables\n\n" + "".join(f"o/explain/A.{s}\n" for s in ("json", "csv", "npz", "svg"))


def test_explain_without_options(study: dict[str, Any]):
    study["explained"].task = PHANTOM
    assert run("explain", "F").stdout.startswith("PHANTOM DATA")
    _, where = study["find"]
    assert (where.data, where.split, where.checkpoints) == (None, None, Path("checkpoints"))
    assert (where.checkpoint, where.engine, where.precision) == (None, None, None)
    assert study["settings"] == (None, None, "zero")
    assert study["select"][0] == "3 per class"
    assert study["run"][1:] == (Path("reports"), 0)


def test_export(spy: Callable[..., Spy], monkeypatch: pytest.MonkeyPatch, make_dataset: Callable[..., Any]):
    """The stored model, on test samples of the size and scaling that it was trained on."""
    pytest.importorskip("torch")
    from btlib.adapters.outputs import NAMED

    ingredients = {"image_size": 16, "scaling": "percentile", "recipe": {"name": "modern"}}
    manifest = {"ingredients": ingredients, "created": "yesterday"}
    stored = SimpleNamespace(manifest=manifest, path="E.ckpt", model="the model", task=PHANTOM)
    slices = make_dataset(40, 16)
    load = spy("btlib.thesis.checkpoints.load_stored", stored)
    find = spy("btlib.thesis.checkpoints.find_stored", Path("found"))
    data = spy("btlib.data.load_dataset", slices)
    phantoms = spy("btlib.data.phantom_folder", Path("phantoms"))
    predictor = spy("btlib.adapters.torch.TorchPredictor", "the predictor")
    parity = SimpleNamespace(samples=8, probabilities=1e-6, dice=2e-5)
    write = spy("btlib.adapters.export.export_onnx", parity)
    result = run("export", "E", "e.onnx", "--checkpoint", "x.ckpt", "--data", "d")
    assert result.stdout == (
        "E.ckpt: trained yesterday, recipe modern\n"
        "e.onnx: on 8 phantom samples of 16 px probabilities differ by at most 1.0e-06, "
        "Dice of a sample by at most 2.0e-05\n"
    )
    assert load.calls == [((Path("x.ckpt"), "E"), {})]
    assert data.calls == [((Path("d"), 16, "percentile"), {})]
    assert (predictor.calls, phantoms.calls, find.calls) == ([(("the model", "cpu"), {"outputs": NAMED})], [], [])
    from btlib.splits import make_split

    test = make_split("slice-seed42", slices).test[:8]
    ((given, out, images, masks), _) = write.calls[0]
    assert (given, out) == ("the predictor", Path("e.onnx"))
    assert np.array_equal(images, slices.images[test])
    assert np.array_equal(masks, slices.masks[test])
    parity.dice = None
    result = run("export", "E", "e.onnx", "--checkpoints", "c")
    assert result.stdout.endswith("at most 1.0e-06\n")
    assert load.calls[1] == ((Path("found"), "E"), {})
    assert find.calls == [((Path("c"), "E"), {})]
    assert data.calls[1][0][0] == Path("phantoms")


def test_report(spy: Callable[..., Spy], make_run: Make, make_table: Table):
    one, two = make_run("one", A=make_table()), make_run("two", A=make_table())
    alone, page = spy("btlib.reporting.html.write_report", "a"), spy("btlib.reporting.html.write_page", "p")
    assert run("report", one, "--folder", "f", "--name", "title").stdout == "a\n"
    assert run("report", one).stdout == "a\n"
    assert alone.calls == [((one, Path("f"), "title"), {}), ((one, Path("baselines")), {})]
    assert run("report", one, "--output", "x.html", "--folder", "f").stdout == "p\n"
    run("report", one, two, "--name", "a", "--name", "b")
    assert page.calls == [
        (([one], Path("x.html"), Path("f"), []), {}),
        (([one, two], one / "with-two.html", Path("baselines"), ["a", "b"]), {}),
    ]


@pytest.mark.parametrize(("length", "name"), [(99, "with-{0}-{1}.html"), (100, "with-2-others.html")])
def test_a_page_of_many_names_is_called_by_their_number(
    spy: Callable[..., Spy], make_run: Make, make_table: Table, length: int, name: str
):
    page = spy("btlib.reporting.html.write_page", "p")
    names = ["one", "x" * length, "y" * (length + 1)]
    runs = [make_run(each, A=make_table()) for each in names]
    run("report", *runs)
    assert page.calls[0][0][1] == runs[0] / name.format(*names[1:])


def test_leakage_for_markdown(make_run: Make, make_table: Table, conditions: Conditions):
    shared, none = (PatientFacts(source="files", n_test=60, seen=seen) for seen in (59, 0))
    near = make_run("near", conditions.model_copy(update={"patients": shared}), X=make_table())
    other = conditions.model_copy(update={"split_name": "patient-5fold-1", "patients": none})
    apart = make_run("apart", other, X=make_table(wrong=30))
    plain, markdown = (run("leakage", near, apart, *more).stdout for more in ([], ["--markdown"]))
    assert "| X " not in plain
    assert "| X      | accuracy | 1.0000" in markdown
    assert plain.index("near: split slice-seed42") < plain.index("apart: split patient-5fold-1")


def test_every_source_with_pairs_is_tested(make_run: Make, make_table: Table):
    """Not the first alone; one without pairs is passed over."""
    single = make_run("single", A=make_table(6))
    two = make_run("two", A=make_table(6), B=make_table(6, wrong=3))
    for sources in ((single, two), (two, single)):
        told = run("show", *sources, "--pairs", "--name", *("first", "--name", "second")).stdout
        assert told.count("B − A") == 2
    assert "B − A" not in run("show", two).stdout
    markdown = run("show", two, "--pairs", "--markdown").stdout
    assert "| B − A " in markdown
    assert "A case with one seed is a single training run" in markdown


def test_conditions_of_every_source(make_run: Make, make_table: Table, conditions: Conditions):
    one = make_run("one", A=make_table())
    two = make_run("two", conditions.model_copy(update={"image_size": 64}), A=make_table())
    lines = run("show", one, two, "--name", "first", "--name", "second").stdout.splitlines()
    assert [line.partition(":")[0] for line in lines if "test samples" in line] == ["first", "second"]


def test_errors_go_to_stderr_and_end_with_two(spy: Callable[..., Spy], make_run: Make, make_table: Table):
    def disk_full(*args: Any) -> None:
        raise OSError("disk full")

    folder = make_run("one", A=make_table())
    spy("btlib.reporting.html.write_report", disk_full)
    result = run("report", folder)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "Error: disk full\n"


def test_a_file_that_is_no_text(tmp_path: Path):
    (tmp_path / "x.md").write_bytes(b"\xff\xfe\xff")
    for name in ("x.md", "nowhere.md"):
        result = run("results", tmp_path / name)
        assert result.exit_code == 2
        assert f"{name}: cannot be read" in result.stderr
