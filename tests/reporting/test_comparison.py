"""The comparison of a run: every case in it, in three formats that say the same."""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from btlib import Baseline
from btlib.data.sources.tasks import PHANTOM
from btlib.errors import BaselineError
from btlib.evaluation.aggregate import per_sample
from btlib.gate.loading import NotComparedError
from btlib.reporting import Comparison, table, write_comparison
from btlib.runs import CaseRecord, RunInfo, Speed, Timing
from btlib.sample_table import SampleTable

from .cells import rows
from .judged import judged
from .tables import with_boundary, with_measures

Table = Callable[..., SampleTable]
Make = Callable[..., CaseRecord]


@pytest.fixture
def comparison(make_table: Table, info: RunInfo, record: Make, baseline_of: Callable[..., Baseline]) -> Comparison:
    """A case that passes, one that regressed, one that crashed, one new to the baseline, one left out."""
    good = make_table()
    records = [
        record("good", good),
        record("bad", make_table(wrong=20)),
        record("crash", None, "out of luck"),
        record("new", good),
    ]
    timing = Timing(images=16, seconds=[0.1, 0.1], reference_seconds=[1.0, 1.0])
    speeds = {"good": Speed(case="good", figures={"inference, batch 16": timing})}
    wanted = info.model_copy(update={"cases": ["good", "bad", "crash", "new", "lost"]})
    return judged(wanted, records, speeds, baseline_of(good, "good", "bad", "crash"))


def test_every_case_has_a_row_with_its_worst_verdict(comparison: Comparison):
    assert {row.case: row.status for row in comparison.rows} == {
        "good": "pass",
        "bad": "regressed",
        "crash": "error",
        "new": "pass",
    }


def test_the_three_formats_say_the_same(comparison: Comparison, tmp_path: Path):
    path = write_comparison(comparison, tmp_path)
    text = path.read_text()
    frame = pd.read_csv(tmp_path / "comparison.csv").set_index("case")
    value = json.loads((tmp_path / "comparison.json").read_text())
    by_case = {row["case"]: row for row in value["cases"]}
    for row in comparison.rows:
        assert frame.loc[row.case, "status"] == row.status == by_case[row.case]["status"]
        assert f"| {row.case} case {row.case} " in text
    accuracy = {row.case: row for row in comparison.rows}["bad"].values["accuracy"]
    assert accuracy == pytest.approx(2 / 3)
    assert frame.loc["bad", "accuracy"] == pytest.approx(accuracy)
    assert frame.loc["bad", "accuracy_difference"] == pytest.approx(-1 / 3)
    assert by_case["bad"]["verdicts"][1]["status"] == "regressed"
    assert "0.6667" in text
    assert "160.0 (10.0×)" in text
    assert frame.loc["good", "inference, batch 16 [img/s]"] == pytest.approx(160)
    assert frame.loc["good", "inference, batch 16 [x reference]"] == pytest.approx(10)
    assert by_case["good"]["speeds"]["inference, batch 16"]["ratio"] == pytest.approx(10)


def test_phantom_numbers_say_so(comparison: Comparison, tmp_path: Path):
    assert "**PHANTOM DATA" in write_comparison(comparison, tmp_path).read_text()
    assert json.loads((tmp_path / "comparison.json").read_text())["run"]["task"] == PHANTOM.model_dump(mode="json")


def test_reasons_and_notes_are_told(comparison: Comparison, tmp_path: Path):
    text = write_comparison(comparison, tmp_path).read_text()
    assert "**crash dice (error), crash accuracy (error)**: out of luck" in text
    assert "**good**: from scratch" in text


def test_the_terminal_shows_every_case(comparison: Comparison):
    text = table(comparison)
    assert "inference\nbatch 16" not in text  # headers are broken over lines, not printed with a backslash
    assert [line.split()[0] for line in text.splitlines() if " case " in line] == ["bad", "crash", "good", "new"]
    assert max(map(len, text.splitlines())) <= 160


def test_an_unreadable_baseline_is_a_verdict(make_table: Table, info: RunInfo, record: Make):
    found = judged(info, [record("good", make_table())], {}, BaselineError("no such file", where="b.json"))
    assert found.rows[0].status == "missing-baseline"
    assert "b.json: no such file" in found.rows[0].verdicts[0].reason


def test_what_was_left_out_is_told(comparison: Comparison, tmp_path: Path):
    assert comparison.missing == ("lost",)
    assert "**lost**: was selected for this run but has no record" in write_comparison(comparison, tmp_path).read_text()


