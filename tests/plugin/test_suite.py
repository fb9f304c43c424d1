"""The suite end to end, as a user runs it: items, verdicts, records, what is printed and how it exits."""

import csv
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from btlib import Baseline
from btlib.evaluation.aggregate import per_sample
from btlib.gate.acceptance import propose
from btlib.gate.verdict import COULD_NOT_JUDGE
from btlib.paths import shipped_baselines
from btlib.runs import RunStore
from btlib.sample_table import SampleTable

from ..spreads import with_spread
from .conftest import IMPORTED_BEFORE, INSTANT

Run = Callable[..., pytest.RunResult]
Latest = Callable[[], Path]
Edit = Callable[..., None]

beside_a_reference = pytest.mark.skipif(find_spec("torch") is None, reason="it is timed on a device of PyTorch")
"""PyTorch itself is not imported here: pytester would forget it, and it cannot be imported twice."""

THESIS_PATH = """
from btlib.thesis.speed_reference import ThesisReference

def REFERENCE(recipe, threads):
    return ThesisReference("D", "tiny", threads)
"""
"""The real thing, which takes half a minute of a slow machine to start."""


@beside_a_reference
@pytest.mark.parametrize(
    ("reference", "name"),
    [
        pytest.param(INSTANT, "instant reference", id="quick"),
        pytest.param(THESIS_PATH, "thesis path of D", id="real", marks=pytest.mark.nightly),
    ],
)
def test_a_run_that_holds_up(
    accepted: Run, latest: Latest, pytester: pytest.Pytester, edit_conftest: Edit, reference: str, name: str
):
    short = "\nfrom btlib.runs.measuring import meter\nmeter._TURNS = 2, 2\n"  # for no longer than it must
    edit_conftest("REFERENCE = None\n", reference, short)
    result = accepted("--benchmark-json=bench.json", pictures=True)
    result.assert_outcomes(passed=12, deselected=result.parseoutcomes()["deselected"])
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "btlib smoke: 40 PHANTOM samples (synthetic), 32 px, thesis scaling; split slice-seed42: "
            "29 train, 3 validation, 8 test; * simulated patients, 8 of 8 test samples from patients in training",
            "  compared with baseline *smoke.json; records in *reports*-smoke",
            "*btlib smoke compared with smoke*",
            "PHANTOM DATA: synthetic samples*",
            "toy1 a toy*pass*1.0000*given",
            "toy2 a toy*pass*1.0000*given",
            "comparison:   *comparison.md",
            "significance: *significance.md",
            "speed:        *speed.md",
            "Noise floor: the reference, compared with itself, is * times as fast*",
            "report:       *index.html",
            "time:         *s: data *measuring speed * %, harness * %",
        ]
    )
    folder = latest()
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix != ".lock" and path.is_file()}
    figures = {f"figures/{path.name}" for path in (folder / "figures").iterdir()}
    assert {"figures/difference-dice.svg", "figures/confusion-toy1.svg", "figures/speed-accuracy.svg"} <= figures
    assert names - figures == {
        *("index.html", "report.json", "per_sample.csv", "summary.md", "pictures.npz"),
        "run.json",
        "split.json",
        "judgement.json",
        "comparison.md",
        "comparison.csv",
        "comparison.json",
        "significance.md",
        "significance.csv",
        "significance.json",
        "significance.svg",
        "speed.md",
        "speed.csv",
        *(f"records/toy{k}-seed42.json" for k in (1, 2)),
        *(f"predictions/toy{k}-seed42.npz" for k in (1, 2)),
        *(f"explain/toy{k}.{suffix}" for k in (1, 2) for suffix in ("json", "npz", "csv")),
    }
    explained = RunStore(folder).explained()["toy1"]
    assert sorted(row.label for row in explained.samples) == [0, 1, 2]
    assert {row.part for row in explained.samples} == {"test"}
    assert (explained.image_size, explained.patch, explained.stride) == (32, 5, 2)
    speeds = RunStore(folder).speeds()["toy1"]
    assert set(speeds.figures) == {"inference, batch 1", "inference, batch 16", "training step, batch 16"}
    for timing in speeds.figures.values():
        assert timing.images_per_second > 0
        assert len(timing.seconds) == len(timing.reference_seconds) >= 4
        assert timing.reference == name
        assert timing.speedup is not None
    noise = RunStore(folder).noise()
    assert noise is not None
    assert len(noise.seconds) == len(noise.reference_seconds) >= 4
    bench = json.loads((pytester.path / "bench.json").read_text())["benchmarks"]
    shown = {(one["extra_info"]["case"], one["group"]): one["stats"]["data"] for one in bench}
    assert shown == {
        (case, f"smoke: {figure}"): timing.seconds
        for case, speed in RunStore(folder).speeds().items()
        for figure, timing in speed.figures.items()
    }, "pytest-benchmark has the very seconds of the records"
    with (folder / "comparison.csv").open() as file:
        assert [(row["case"], row["status"]) for row in csv.DictReader(file)] == [("toy1", "pass"), ("toy2", "pass")]
    assert (pytester.path / "prepared.txt").read_text().split() == ["toy1", "toy2"]  # once, however many items


