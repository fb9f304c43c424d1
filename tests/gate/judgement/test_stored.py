"""The judgement is stored, and made again where something changed."""

import json
from typing import Any

import pytest

from btlib import Baseline
from btlib.errors import BaselineError
from btlib.gate.judgement import judge_case, judge_run, stored_judgement
from btlib.gate.loading import NotComparedError
from btlib.runs import Cell, RunInfo, RunStore, Speed, Timing
from tests.gate.judgement.steps import (
    METRICS,
    SEEDS,
    Counted,
    Table,
    as_other,
    change,
    inform,
    kept,
    statuses,
    with_margin,
)


def test_the_file_is_read_back_equal(store: RunStore, baseline: Baseline, make_table: Table) -> None:
    """Verdicts of several seeds, where a new case stands, and speed."""
    timing = Timing(images=16, seconds=[0.1, 0.11, 0.1, 0.1], reference="r", reference_seconds=[1.0, 1.1, 1.2, 1.0])
    cases = dict(baseline.cases)
    cases["X"] = cases["X"].model_copy(update={"speed": {"inference, batch 16": timing.throughput}})
    known = baseline.model_copy(update={"cases": cases})
    slow = timing.model_copy(update={"seconds": [9.0, 9.1, 9.2, 9.0]})
    change(store, "X", 1, speed=Speed(case="X", figures={"inference, batch 16": slow, "training": timing}))
    made = judge_run(store, known)
    assert kept(store) == made
    assert stored_judgement(store, store.info(), known) == made
    x, n = made.cases["X"], made.cases["N"]
    assert [len(v.seeds) for v in x.verdicts] == [len(v.baseline_seeds) for v in x.verdicts] == [2, 2]
    assert [(p.figure, p.status) for p in x.speed] == [("inference, batch 16", "slower"), ("training", "not-judged")]
    assert x.throughput("training") == x.speed[1]
    assert x.throughput("nothing") is None
    assert {(s.reference, s.metric) for s in n.rankings} == {(case, metric) for case in "XYZ" for metric in METRICS}
    assert x.rankings == made.cases["Y"].rankings == []
    assert statuses(made)["X"] == {"pass"}
    assert "regressed" in statuses(made)["Y"]
    assert [v.case for v in made.verdicts] == ["N", "N", "X", "X", "Y", "Y"]


def test_a_changed_record_is_judged_anew_and_no_other_case(
    store: RunStore, baseline: Baseline, judged: Counted, make_table: Table
) -> None:
    before = judge_run(store, baseline)
    for seed in SEEDS:
        change(store, "X", seed, samples=make_table(wrong=55))
    after = judge_run(store, baseline)
    assert judged == {"X": 2, "Y": 1, "N": 1}
    assert "regressed" not in statuses(before)["X"]
    assert "regressed" in statuses(after)["X"]
    assert {case: after.cases[case] for case in "YN"} == {case: before.cases[case] for case in "YN"}
    assert kept(store) == after
    change(store, "Y", 1, environment={"cpu": "another"})  # speed is judged by it
    judge_case(store, "Y", baseline)
    assert judged == {"X": 2, "Y": 2, "N": 1}


def test_a_record_that_is_put_back_needs_no_third_judgement_of_others(
    store: RunStore, baseline: Baseline, judged: Counted, make_table: Table
) -> None:
    before = judge_run(store, baseline)
    whole = store.record(Cell("X", 2))
    assert whole is not None
    change(store, "X", 2, samples=make_table(wrong=55))
    judge_run(store, baseline)
    store.save_record(whole)
    assert judge_run(store, baseline) == before
    assert judged == {"X": 3, "Y": 1, "N": 1}


def test_another_baseline_is_another_judgement(store: RunStore, baseline: Baseline, judged: Counted) -> None:
    """Also where its name is the same; and none of the old verdicts is left."""
    first = judge_run(store, baseline)
    wide = judge_run(store, with_margin(baseline, 0.9))
    assert judged == {"X": 2, "Y": 2, "N": 2}
    assert statuses(wide)["Y"] == {"pass"}
    assert {v.margin for v in wide.verdicts} == {0.9}
    assert judge_run(store, baseline) == first
    alone = judge_case(store, "X", with_margin(baseline, 0.8))
    assert list(kept(store).cases) == ["X"]
    assert {v.margin for v in alone.verdicts} == {0.8}


