"""Scores of the user: custom columns that are judged, stored and read like the metrics of btlib."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from btlib.data.task import Score, Task
from btlib.errors import BaselineError, BtlibWarning
from btlib.evaluation.aggregate import per_sample, summarise
from btlib.evaluation.catalogue import METRICS, metrics_of
from btlib.gate import Baseline, judge
from btlib.gate.from_results import reference
from btlib.numbers import SampleScores, as_result, define, from_arrays
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


def trained(values: Any) -> CaseResult:
    """Scores of a model that was trained anew: one row of values, or seed → values."""
    found = from_arrays("wer", IDS, values, GROUPS, group="speaker")
    return as_result(
        found, "wer", [define("wer", direction="lower", margin=0.01)], retrained=not isinstance(values, dict)
    )


def test_seeds_that_the_model_ignores_are_one_training():
    """Three equal rows do not show that trainings never differ: the verdict is that of one training."""
    other = VALUES + np.random.default_rng(5).normal(0.03, 0.01, 60)
    (one,) = judge(trained(other), reference([trained(VALUES)], "mine"))
    assert one.status == "inconclusive"
    rows, old = dict.fromkeys((1, 2, 3), other), dict.fromkeys((1, 2, 3), VALUES)
    for measured, before in ((rows, VALUES), (rows, old), (other, old)):
        baseline = reference([trained(before)], "mine")
        (found,) = judge(trained(measured), baseline)
        assert (found.status, found.low, found.high) == (one.status, one.low, one.high)
        assert "all seeds of a side have the same numbers" in found.reason
    assert reference([trained(old)], "mine").spread_of("wer", "wer") is None
    noise = np.random.default_rng(6).normal(0, 0.001, (3, 60))
    (known,) = judge(
        trained(dict(enumerate(other + noise))), reference([trained(dict(enumerate(VALUES + noise)))], "b")
    )
    assert (known.status, known.reason) == ("regressed", "")
    perfect = dict.fromkeys((1, 2, 3), np.zeros(60))
    (found,) = judge(trained({seed + 3: row for seed, row in perfect.items()}), reference([trained(perfect)], "b"))
    assert (found.status, found.reason) == ("pass", ""), "every training reaches the limit of the score"


@pytest.mark.parametrize("jitter", [0.0, 1e-10])
def test_some_seeds_with_the_numbers_of_another_are_one_training_with_it(jitter: float):
    """Two of three seeds are equal, or differ by rounding: the verdict is that of two trainings, and says so."""
    rng = np.random.default_rng(7)
    first, second = (VALUES + 0.03 + rng.normal(0, 0.004, 60) for _ in range(2))
    before = reference([trained(dict(enumerate(VALUES + rng.normal(0, 0.004, (2, 60)))))], "b")
    (two,) = judge(trained({1: first, 2: second}), before)
    (three,) = judge(trained({1: first, 2: second, 3: first + jitter * rng.uniform(-1, 1, 60)}), before)
    assert (three.status, three.low, three.high, three.spread) == (two.status, two.low, two.high, two.spread)
    assert three.measured == pytest.approx(two.measured)
    assert "some seeds of a side have the numbers of another seed" in three.reason
    assert "some seeds" not in two.reason
    (apart,) = judge(trained({1: first, 2: second, 3: first + 1e-6 * rng.uniform(-1, 1, 60)}), before)
    assert "some seeds" not in apart.reason


def test_seeds_state_already_that_models_were_trained():
    found = from_arrays("wer", IDS, {1: VALUES, 2: VALUES + 0.01}, GROUPS, group="speaker")
    with pytest.warns(BtlibWarning, match="retrained changes nothing: the seeds state already"):
        as_result(found, "wer", [define("wer", margin=0.01)], retrained=True)


def test_two_groups_have_no_power():
    """The verdict can only be inconclusive, so no probability of a pass is shown."""
    groups = [f"s{i % 2}" for i in range(60)]
    (found,) = judge(scored(VALUES + 0.1, groups=groups), reference([scored(groups=groups)], "mine"))
    assert (found.status, found.power) == ("inconclusive", None)
    assert "at least 3 are needed" in found.reason


def test_slow_losses_of_a_metric_that_was_gated_later():
    """Its first value is that of the samples that were accepted first, although it had no margin then."""
    scores = [define(name, margin=0.02) for name in ("a", "b")]
    noise = np.random.default_rng(8).normal(0, 1e-4, 60)

    def result(loss: float, gated: int) -> CaseResult:
        values = {0: {"a": VALUES, "b": VALUES - loss + noise * (loss > 0)}}
        return as_result(SampleScores(IDS, GROUPS, "speaker", values, seeded=False), "c", scores[:gated])

    first, second = (reference([one], "mine") for one in (result(0.0, 1), result(0.03, 2)))
    assert first.gated("c") == ["a"]
    second = second.model_copy(
        update={"cases": {"c": second.cases["c"].model_copy(update={"first": first.cases["c"]})}}
    )
    for loss, expected in ((0.035, "pass"), (0.045, "regressed")):
        found = {verdict.metric: verdict for verdict in judge(result(loss, 2), second)}
        assert found["b"].status == expected
        assert found["b"].drift is not None