def test_a_regression_fails_its_own_items_and_no_others(accepted: Run, latest: Latest):
    result = accepted("--benchmark-disable", toy1="bad")
    result.assert_outcomes(passed=10, failed=2, deselected=result.parseoutcomes()["deselected"])
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "case toy1, dice: REGRESSED",
            "  measured   0.0000",
            "  baseline   1.0000, margin 0.05",
            "  difference -1.0000, 95 % *-1.0056, -0.9944* (paired by patient, over trainings)",
            f"  record     *{latest().name}/records/toy1-seed42.json",
            "toy1 a toy*regressed*0.0000*",
            "toy2 a toy*pass*",
        ]
    )


@beside_a_reference
@pytest.mark.nightly
def test_a_case_that_became_slow_fails_its_speed_and_not_its_quality(
    accepted: Run, latest: Latest, pytester: pytest.Pytester, edit_conftest: Edit
):
    edit_conftest("REFERENCE = None\n", INSTANT)  # whose null run is quiet: on a busy machine the gate would not judge
    select = "toy1 and (inference or quality)"
    assert accepted(select=select).ret == 0
    margins = {"dice": 0.05, "accuracy": 0.05}
    new = with_spread(propose(latest(), "smoke", "for a test", margins).new)
    far = {"ratio": 1e4, "low": 1e4, "high": 1e4}  # so that no stutter of this machine reaches it
    speed = {figure: throughput.model_copy(update=far) for figure, throughput in new.cases["toy1"].speed.items()}
    toys = new.cases | {"toy1": new.cases["toy1"].model_copy(update={"speed": speed})}
    new.model_copy(update={"cases": toys}).save(pytester.path / "baselines" / "smoke.json")
    result = accepted(toy1="slow", select=select)
    result.assert_outcomes(passed=2, failed=2, deselected=result.parseoutcomes()["deselected"])
    assert result.ret == 1
    result.stdout.fnmatch_lines(["case toy1, inference, batch 1: SLOWER", "* times as fast as the reference *"])


@pytest.mark.parametrize(
    "args",
    [
        pytest.param((), id="alone"),
        pytest.param(("-n", "2"), id="two workers", marks=pytest.mark.nightly),
        pytest.param(("--reruns", "1"), id="reruns", marks=pytest.mark.nightly),
    ],
)
def test_the_error_of_a_case_is_printed_once(accepted: Run, args: tuple[str, ...]):
    result = accepted("--benchmark-disable", "-k", "toy1", "-rA", *args, select=None, toy1="raise")
    outcomes = result.parseoutcomes()
    assert outcomes["failed"] == 6
    shown = result.stdout.str()
    assert shown.count("RuntimeError: out of luck") == 1
    assert shown.count("case toy1 (smoke): its error is shown at benchmarks/test_") >= 5