def test_seeds_of_a_case_are_one_row(make_table: Table, info: RunInfo, record: Make, baseline_of: Callable):
    tables = [make_table(wrong=wrong) for wrong in (0, 6)]
    records = [record("good", one, seed=seed) for seed, one in enumerate(tables)]
    (row,) = judged(info, records, {}, baseline_of(make_table(), "good")).rows
    assert (row.seeds, row.seconds, row.source) == ((0, 1), 3.0, "loaded")
    assert row.values["accuracy"] == pytest.approx(0.95)
    assert row.values["macro_f1"] == pytest.approx(sum(_macro_f1(one) for one in tables) / 2)


def _macro_f1(table: SampleTable) -> float:
    from sklearn.metrics import f1_score

    return f1_score(table.label, table.predicted(), average="macro")


def test_seeds_on_different_slices_are_an_error(make_table: Table, info: RunInfo, record: Make, baseline_of: Callable):
    records = [record("good", make_table()), record("good", make_table(30), seed=2)]
    (row,) = judged(info, records, {}, baseline_of(make_table(), "good")).rows
    assert row.status == "error"
    assert "seeds 1 and 2 were measured on different samples" in row.verdicts[0].reason


def speed_of(case: str, **images_per_second: float) -> Speed:
    """One second a call, so that images are images/s."""
    figures = {
        name.replace("_", " ").replace(" b", ", b"): Timing(images=int(images), seconds=[1.0])
        for name, images in images_per_second.items()
    }
    return Speed(case=case, figures=figures)


def test_a_row_is_of_all_seeds_in_the_order_of_their_numbers(make_table: Table, info: RunInfo, record: Make):
    """Seed 9 comes before seed 10; memory is the largest, time the sum, sources and notes stand once each."""

    def of(seed: int, source: str, memory: float | None, *notes: str) -> CaseRecord:
        one = record("Y", make_table(wrong=seed), seed=seed)
        assert one.model is not None
        model = one.model.model_copy(update={"source": source, "notes": list(notes)})
        return one.model_copy(update={"model": model, "peak_memory_mib": memory, "seconds": float(seed)})

    records = [
        of(10, "loaded", 300.0, "b", "a"),
        of(9, "trained", 500.0, "a"),
        of(11, "loaded", None, "c"),
        record("X", make_table()),
    ]
    speeds = {"Y": speed_of("Y", inference_batch_1=7), "other": speed_of("other", inference_batch_1=9)}
    one, other = judged(info, records, speeds, BaselineError("none")).rows
    assert (one.case, other.case) == ("X", "Y")
    assert (other.seeds, other.seconds, other.peak_memory_mib) == ((9, 10, 11), 30.0, 500.0)
    assert (other.source, other.notes) == ("trained, loaded", ("a", "b", "c"))
    assert {name: throughput.images_per_second for name, throughput in other.speeds.items()} == {
        "inference, batch 1": 7.0
    }
    assert (one.speeds, one.peak_memory_mib) == ({}, None)
    assert other.values["accuracy"] == pytest.approx(1 - 10 / 60)


def test_a_case_without_a_model_has_a_dash(info: RunInfo, record: Make):
    (row,) = judged(info, [record("X", None, "out of luck")], {}, BaselineError("none")).rows
    assert (row.source, row.notes, row.status) == ("–", (), "error")
    assert set(row.values.values()) == {None}


def test_failures_and_undefined_values_without_a_comparison(make_table: Table, info: RunInfo, record: Make):
    """`--bt-baseline none`: numbers are measured, what has none is an error, and a failure is no missing baseline."""
    masks = record("masks", make_table(classes=False)).model_copy(update={"metrics": {"dice": 1, "accuracy": 1}})
    records = [record("whole", make_table()), record("crash", None, "out of luck"), masks]
    found = {row.case: row for row in judged(info, records, {}, NotComparedError("asked for")).rows}
    assert [v.status for v in found["whole"].verdicts] == ["measured", "measured"]
    assert [v.measured for v in found["whole"].verdicts] == pytest.approx(
        [per_sample(make_table(), "dice").mean(), 1.0]
    )
    assert [(v.metric, v.status) for v in found["masks"].verdicts] == [("dice", "measured"), ("accuracy", "error")]
    for baseline in (NotComparedError("asked for"), BaselineError("no such file")):
        crash = {row.case: row for row in judged(info, records, {}, baseline).rows}["crash"]
        assert [(v.status, v.reason) for v in crash.verdicts] == [("error", "out of luck")] * 2


