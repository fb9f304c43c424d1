"""Scores of the user: custom columns that are judged, stored and read like the metrics of btlib."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from btlib.data.task import Score, Task
from btlib.errors import BaselineError
from btlib.evaluation.aggregate import per_sample, summarise
from btlib.evaluation.catalogue import METRICS, metrics_of
from btlib.gate import Baseline, judge
from btlib.gate.from_results import reference
from btlib.numbers import as_result, define, from_arrays
from btlib.results import CaseResult, Conditions, SeedRun
from btlib.sample_table import SampleTable

IDS = [f"u{i}" for i in range(60)]
GROUPS = [f"s{i % 10}" for i in range(60)]
VALUES = np.random.default_rng(1).gamma(2.0, 0.1, 60)


def scored(
    values: Any = VALUES, ids: list[str] = IDS, groups: Any = GROUPS, case: str = "wer", **fields: Any
) -> CaseResult:
    score = define("wer", **{"direction": "lower", "margin": 0.01} | fields)
    return as_result(from_arrays("wer", ids, values, groups, group="speaker"), case, [score])


def status(measured: CaseResult, baseline: Baseline) -> tuple[str, str]:
    (verdict,) = judge(measured, baseline)
    return verdict.status, verdict.reason


def test_a_score_is_judged_by_its_direction_and_margin():
    noise = np.random.default_rng(2).normal(0, 0.001, 60)
    baseline = reference([scored()], "mine")
    assert baseline.figure("wer", "wer").margin == 0.01  # type: ignore[union-attr]
    for shift, expected in ((0.0, "pass"), (-0.1, "improved"), (0.1, "regressed")):
        assert status(scored(VALUES + noise + shift), baseline)[0] == expected
    higher = reference([scored(direction="higher")], "mine")
    assert status(scored(VALUES + noise + 0.1, direction="higher"), higher)[0] == "improved"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"direction": "higher"}, "direction of wer: measured 'higher', baseline 'lower'"),
        ({"unit": "%"}, "unit of wer: measured '%', baseline '1'"),
        ({"version": 2}, "version of wer: measured 2, baseline 1"),
        ({"range": (0.0, None)}, "range of wer"),
        ({"margin": 0.05}, "margin of wer: measured 0.05, baseline 0.01"),
    ],
)
def test_another_definition_is_not_comparable(fields: dict[str, Any], told: str):
    """A test whose margin is widened is not judged by the wider one."""
    found, reason = status(scored(**fields), reference([scored()], "mine"))
    assert (found, told in reason) == ("not-comparable", True)


def test_other_samples_and_groups_are_not_comparable():
    baseline = reference([scored()], "mine")
    for changed in (
        scored(ids=["v", *IDS[1:]]),
        scored(groups=["s9", *GROUPS[1:]]),
        scored(VALUES[:-1], IDS[:-1], GROUPS[:-1]),
    ):
        assert status(changed, baseline)[0] == "not-comparable"
    order = np.random.default_rng(3).permutation(60)
    moved = scored(VALUES[order], [IDS[i] for i in order], [GROUPS[i] for i in order])
    assert status(moved, baseline)[0] == "pass"


def test_a_baseline_with_cases_of_different_samples_is_stored_and_read(tmp_path: Path):
    """Each case has its own samples, conditions and definition; the file is the same after it was read."""
    other = as_result(
        from_arrays("seconds", ["r1", "r2", "r3"], [[1.0, 2.0, 3.0], [1.5, 2.5, 3.5]], None, independent=True),
        "latency",
        [define("seconds", direction="lower", unit="s", range=(0.0, None), margin=0.1)],
    )
    built = reference([scored(), other], "mine")
    built.save(tmp_path / "mine.json")
    read = Baseline.load(tmp_path / "mine.json")
    assert read == built
    assert read.identity == built.identity
    assert [read.conditions_of(case).n_test for case in ("wer", "latency")] == [60, 3]
    assert read.conditions_of("latency").task.score("seconds") == other.conditions.task.scores[0]
    assert status(scored(), read)[0] == "pass"
    assert judge(other, read)[0].status == "pass"
    assert read.family == 2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"value": 0.5}, "its samples give"),
        ({"unit": "s"}, "expected the unit 1, got s"),
        ({"metric": "cer"}, "cer: only a known metric can have a margin"),
    ],
)
def test_a_figure_of_a_score_is_checked(change: dict[str, Any], told: str):
    built = reference([scored()], "mine").model_dump()
    built["cases"]["wer"]["figures"][0] |= change
    with pytest.raises((ValidationError, BaselineError), match=told):
        Baseline(**built)


def test_a_column_beside_masks_and_classes(
    make_table: Callable[..., SampleTable], conditions: Conditions, changed: Callable[..., SampleTable]
):
    """A task of images with a score: the column is judged with the metrics of btlib, in one case."""
    score = Score(name="volume error", direction="lower", unit="ml", margin=0.5)
    task = conditions.task.model_copy(update={"name": "mine", "scores": (score,)})
    under = conditions.model_copy(update={"task": task})

    def measured(shift: float) -> CaseResult:
        table = make_table()
        rng = np.random.default_rng(4)
        column = (rng.normal(3, 1, table.n) + rng.normal(0, 0.1, table.n) * (shift > 0) + shift).tolist()
        own = SampleTable(**table.model_dump() | {"columns": table.columns | {"volume error": column}})
        runs = (SeedRun(seed=1, fingerprint=None, file_digest="model", samples=own),)
        return CaseResult("X", "a case", under, {"dice": 1, "volume error": 1}, runs)

    baseline = reference([measured(0.0)], "mine")
    found = {verdict.metric: verdict.status for verdict in judge(measured(2.0), baseline)}
    assert found == {"dice": "pass", "volume error": "regressed"}
    known = summarise(measured(0.0).samples, 16, metrics_of(task))
    assert known["volume error"]["slice_mean"] == pytest.approx(3, abs=0.5)
    assert known["volume error"].keys() == known["dice"].keys()


def test_a_score_of_images_has_no_name_of_a_metric(conditions: Conditions):
    task = conditions.task.model_copy(update={"name": "mine", "scores": (Score(name="dice"),)})
    with pytest.raises(ValidationError, match="'dice' is the name of a metric of btlib"):
        Conditions(**conditions.model_dump() | {"task": task.model_dump()})


def test_without_images_the_name_of_a_metric_is_free():
    """The user's own accuracy; nothing is registered, so that two tasks do not disturb each other."""
    score = define("accuracy", direction="lower", unit="%", range=(0.0, 100.0), margin=1.0)
    found = as_result(from_arrays("accuracy", ["a", "b", "c"], [1.0, 2.0, 50.0], ["a", "b", "c"]), "x", [score])
    assert per_sample(found.samples, "accuracy").tolist() == [1.0, 2.0, 50.0]
    assert (found.definitions["accuracy"].sign, found.definitions["accuracy"].range) == (-1, (0.0, 100.0))
    assert METRICS["accuracy"].sign == 1
    assert judge(found, reference([found], "mine"))[0].status == "pass"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"scores": (Score(name="x"), Score(name="x"))}, "a name occurs more than once"),
        ({}, "expected classes, structures, or both; or scores"),
    ],
)
def test_a_task_of_scores(fields: dict[str, Any], told: str):
    with pytest.raises(ValidationError, match=told):
        Task(name="mine", **fields)


def test_conditions_have_image_fields_exactly_with_images(conditions: Conditions):
    with pytest.raises(ValidationError, match="image_size: required"):
        Conditions(**conditions.model_dump() | {"image_size": None})
    with pytest.raises(ValidationError, match="scaling: expected None, because the task has no images"):
        Conditions(**scored().conditions.model_dump() | {"scaling": "thesis"})