@pytest.mark.parametrize(
    ("mood", "told", "outcome"),
    [
        ("raise", "RuntimeError: out of luck", "error"),
        ("skip", "Skipped: not today", "error"),
        pytest.param("nan", "case toy1: mask_prob: * values are not finite", "error", marks=pytest.mark.nightly),
        pytest.param("memory", "MemoryError", "out-of-memory", marks=pytest.mark.nightly),
        ("sleep", "took longer than 3 s", "timeout"),
    ],
)
def test_a_case_that_breaks_leaves_the_others_running(
    accepted: Run, latest: Latest, mood: str, told: str, outcome: str
):
    result = accepted("--benchmark-disable", "--bt-timeout=3", toy1=mood)
    result.stdout.fnmatch_lines([f"*{told}*", f"toy1 a toy*{outcome}*", "toy2 a toy*pass*"])
    assert result.ret == COULD_NOT_JUDGE
    records = {record.case: record for record in RunStore(latest()).records()}
    assert records["toy1"].outcome == outcome
    assert records["toy2"].outcome == "done"
    outcomes = result.parseoutcomes()
    assert (outcomes["passed"], outcomes["failed"]) == (6, 6)


def test_inconclusive_warns_and_strict_fails(accepted: Run):
    result = accepted("--benchmark-disable", toy1="one wrong")
    result.stdout.fnmatch_lines(["*BtlibWarning: case toy1, accuracy: INCONCLUSIVE*", "toy1 a toy*inconclusive*"])
    assert result.ret == 0
    strict = accepted("--benchmark-disable", "--bt-strict", toy1="one wrong")
    assert strict.ret == 1
    strict.stdout.fnmatch_lines(["case toy1, accuracy: INCONCLUSIVE"])