def test_the_options_of_the_run_reach_the_gate(
    make_table: Table, info: RunInfo, record: Make, baseline_of: Callable[..., Baseline]
):
    """Strictness, and the references of a new case, in its verdicts and where it stands."""
    baseline = baseline_of(make_table(), "one", "two")
    rendered = baseline.conditions.model_copy(update={"input_fingerprint": "other"})
    other = baseline.model_copy(update={"conditions": rendered})
    records = [record("one", make_table()), record("new", make_table())]
    for strict, status in ((False, "pass"), (True, "not-comparable")):
        how = info.model_copy(update={"strict": strict, "against": ["two"]})
        found = judged(how, records, {}, other)
        assert {row.case: row.status for row in found.rows} == {"new": status, "one": status}
        assert {(s.case, s.reference, s.status) for s in found.rankings} == {("new", "two", status)}
        assert [row.case for row in found.references] == ["two"]
    worse = baseline_of(make_table(wrong=30), "one").cases
    mixed = baseline.model_copy(update={"cases": baseline.cases | worse})
    for against, status in ((["two"], "regressed"), (["one"], "improved"), (None, "regressed")):
        found = judged(info.model_copy(update={"against": against}), [record("new", make_table(wrong=12))], {}, mixed)
        assert [v.status for v in found.rows[0].verdicts if v.metric == "accuracy"] == [status], against
    every = judged(info, records, {}, baseline)
    assert {s.reference for s in every.rankings} == {"one", "two"}
    assert [row.case for row in every.references] == ["two"], "the other was measured in this run"


def test_a_failed_new_case_stands_nowhere(
    make_table: Table, info: RunInfo, record: Make, baseline_of: Callable[..., Baseline]
):
    found = judged(info, [record("new", None, "out of luck")], {}, baseline_of(make_table(), "one"))
    assert (found.rankings, found.references) == ((), ())


def test_of_a_published_reference_only_gated_figures_are_known(
    make_table: Table, info: RunInfo, record: Make, baseline_of: Callable[..., Baseline]
):
    measured = baseline_of(make_table(wrong=6), "old")
    old = measured.cases["old"]
    read = old.figures[1].model_copy(update={"metric": "macro_f1", "margin": None})
    case = old.model_copy(update={"figures": [*old.figures, read], "runs": [], "peak_memory_mib": 12.0})
    published = measured.model_copy(update={"kind": "published", "cases": {"old": case}})
    (row,) = judged(info, [record("new", make_table())], {}, published).references
    assert row.values["dice"] == old.figures[0].value
    assert (row.values["macro_f1"], row.values["hd95"]) == (None, None)
    assert (row.status, row.seeds, row.seconds, row.source, row.peak_memory_mib) == (
        *("reference", (), None, "baseline", 12.0),
    )
    (row,) = judged(info, [record("new", make_table())], {}, measured).references
    assert row.seeds == (1,)
    assert row.values["macro_f1"] == pytest.approx(_macro_f1(make_table(wrong=6)))


def test_every_cell_of_the_table(make_table: Table, info: RunInfo, record: Make):
    """Figures of speed by kind and then by batch as a number: 1, 4, 16."""
    slices = with_boundary(make_table(wrong=6), [2.0] * 60)
    speeds = {
        "Y": Speed(
            case="Y",
            figures={
                "training": Timing(images=3, seconds=[1.0]),
                "inference, batch 16": Timing(images=16, seconds=[0.1, 0.1], reference_seconds=[1.0, 1.0]),
                "inference, batch 4": Timing(images=4, seconds=[1.0]),
                "inference, batch 1": Timing(images=1, seconds=[1.0]),
            },
        )
    }
    found = judged(info, [record("Y", slices), record("Z", None, "lost")], speeds, BaselineError("none"))
    first, second = rows(table(found, "github"))
    assert first == {
        "case": "Y case Y",
        "verdict": "missing-baseline",
        "Dice": f"{per_sample(slices, 'dice').mean():.4f}",
        "HD95 [px]": "2.0",
        "accuracy": "0.9000",
        "macro F1": f"{_macro_f1(slices):.4f}",
        "inference, batch 1 [img/s]": "1.0",
        "inference, batch 4 [img/s]": "4.0",
        "inference, batch 16 [img/s]": "160.0 (10.0×)",
        "training [img/s]": "3.0",
        "seconds": "1.5",
        "model": "loaded",
    }
    assert list(first)[6:10] == [
        *("inference, batch 1 [img/s]", "inference, batch 4 [img/s]", "inference, batch 16 [img/s]"),
        "training [img/s]",
    ]
    assert {name: cell for name, cell in second.items() if cell != "–"} == {
        "case": "Z case Z",
        "verdict": "error",
        "seconds": "1.5",
    }


