"""The same models, scored again: their comparison does not cover another training."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from btlib import stats
from btlib.gate import Baseline, judge
from btlib.gate.gate_options import GateOptions
from btlib.gate.newcomers import judge_against
from btlib.gate.rule import judge_metric
from btlib.gate.trainings import is_rescored
from btlib.results import CaseResult
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]
Make = Callable[..., Baseline]
Result = Callable[..., CaseResult]

SAME = "paired by patient, the same models"
OVER = "paired by patient, over trainings"


def test_by_seed_and_file_or_because_all_numbers_are_equal(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    tables = [make_table(wrong=k) for k in (0, 12)]
    baseline, ours = measured_baseline(*tables, spread=None), measured(*tables)
    theirs = baseline.cases["X"].runs
    assert is_rescored(ours.runs, theirs)
    verdict = judge_metric(ours, "accuracy", baseline)
    assert (verdict.status, verdict.low, verdict.high, verdict.method) == ("pass", 0, 0, SAME)
    assert "spread" not in verdict.reason
    changed = [run.model_copy(update={"samples": make_table(wrong=1)}) for run in ours.runs]
    assert not is_rescored(changed, theirs)
    one_of_two = [ours.runs[0], changed[1]]
    assert not is_rescored(one_of_two, theirs)
    named = [[run.model_copy(update={"file_digest": "f"}) for run in side] for side in (changed, theirs)]
    assert is_rescored(*named)
    recipe = [[run.model_copy(update={"fingerprint": "r"}) for run in side] for side in (changed, theirs)]
    assert not is_rescored(*recipe), "trained in the same way, for example on another processor"
    assert is_rescored([ours.runs[0], named[0][1]], [theirs[0], named[1][1]])
    other = [run.model_copy(update={"file_digest": "g"}) for run in changed]
    assert not is_rescored(other, named[1])
    assert not is_rescored(named[0], theirs), "the digest of the baseline is not known"
    assert not is_rescored([run.model_copy(update={"seed": run.seed + 1}) for run in ours.runs], theirs)
    assert not is_rescored(ours.runs[:1], theirs)
    assert not is_rescored(ours.runs, theirs[:1])
    assert is_rescored(ours.runs[::-1], theirs)


def test_another_result_of_the_same_model_is_judged_over_samples_alone(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    """By the content of the file. With another content, the assumed spread of trainings hides this loss."""
    baseline = measured_baseline(make_table(wrong=1), spread=None)
    case = baseline.cases["X"]
    named = case.model_copy(update={"runs": [case.runs[0].model_copy(update={"file_digest": "f"})]})
    baseline = baseline.model_copy(update={"cases": {"X": named}})

    def judged(digest: str | None, **options: bool) -> tuple[str, str | None]:
        result = measured(make_table(wrong=11))
        runs = tuple(run.model_copy(update={"file_digest": digest}) for run in result.runs)
        verdict = judge_metric(replace(result, runs=runs), "accuracy", baseline, GateOptions(**options))
        assert ("--bt-rescore" in verdict.reason) == (digest != "f")
        return verdict.status, verdict.method

    assert judged("f") == judged("f", rescore=True) == ("regressed", SAME)
    assert judged("g") == judged(None) == ("inconclusive", OVER)
    assert judged("g", rescore=True) == judged(None, rescore=True) == ("regressed", SAME)


def test_the_interval_is_that_of_student_over_the_means_of_seeds(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    """Also if the sides have different numbers of seeds, and the message says what was stated."""
    ours = measured(*(make_table(wrong=k) for k in (4, 9, 5)))
    baseline = measured_baseline(make_table(wrong=1), make_table(wrong=3))
    (verdict,) = [v for v in judge(ours, baseline, rescore=True) if v.metric == "accuracy"]
    theirs = [float(i >= 3) + 0.5 * (1 <= i < 3) for i in range(60)]
    found = stats.crossed(ours.values("accuracy"), theirs, range(60))
    assert (verdict.difference, verdict.low, verdict.high) == pytest.approx(
        (found.difference, found.bound(0.025), found.bound(0.975))
    )
    assert found.freedom == 59
    assert verdict.method == SAME
    assert "compared as the same models (--bt-rescore): the interval does not cover another training" in verdict.reason
    (usual,) = [v for v in judge(ours, baseline) if v.metric == "accuracy"]
    assert usual.method == OVER
    assert usual.low < verdict.low
    assert usual.high > verdict.high


def test_a_new_case_of_the_same_models_is_scored_again_too(
    make_table: Table, measured_baseline: Make, measured: Result
) -> None:
    baseline = measured_baseline(make_table(wrong=3), spread=None)
    same, other = (measured(make_table(wrong=wrong), case="new") for wrong in (3, 4))
    for result, options, method in (
        (same, GateOptions(), SAME),
        (other, GateOptions(), OVER),
        (other, GateOptions(rescore=True), SAME),
    ):
        (found,) = [v for v in judge_against(result, baseline, options=options) if v.metric == "accuracy"]
        assert found.method == method


def test_a_publication_has_other_models_whatever_is_stated(
    make_table: Table, published_baseline: Make, measured: Result
) -> None:
    verdicts = [
        judge_metric(measured(make_table()), "dice", published_baseline(std=0.03), GateOptions(rescore=rescore))
        for rescore in (False, True)
    ]
    assert verdicts[0] == verdicts[1]
    assert verdicts[0].method == "unpaired, by patient, over trainings"
