"""Losses of a few samples, which the mean over all hides: warned of by default, gated if a baseline asks."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import binomtest, t

from btlib.data.task import Task
from btlib.evaluation.subgroup import Subgroup, size_of
from btlib.gate import Baseline, Verdict
from btlib.gate.baseline_case import Spread
from btlib.gate.from_results import _figure as figure_of
from btlib.gate.from_results import reference
from btlib.gate.gate_options import GateOptions
from btlib.gate.judgement import CaseJudgement
from btlib.gate.rule import judge, judge_metric
from btlib.gate.verdict import FELL_SHORT, exit_code
from btlib.results import CaseResult, Conditions, SeedRun
from btlib.sample_table import SampleTable, sample_table

N = 612
COUNTS = (143, 285, 184)
TASK = Task(name="brains", classes=("meningioma", "glioma", "pituitary"), structures=("tumour",))
LABELS = np.random.default_rng(5).permutation(np.repeat(np.arange(3), COUNTS))
AREAS = np.random.default_rng(6).permutation(np.arange(200, 200 + 5 * N, 5))
PATIENTS = [f"P{i // 4}" for i in range(N)]

Values = NDArray[np.float64]


def make(
    dice: Values | None = None,
    right: NDArray[np.bool_] | None = None,
    *,
    task: Task = TASK,
    order: Sequence[int] = range(N),
    patients: Sequence[str] = PATIENTS,
    second: Values | None = None,
) -> SampleTable:
    """Samples with this Dice, of the last structure `second`, and right or wrong classes; rows in any order."""
    rows = np.array(order)
    kept = np.full(N, 0.8) if dice is None else dice
    structured = bool(task.structures)
    shares = np.stack([kept, kept if second is None else second][: len(task.structures) or 1], axis=1)[rows]
    truth = np.stack([AREAS] * (len(task.structures) or 1), axis=1)[rows]
    predicted = np.where(np.ones(N, bool) if right is None else right, LABELS, (LABELS + 1) % 3)[rows]
    return sample_table(
        task,
        [f"s{i}" for i in rows],
        [patients[i] for i in rows],
        labels=LABELS[rows] if task.classes else None,
        measures={"truth_area": truth, "intersection": np.floor(truth * shares).astype(int), "pred_area": truth}
        if structured
        else {},
        class_prob=np.where(np.eye(3)[predicted] > 0, 0.8, 0.1) if task.classes else None,
    )


def result(*tables: SampleTable, task: Task = TASK, first: int = 1, metrics: Sequence[str] = ()) -> CaseResult:
    conditions = Conditions(
        task=task,
        truth_fingerprint="t",
        input_fingerprint="i",
        split_name="s",
        split_fingerprint="f",
        n_test=N,
        test_class_counts=[*COUNTS] if task.classes else None,
        image_size=64,
        scaling="thesis",
        threshold=0.5,
        epsilon=1e-6,
    )
    runs = tuple(SeedRun(seed=first + i, fingerprint=f"{first + i}", samples=table) for i, table in enumerate(tables))
    usual = [m for m, there in (("dice", task.structures), ("accuracy", task.classes)) if there]
    return CaseResult("X", "x", conditions, dict.fromkeys(metrics or usual, 1), runs)


def known(baseline: Baseline, **sds: float) -> Baseline:
    """The baseline with spreads that ten trainings measured."""
    spread = {metric: Spread(sd=sd, trainings=10, source="test") for metric, sd in sds.items()}
    case = baseline.cases["X"].model_copy(update={"spread": spread})
    return baseline.model_copy(update={"cases": {"X": case}})


def gated(measured: CaseResult, margins: Mapping[str, float] | None = None, **more: float) -> Baseline:
    """A baseline of this case with a margin for each of these metrics."""
    figures = [figure_of(measured, name, margin) for name, margin in {**(margins or {}), **more}.items()]
    found = reference([measured], "b")
    case = found.cases["X"].model_copy(update={"figures": figures})
    return found.model_copy(update={"cases": {"X": case}})


def judged(measured: CaseResult, baseline: Baseline, metric: str = "dice", **options: Any) -> Verdict:
    return next(v for v in judge(measured, baseline, **options) if v.metric == metric)


SMALLEST = np.argsort(AREAS)[:10]
MEANS = np.where(np.isin(np.arange(N), SMALLEST), 0.5, np.random.default_rng(99).normal(0.8, 0.05, N))


def noisy(seed: int) -> Values:
    """Dice of one training; it is 0.5 for the ten smallest."""
    return np.clip(MEANS + np.random.default_rng(seed).normal(0, 0.03, N), 0, 1)


LOST = np.where(np.isin(np.arange(N), SMALLEST), 0.0, noisy(1))
WRONG = ~np.isin(np.arange(N), np.flatnonzero(LABELS == 0)[::11][:12])


@pytest.mark.parametrize("rescore", [True, False])
def test_ten_lost_tumours_of_612_pass_and_are_warned_of(rescore: bool):
    baseline = known(reference([result(make(noisy(1)))], "b"), dice=0.002)
    found = judged(result(make(LOST), first=2), baseline, rescore=rescore)
    assert found.status == "pass"
    warned = {one.name: one for one in found.warned}
    assert {"small third", "misses", "misses, small third"} == set(warned)
    assert warned["misses"].value == pytest.approx(10 / N)
    assert warned["misses, small third"].n == N // 3
    assert warned["misses, small third"].value == pytest.approx(10 / 204)
    assert "LOSS IN A SUBGROUP: misses, small third (n = 204)" in found.describe()
    assert exit_code([found]) == 0
    assert exit_code([found], strict=True) == FELL_SHORT


@pytest.mark.parametrize(("margin", "status"), [(0.02, "inconclusive"), (0.04, "pass")])
@pytest.mark.parametrize("rescore", [True, False])
def test_twelve_of_143_meningiomas_are_warned_of(margin: float, status: str, rescore: bool):
    baseline = known(gated(result(make()), accuracy=margin), accuracy=0.005)
    found = judged(result(make(right=WRONG), first=2), baseline, "accuracy", rescore=rescore)
    assert found.status == status
    assert found.warned[0].name == "class meningioma"
    assert found.warned[0].difference == pytest.approx(-12 / 143)
    assert (found.warned[0].metric, found.warned[0].n) == ("accuracy@class:meningioma", 143)


def test_the_numbers_are_those_of_the_paired_t_interval_and_the_sign_test():
    """With one sample per patient and the same models, scipy knows the answer."""
    alone = [f"P{i}" for i in range(N)]
    one, two = noisy(1), noisy(2)
    found = judged(
        result(make(two, patients=alone), first=2), reference([result(make(one, patients=alone))], "b"), rescore=True
    )
    glioma = next(one for one in found.subgroups if one.name == "class glioma")
    truth, other = make(one).overlap()[0][:, 0] / AREAS, make(two).overlap()[0][:, 0] / AREAS
    change = (other - truth)[LABELS == 1]
    error = change.std(ddof=1) / math.sqrt(len(change))
    assert glioma.difference == pytest.approx(change.mean(), abs=1e-7)
    low, high = t.interval(0.95, len(change) - 1, change.mean(), error)
    assert (glioma.low, glioma.high) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))
    lost = judged(
        result(make(right=WRONG, patients=alone), first=2),
        reference([result(make(patients=alone))], "b"),
        "accuracy",
        rescore=True,
    )
    exact = binomtest(12, 12, alternative="greater").pvalue
    student = t.cdf(-12 / 143 / math.sqrt(12 / 143 * (1 - 12 / 143) / 142), 142)
    assert lost.warned[0].p == pytest.approx(max(exact, student))


def test_an_unchanged_re_score_has_no_warning():
    baseline = reference([result(make(noisy(1), WRONG))], "b")
    for found in judge(result(make(noisy(1), WRONG), first=1), baseline):
        assert found.subgroups
        assert found.warned == ()
        assert {one.p for one in found.subgroups} == {1.0}


def test_a_better_subgroup_and_a_loss_within_the_margin_have_no_warning():
    baseline = reference([result(make(LOST))], "b")
    assert judged(result(make(noisy(1)), first=2), baseline, rescore=True).warned == ()
    slightly = np.where(size_of(make()) == 0, noisy(1) - 0.015, noisy(1))
    found = judged(result(make(slightly), first=2), reference([result(make(noisy(1)))], "b"), rescore=True)
    small = next(one for one in found.subgroups if one.name == "small third")
    assert small.p is not None
    assert small.p < 1e-6
    assert found.warned == ()


def test_without_a_known_spread_only_misses_are_warned_of():
    """The verdict is inconclusive then, which is a warning already."""
    found = judged(result(make(LOST), first=2), reference([result(make(noisy(1)))], "b"))
    assert found.status == "inconclusive"
    assert {one.name for one in found.warned} == {"misses", "misses, small third"}
    assert "does not cover another training" in found.warned[0].note


def test_several_seeds_give_the_spread_of_the_subgroup():
    """The small third varies between trainings by 0.06 and the rest not at all, so a loss of 0.05 there is chance."""
    third = size_of(make()) == 0

    def seeds(*shifts: float, first: int) -> CaseResult:
        return result(*(make(np.where(third, 0.8 + s, 0.8) + 1e-3 * first) for s in shifts), first=first)

    steady = reference([seeds(0.0, 0.001, -0.001, first=1)], "b")
    wild = reference([seeds(0.06, 0.0, -0.06, first=1)], "b")
    lost = (-0.05, -0.049, -0.051)
    assert judged(seeds(*lost, first=9), steady).warned[0].name == "small third"
    assert "small third" not in [one.name for one in judged(seeds(*lost, first=9), wild).warned]


def test_one_structure_of_two_is_lost():
    task = Task(name="two", structures=("tumour", "edema"))
    base = reference([result(make(task=task), task=task)], "b")
    lost = np.where(np.arange(N) % 25 == 0, 0.2, 0.8)
    found = judged(result(make(task=task, second=lost), task=task, first=2), base, rescore=True)
    assert found.status == "pass"
    assert [(one.name, one.metric) for one in found.warned] == [("structure edema", "dice/edema")]
    assert {one.name for one in found.subgroups} == {
        *("small third", "middle third", "large third", "structure tumour", "structure edema"),
        *("misses", "misses, small third"),
    }


def test_a_metric_that_is_better_if_lower():
    classes = Task(name="classes", classes=TASK.classes)
    base = reference([result(make(task=classes), task=classes, metrics=["brier"])], "b")
    for right, warned in ((WRONG, ["class meningioma"]), (None, [])):
        found = judged(result(make(right=right, task=classes), task=classes, first=2), base, "brier", rescore=True)
        assert [one.name for one in found.warned] == warned
        assert [one.name for one in found.subgroups if "third" in one.name or "misses" in one.name] == []


def test_a_task_without_classes_has_sizes_only():
    task = Task(name="plain", structures=("tumour",))
    found = judged(result(make(task=task), task=task, first=2), reference([result(make(task=task), task=task)], "b"))
    assert {one.name for one in found.subgroups} == {
        *("small third", "middle third", "large third", "misses", "misses, small third")
    }


@pytest.mark.parametrize("patients", [0, 1, 2, 3])
def test_fewer_than_three_patients_cannot_tell(patients: int, monkeypatch: pytest.MonkeyPatch):
    """So few patients have meningiomas, or none has."""
    labels = np.where(LABELS == 0, 1, LABELS)
    people = [f"P{i}" for i in range(N)]
    for k in range(2 * patients):
        labels[k], people[k] = 0, f"Q{k // 2}"
    monkeypatch.setattr(f"{__name__}.LABELS", labels)
    base = reference([result(make(patients=people))], "b")
    found = judged(result(make(patients=people, right=labels > 0), first=2), base, "accuracy", rescore=True)
    rare = next(one for one in found.subgroups if one.name == "class meningioma")
    assert rare.n == 2 * patients
    assert rare.note.startswith("cannot tell") == (patients < 3)
    assert (rare.p is None) == (patients < 3)
    assert rare.describe().startswith(f"class meningioma (n = {2 * patients}): ")
    assert found.subgroups[-1] == rare or patients == 3


def test_the_order_of_rows_does_not_matter():
    base = known(reference([result(make(noisy(1)))], "b"), dice=0.003)
    order = np.random.default_rng(3).permutation(N).tolist()
    usual = judged(result(make(LOST, WRONG), first=2), base)
    shuffled = judged(result(make(LOST, WRONG, order=order), first=2), base)
    assert [one.name for one in usual.subgroups] == [one.name for one in shuffled.subgroups]
    for one, two in zip(usual.subgroups, shuffled.subgroups, strict=True):
        assert (one.warned, one.n) == (two.warned, two.n)
        assert [one.difference, one.low, one.p] == pytest.approx([two.difference, two.low, two.p], rel=1e-9)


def test_file_and_back_and_an_older_file():
    base = known(reference([result(make(noisy(1)))], "b"), dice=0.003)
    verdicts = list(judge(result(make(LOST), first=2), base))
    case = CaseJudgement(case="X", records="r", verdicts=verdicts)
    assert CaseJudgement.model_validate_json(case.model_dump_json()) == case
    older = case.model_dump(mode="json")
    for verdict in older["verdicts"]:
        del verdict["subgroups"]
    assert CaseJudgement.model_validate_json(json.dumps(older)).verdicts[0].subgroups == ()


def test_other_conditions_and_published_numbers_have_no_subgroups(published_baseline: Callable[..., Baseline]):
    measured = result(make(noisy(1)))
    published = published_baseline(measured.conditions)
    assert judged(measured, published).subgroups == ()


NAME = "accuracy@class:meningioma"


def test_a_gated_subgroup_has_a_verdict_of_its_own():
    base = gated(result(make(noisy(1))), {"dice": 0.02, "accuracy": 0.02, NAME: 0.03, "miss_rate": 0.005})
    assert base.family == 4
    base = known(base, **{"accuracy": 0.001, "dice": 0.001, "miss_rate": 0.0005, NAME: 0.005})
    fine = {v.metric: v for v in judge(result(make(noisy(1)), first=2), base)}
    assert {m: v.status for m, v in fine.items()} == dict.fromkeys(("dice", "accuracy", NAME, "miss_rate"), "pass")
    assert fine[NAME].subgroups == ()
    assert not any(one.name.startswith("misses") for one in fine["dice"].subgroups)
    lost = {v.metric: v for v in judge(result(make(LOST, WRONG), first=2), base)}
    assert lost[NAME].status == "regressed"
    assert lost[NAME].baseline == 1.0
    assert lost[NAME].measured == pytest.approx(1 - 12 / 143)
    assert lost["miss_rate"].status == "regressed"
    assert lost[NAME].describe().startswith(f"case X, {NAME}: REGRESSED")


def test_the_spread_of_a_gated_subgroup_is_scaled_from_that_of_all_samples():
    """Trainings of all samples vary by 0.01, so a subgroup of 143 of 612 varies by at most 0.01·√(612/143)."""
    before = result(make(right=WRONG))
    base = known(gated(before, {NAME: 0.03}, accuracy=0.02), accuracy=0.01)
    found = judge_metric(result(make(right=WRONG), first=2), NAME, base, GateOptions())
    assert found.spread == (pytest.approx(0.01 * math.sqrt(N / 143)),)
    own = known(base, accuracy=0.01, **{NAME: 0.012})
    assert judge_metric(result(make(right=WRONG), first=2), NAME, own, GateOptions()).spread == (pytest.approx(0.012),)
    unknown = gated(before, {NAME: 0.03}, accuracy=0.02)
    assert judge_metric(result(make(right=WRONG), first=2), NAME, unknown, GateOptions()).spread == (0.05,)


def test_names_of_subgroups():
    assert Subgroup.parse("dice@size:small") == ("dice", Subgroup("size", "small"))
    assert Subgroup.parse("dice/edema@class:a@b:c") == ("dice/edema", Subgroup("class", "a@b:c"))
    for plain in ("dice", "dice@size:tiny", "dice@patient:P1", "@class:x", "dice@class:"):
        assert Subgroup.parse(plain) == (plain, None)


def test_unchanged_trainings_are_seldom_warned_of():
    """Forty trainings of unchanged code whose spread the baseline knows; larger simulations gave 0 to 5 %."""
    rng = np.random.default_rng(8)
    base = known(reference([result(make(noisy(1)))], "b"), dice=0.01)
    again = [np.clip(noisy(1000 + k) + rng.normal(0, 0.01), 0, 1) for k in range(40)]
    warned = sum(bool(judged(result(make(dice), first=2), base).warned) for dice in again)
    assert warned <= 5  # 5 % of 40: at most 5 with 98.6 %