def test_samples_without_a_value_are_counted(make_table: Table, info: RunInfo, record: Make, tmp_path: Path):
    """Where both masks are empty there is no distance between boundaries; the mean is that of the others."""
    table = make_table()
    areas = {name: [0, *table.columns[f"tumour/{name}"][1:]] for name in ("truth_area", "intersection", "pred_area")}
    near = [0.5] * 59
    table = with_measures(
        table, **areas, hd95=[None, *[2.0] * 59], surface_dice_1px=[None, *near], surface_dice_2px=[None, *near]
    )
    found = judged(info, [record("Y", table), record("Z", make_table())], {}, BaselineError("none"))
    one, other = found.rows
    told = "1 of 60 samples have no value and are not in the mean"
    undefined = ("sensitivity", "precision", "HD95", "surface Dice 1 px", "surface Dice 2 px")
    assert one.notes == ("from scratch", *(f"{metric}: {told}" for metric in undefined))
    assert other.notes == ("from scratch",)
    assert one.values["hd95"] == 2.0
    assert f"- **Y**: HD95: {told}" in write_comparison(found, tmp_path).read_text()


def test_programs_get_every_number_of_a_verdict(comparison: Comparison, tmp_path: Path):
    write_comparison(comparison, tmp_path)
    frame = pd.read_csv(tmp_path / "comparison.csv").set_index("case")
    assert frame.index.tolist() == ["bad", "crash", "good", "new"]
    value = json.loads((tmp_path / "comparison.json").read_text())
    assert (value["schema"], value["missing"]) == ("btlib-comparison/2", ["lost"])
    assert [row["case"] for row in value["cases"]] == frame.index.tolist()
    assert [(s["reference"], s["metric"]) for s in value["rankings"]] == [
        (r, m) for m in ("dice", "accuracy") for r in ("good", "bad", "crash")
    ]
    assert value["references"] == []
    bad = next(row for row in comparison.rows if row.case == "bad")
    for verdict in bad.verdicts:
        for key in ("status", "baseline", "margin", "difference", "low", "high", "method"):
            assert frame.loc["bad", f"{verdict.metric}_{key}"] == pytest.approx(getattr(verdict, key)), key
    assert frame.loc["bad", "title"] == "case bad"
    assert (frame.loc["bad", "seconds"], frame.loc["bad", "source"]) == (1.5, "loaded")


def test_a_reason_stands_once_with_all_that_it_holds_for(
    make_table: Table, info: RunInfo, record: Make, baseline_of: Callable[..., Baseline], tmp_path: Path
):
    """Whether it holds or not; its other lines beneath it."""
    baseline = baseline_of(make_table(), "one", "two")
    rendered = baseline.conditions.model_copy(update={"input_fingerprint": "other"})
    records = [record("one", make_table()), record("two", make_table()), record("crash", None, "bad\n\n*luck*")]
    found = judged(info, records, {}, baseline.model_copy(update={"conditions": rendered}))
    lines = write_comparison(found, tmp_path).read_text().splitlines()
    (holds,) = (line for line in lines if "one dice (pass)" in line)
    assert holds.startswith("- **one dice (pass), one accuracy (pass), two dice (pass), two accuracy (pass)**: ")
    at = lines.index("- **crash dice (error), crash accuracy (error)**: bad")
    assert lines[at + 1] == r"    - \*luck\*"
    assert f"- command: `{info.command}`" in lines
    assert f"- data: {info.data}" in lines
    assert lines[0] == "# Comparison: smoke, baseline b.json"


def test_programs_get_the_ratio_and_not_its_bounds(make_table: Table, info: RunInfo, record: Make, tmp_path: Path):
    timing = Timing(images=16, seconds=[0.1, 0.2, 0.3, 0.2], reference_seconds=[1.0, 2.2, 3.0, 2.0])
    speeds = {"Y": Speed(case="Y", figures={"training": timing})}
    write_comparison(judged(info, [record("Y", make_table(wrong=60))], speeds, BaselineError("none")), tmp_path)
    frame = pd.read_csv(tmp_path / "comparison.csv")
    assert frame.loc[0, "accuracy"] == 0, "zero is a number"
    assert frame["hd95"].isna().all()
    found = timing.speedup
    assert found is not None
    assert found.low < found.value < found.high
    assert frame.loc[0, "training [x reference]"] == pytest.approx(found.value)
    assert frame.loc[0, "training [img/s]"] == pytest.approx(80)