@pytest.mark.parametrize(
    "fields",
    [{"against": ["Y"]}, {"strict": True}, {"alpha": 0.2}, {"rescore": True}],
    ids=["against", "strict", "alpha", "rescore"],
)
def test_how_it_is_compared_is_part_of_it(
    fields: dict[str, Any], store: RunStore, baseline: Baseline, judged: Counted
) -> None:
    rendered = baseline.conditions.model_copy(update={"input_fingerprint": "other"})
    known = as_other(baseline, conditions=rendered)
    judge_run(store, known)
    inform(store, **fields)
    found = judge_run(store, known)
    assert judged == {"X": 2, "Y": 2, "N": 2}
    assert {s.reference for s in found.cases["N"].rankings} == set(fields.get("against", "XYZ"))
    assert (statuses(found)["X"] == {"not-comparable"}) == ("strict" in fields)
    assert all(getattr(kept(store), name) == value for name, value in fields.items())
    if "strict" not in fields:
        alpha = fields.get("alpha", 0.05)
        assert {v.red for v in found.cases["Y"].verdicts} == {alpha / 6}, "three cases of two gated metrics"
        same = {v.method == "paired by patient, the same models" for v in found.cases["Y"].verdicts}
        assert same == {"rescore" in fields}


def test_the_number_of_looks_is_part_of_it(
    store: RunStore, baseline: Baseline, judged: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = judge_run(store, baseline)
    monkeypatch.setattr(RunInfo, "looks", property(lambda info: 3))
    staged = judge_run(store, baseline)
    assert judged == {"X": 2, "Y": 2, "N": 2}
    assert (once.looks, staged.looks, kept(store).looks) == (1, 3, 3)
    for before, after in zip(once.cases["Y"].verdicts, staged.cases["Y"].verdicts, strict=True):
        assert after.red == pytest.approx(before.red / 3)
        assert (before.confidence, after.confidence) == pytest.approx((0.95, 1 - 0.05 / 3))
        assert after.low < before.low < before.high < after.high
    assert judge_run(store, baseline) == staged


def test_power_and_drift_are_read_back_equal(store: RunStore, baseline: Baseline) -> None:
    """And a file of an older version, which has neither, nor the settings of the gate, is read too."""
    first = {name: case.model_copy(update={"first": case}) for name, case in baseline.cases.items()}
    known = as_other(baseline, cases=first)
    made = judge_run(store, known)
    assert kept(store) == made
    found = made.cases["Y"].verdict("accuracy")
    assert found is not None
    assert found.power is not None
    assert found.drift is not None
    assert found.drift.status == "regressed"
    path = store.path / "judgement.json"
    value = {key: field for key, field in json.loads(path.read_text()).items() if key not in ("digest", "sealed")}
    for key in ("alpha", "looks", "rescore"):
        del value[key]
    for case in value["cases"].values():
        for verdict in case["verdicts"]:
            for key in ("power", "drift", "p", "red", "confidence"):
                del verdict[key]
    path.write_text(json.dumps(value))
    older = kept(store)
    assert (older.alpha, older.looks, older.rescore) == (0.05, 1, False)
    assert statuses(older) == statuses(made)
    assert {(v.power, v.drift, v.p, v.red, v.confidence) for v in older.verdicts} == {(None, None, None, None, 0.95)}


def test_a_baseline_that_cannot_be_read_is_none_forever(store: RunStore, baseline: Baseline, judged: Counted) -> None:
    """Each reason is a judgement of its own; with none asked for, numbers are only measured."""
    lost = judge_run(store, BaselineError("no such file", where="b.json"))
    assert statuses(lost) == {case: {"missing-baseline"} for case in "NXY"}
    other = judge_run(store, BaselineError("is damaged", where="b.json"))
    assert {v.reason for v in other.verdicts} == {"b.json: is damaged"}
    none = judge_run(store, NotComparedError("asked for"))
    assert statuses(none) == {case: {"measured"} for case in "NXY"}
    assert (lost.baseline is None, none.baseline is None) == (False, True)
    assert lost.baseline != other.baseline
    assert all(case.rankings == case.speed == [] for case in [*lost.cases.values(), *none.cases.values()])
    assert judged == {}
    assert statuses(judge_run(store, baseline))["X"] == {"pass"}