@pytest.mark.parametrize("by", ["-W", "ini"])
def test_an_inconclusive_verdict_is_a_warning_where_warnings_are_errors(
    accepted: Run, pytester: pytest.Pytester, by: str
):
    if by == "ini":
        with (pytester.path / "tox.ini").open("a") as file:
            file.write("\nfilterwarnings = error\n")
    asked = (*(("-W", "error") if by == "-W" else ()), *IMPORTED_BEFORE)
    result = accepted("--benchmark-disable", "-m", "smoke", *asked, toy1="one wrong")
    result.stdout.fnmatch_lines(["*BtlibWarning: case toy1, accuracy: INCONCLUSIVE*", "toy1 a toy*inconclusive*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert result.ret == 0
    assert "failed" not in result.parseoutcomes()
    silent = accepted("--benchmark-disable", *asked, "-W", "ignore::btlib.errors.BtlibWarning", toy1="one wrong")
    silent.stdout.no_fnmatch_line("*BtlibWarning*")
    assert silent.ret == 0


def test_better_than_the_baseline_is_improved(accepted: Run, pytester: pytest.Pytester):
    """The baseline is spoilt, for nothing is better than the truth."""
    path = pytester.path / "baselines" / "smoke.json"
    baseline = Baseline.load(path)
    case = baseline.cases["toy1"]
    table = case.runs[0].samples
    columns = table.columns | {"tumour/intersection": [0] * table.n}
    spoilt = SampleTable(**table.model_dump(exclude={"columns"}), columns=columns)
    runs = [case.runs[0].model_copy(update={"samples": spoilt})]
    figures = [f.model_copy(update={"value": 0.0}) if f.metric == "dice" else f for f in case.figures]
    worse = case.model_copy(update={"runs": runs, "figures": figures})
    baseline.model_copy(update={"cases": baseline.cases | {"toy1": worse}}).save(path)
    result = accepted("--benchmark-disable")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["toy1 a toy*pass*"])  # the worst of two: accuracy only holds
    assert '"status": "improved"' in (max((pytester.path / "reports").iterdir()) / "comparison.json").read_text()


def test_a_regression_outweighs_what_could_not_be_judged(accepted: Run):
    assert accepted("--benchmark-disable", toy1="bad", toy2="raise").ret == 1


def test_strict_wants_every_case_of_the_baseline(accepted: Run, pytester: pytest.Pytester):
    prepared = pytester.path / "prepared.txt"
    result = accepted("--bt-strict", select="toy1")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--bt-strict: baseline 'smoke' has cases that are not in this run: toy2*"])
    assert not prepared.exists()
    assert accepted("--benchmark-disable", select="toy1").ret == 0


def test_strict_notices_a_case_that_was_never_run(accepted: Run, pytester: pytest.Pytester):
    """As when a worker dies: all that ran passed, and yet a case has no record."""
    with (pytester.path / "conftest.py").open("a") as conftest:
        conftest.write("\ndef pytest_runtest_setup(item):\n    if 'toy2' in item.name: pytest.skip('never run')\n")
    result = accepted("--benchmark-disable", "--bt-strict")
    assert result.ret == COULD_NOT_JUDGE
    result.stdout.fnmatch_lines(["not measured: toy2"])
    assert result.parseoutcomes().keys().isdisjoint({"failed", "errors"}), "for no other reason"


@pytest.mark.nightly
def test_several_seeds(accepted: Run, latest: Latest, pytester: pytest.Pytester):
    result = accepted("--benchmark-disable", "--bt-seeds=3")
    assert result.ret == 0
    assert {(r.case, r.seed) for r in RunStore(latest()).records()} == {
        (case, seed) for case in ("toy1", "toy2") for seed in (42, 43, 44)
    }
    assert (pytester.path / "prepared.txt").read_text().split() == ["toy1"] * 3 + ["toy2"] * 3


@pytest.mark.nightly
def test_a_margin_of_the_baseline_alone_makes_an_item(accepted: Run, latest: Latest, pytester: pytest.Pytester):
    from btlib.gate.acceptance import propose

    accepted("--benchmark-disable")
    propose(latest(), "smoke", "HD95 too", {"hd95": 1.0}).new.save(pytester.path / "baselines" / "smoke.json")
    result = accepted("--benchmark-disable", "-v", toy1="bad")
    result.stdout.fnmatch_lines(["*test_quality?smoke-toy1-hd95? FAILED*", "*test_quality?smoke-toy2-hd95? PASSED*"])


def test_without_a_baseline_of_its_own_a_project_is_compared_with_the_shipped_one(project: Run, latest: Latest):
    result = project("--benchmark-disable")
    assert result.ret == COULD_NOT_JUDGE
    shipped = Baseline.load(shipped_baselines() / "smoke.json")
    dice = {name: figure.value for name in shipped.cases if (figure := shipped.figure(name, "dice"))}
    best = max(dice, key=dice.__getitem__)
    result.stdout.fnmatch_lines(
        [f"case toy1, dice compared with {best}: NOT-COMPARABLE", f"A segmentation only*reference*{dice['A']:.4f}*"]
    )
    assert Path(RunStore(latest()).info().baseline) == shipped_baselines() / "smoke.json"


def test_other_slices_are_not_comparable(accepted: Run):
    result = accepted("--benchmark-disable", "--bt-limit=30")
    assert result.ret == COULD_NOT_JUDGE
    result.stdout.fnmatch_lines(["case toy1, dice: NOT-COMPARABLE", "*n_test: measured 6, baseline 8*"])


def test_a_damaged_baseline_fails(accepted: Run, pytester: pytest.Pytester):
    path = pytester.path / "baselines" / "smoke.json"
    path.write_text(path.read_text().replace("btlib-baseline/2", "btlib-baseline/7"))
    result = accepted("--benchmark-disable")
    assert result.ret == COULD_NOT_JUDGE
    result.stdout.fnmatch_lines(["*smoke.json: does not follow btlib-baseline/2: schema*"])


def test_a_threshold_of_a_models_own_is_used_and_recorded(accepted: Run, latest: Latest, pytester: pytest.Pytester):
    text = (pytester.path / "conftest.py").read_text()
    (pytester.path / "conftest.py").write_text(
        text.replace('Prepared(predictor, "given",', 'Prepared(predictor, "given", threshold=1.0,')
    )
    result = accepted("--benchmark-disable", select="toy1 and quality")
    assert result.ret == 1, "no probability is greater than 1, so every mask is empty"
    record = RunStore(latest()).records()[0]
    assert record.model is not None
    assert record.model.details["threshold"] == 1.0
    assert record.samples is not None
    assert per_sample(record.samples, "dice").max() < 0.01


def test_random_labels_are_no_baselines_slices(accepted: Run, latest: Latest):
    result = accepted("--benchmark-disable", "--bt-random-labels", select="toy1 and quality")
    assert result.ret == COULD_NOT_JUDGE
    result.stdout.fnmatch_lines(["*PHANTOM samples (synthetic) WITH RANDOM LABELS*", "*truth_fingerprint*"])
    table = RunStore(latest()).records()[0].samples
    assert table is not None
    assert table.correct().mean() == 1, "the toys know these labels too: they are what is trained and tested on"


@pytest.mark.nightly
def test_planted_faults_are_called(accepted: Run):
    """Only where controls are asked for. A fault that changes nothing, as fewer epochs of a toy, is no success."""
    planted = "toy1 and planted and ("
    result = accepted("-m", "controls and smoke", "-s", select=f"{planted}none or shifted)")
    result.assert_outcomes(passed=2, deselected=result.parseoutcomes()["deselected"])
    result.stdout.fnmatch_lines(["toy1, none: dice pass*", "toy1, mask shifted by 4 px: dice regressed -*"])
    result = accepted("-m", "controls and smoke", select=f"{planted}half or threshold)")
    assert result.parseoutcomes()["failed"] == 2
    result.stdout.fnmatch_lines(["*the gate did not detect the fault: half the epochs*"])
    assert "planted" not in "\n".join(accepted("--collect-only", "-q", "-m", "smoke").outlines)


def test_all_items_of_a_case_stand_together(accepted: Run):
    lines = accepted("--collect-only", "-q").outlines
    cases = [line.partition("[")[2][:10] for line in lines if "[smoke-" in line]
    assert cases == ["smoke-toy1"] * 6 + ["smoke-toy2"] * 6
    assert not any("btlib smoke:" in line for line in lines)  # collecting opens no data


def test_junit_tells_the_verdict(accepted: Run, pytester: pytest.Pytester):
    from xml.etree import ElementTree

    accepted("--benchmark-disable", "--junitxml=out.xml", toy1="bad")
    suite = ElementTree.parse(pytester.path / "out.xml").getroot()[0]
    failed = {case.get("name"): case.find("failure") for case in suite if case.find("failure") is not None}
    assert set(failed) == {"test_quality[smoke-toy1-dice]", "test_quality[smoke-toy1-accuracy]"}
    assert "REGRESSED" in failed["test_quality[smoke-toy1-dice]"].text
    told = {case.get("name"): {p.get("name"): p.get("value") for p in case.iter("property")} for case in suite}
    bad, good = told["test_quality[smoke-toy1-dice]"], told["test_quality[smoke-toy2-accuracy]"]
    assert (bad["case"], bad["metric"], bad["status"]) == ("toy1", "dice", "regressed")
    assert float(bad["measured"]) < 0.01
    assert float(bad["low"]) <= float(bad["measured"]) - float(bad["baseline"]) <= float(bad["high"])
    assert (good["case"], good["status"], float(good["measured"])) == ("toy2", "pass", 1.0)


def test_a_run_ends_with_its_page_and_pictures_of_its_slices(accepted: Run, latest: Latest):
    result = accepted("--benchmark-disable", pictures=True, toy1="bad")
    result.stdout.fnmatch_lines([f"report: *{latest() / 'index.html'}"])
    page = (latest() / "index.html").read_text()
    assert "data:image/jpeg;base64," in page
    assert 'data-kinds="worst changed"' in page


def test_workers_share_one_run(accepted: Run, latest: Latest, pytester: pytest.Pytester):
    result = accepted("-n", "2", "--benchmark-disable")
    assert result.ret == 0
    assert len(list((pytester.path / "reports").iterdir())) == 1
    result.stdout.fnmatch_lines(["toy1 a toy*pass*", "toy2 a toy*pass*"])
    assert (latest() / "comparison.md").exists()


def test_a_run_cut_short_leaves_what_it_finished(accepted: Run, latest: Latest):
    result = accepted("--benchmark-disable", "-x", toy1="bad")
    assert result.ret == 1
    folder = latest()
    assert [record.case for record in RunStore(folder).records()] == ["toy1"]
    assert (folder / "comparison.md").exists()
