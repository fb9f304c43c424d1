"""From results to a baseline: which metrics are gated, what stands beside the numbers, whose code it was."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from btlib.data.sources.tasks import PHANTOM
from btlib.errors import RecordError
from btlib.evaluation.catalogue import METRICS
from btlib.gate.baseline_case import BaselineCase
from btlib.gate.from_results import MARGIN, baseline_of, reference, sound, with_costs
from btlib.results import CaseResult, Conditions, SeedRun
from btlib.runs import CaseRecord, ModelInfo, RunInfo, RunStore, Speed, Timing
from btlib.runs.provenance import CaseCode
from btlib.sample_table import SampleTable, sample_table

INFO = RunInfo(
    tier="full",
    command="pytest benchmarks",
    baseline="b",
    task=PHANTOM,
    data="d",
    started="now",
    recipe={"epochs": 3},
    commit="abc",
)
BOUNDARY = {"hd95": [1.0, 2.0], "surface_dice_1px": [0.5, 0.5], "surface_dice_2px": [0.75, 0.5]}
MARGINS = {"X": {"dice": 0.1, "hd95": 3.0}, "Y": {"accuracy": 0.2}}


def table(
    intersections: Sequence[int] = (5, 8), ids: Sequence[str] = (), labels: Sequence[int] = (), **measures: Any
) -> SampleTable:
    n = len(intersections)
    columns = {"truth_area": [10] * n, "intersection": intersections, "pred_area": [10] * n} | measures
    return sample_table(
        PHANTOM,
        ids or [str(k + 1) for k in range(n)],
        [None] * n,
        labels=labels or [k % 3 for k in range(n)],
        measures={name: np.array(values)[:, None] for name, values in columns.items()},
        class_prob=np.tile([1.0, 0.0, 0.0], (n, 1)),
    )


@pytest.fixture
def make(conditions: Conditions) -> Callable[..., CaseResult]:
    """A result with these tables, seed by seed."""

    def result(case: str = "X", *tables: SampleTable, **more: Any) -> CaseResult:
        runs = tuple(SeedRun(seed=seed, fingerprint=None, samples=one) for seed, one in enumerate(tables, start=7))
        n = tables[0].n if tables else 60
        usual = {"conditions": conditions.model_copy(update={"n_test": n}), "metrics": {"dice": 1, "accuracy": 1}}
        return CaseResult(**{"case": case, "title": f"case {case}", "runs": runs} | usual | more)

    return result


def record(case: str = "X", seed: int = 7, source: str = "trained", **fields: Any) -> CaseRecord:
    model = ModelInfo(source=source, fingerprint=None, seconds=0.0, details={}, notes=[])  # type: ignore[arg-type]
    usual = {"environment": {"machine": case}, "code": None, "peak_memory_mib": None}
    return CaseRecord.model_construct(case=case, seed=seed, model=model, **usual | fields)


def baseline(results: list[CaseResult], records: list[CaseRecord], info: RunInfo = INFO) -> Any:
    return baseline_of(info, records, results, "mine", "because", MARGINS)


def test_a_reference_tolerates_a_fiftieth_of_what_is_a_share_of_one(make: Callable[..., CaseResult]):
    result = make("X", table(**BOUNDARY), metrics={"dice": 1, "hd95": 1, "accuracy": 1, "iou": 1})
    found = reference([result], "mine")
    assert found.gated("X") == ["dice", "accuracy", "iou"]
    assert {figure.margin for figure in found.cases["X"].figures} == {MARGIN} == {0.02}
    assert (found.conditions, found.schema_version) == (result.conditions, 2)


def test_a_reference_made_of_files_of_version_1_knows_as_little_as_they(make: Callable[..., CaseResult]):
    result = make("X", table())
    old = result.conditions.model_copy(update={"truth_fingerprint": None, "input_fingerprint": None})
    assert reference([replace(result, conditions=old)], "mine").schema_version == 1


def test_a_figure_is_the_mean_over_seeds_and_its_deviation_that_over_slices(make: Callable[..., CaseResult]):
    """The second seed's samples are in another order."""
    second = table((6, 2), ids=["2", "1"], labels=[1, 0])
    found = baseline([make("X", table(), second)], [record()])
    (figure,) = [one for one in found.cases["X"].figures if one.metric == "dice"]
    by_slice = np.array([(0.5 + 0.2) / 2, (0.8 + 0.6) / 2])
    assert (figure.value, figure.n, figure.unit) == (pytest.approx(by_slice.mean(), abs=1e-6), 2, "1")
    assert figure.std == pytest.approx(np.std(by_slice, ddof=1), abs=1e-6)
    assert (figure.aggregation, figure.version, figure.margin) == ("slice-mean", 1, 0.1)
    assert [(run.seed, run.samples) for run in found.cases["X"].runs] == [(7, table()), (8, second)]
    alone = baseline([make("X", table((5,)))], [record()]).cases["X"].figures[0]
    assert (alone.n, alone.std) == (1, None)


def test_a_figure_says_which_definition_it_is_of(make: Callable[..., CaseResult], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(METRICS._items, "dice", replace(METRICS["dice"], version=3))
    assert [figure.version for figure in baseline([make("X", table())], [record()]).cases["X"].figures] == [3]


def test_a_case_is_gated_by_the_margins_of_its_own_that_it_has_numbers_for(make: Callable[..., CaseResult]):
    """X has a margin for a distance that was not measured, and none for its accuracy."""
    results = [make("X", table()), make("Y", table(**BOUNDARY))]
    found = baseline(results, [record("X"), record("Y")])
    assert {case: found.gated(case) for case in "XY"} == {"X": ["dice"], "Y": ["accuracy"]}
    assert baseline([make("X", table(**BOUNDARY))], [record()]).gated("X") == ["dice", "hd95"]


def test_a_metric_that_some_samples_have_no_value_of_is_not_gated(make: Callable[..., CaseResult]):
    """As where both masks are empty: a mean over the others is another question."""
    nothing = {"truth_area": [10, 0], "pred_area": [10, 0], "surface_dice_2px": [0.75, np.nan]}
    result = make("X", table((5, 0), **nothing | {"hd95": [1.0, np.nan], "surface_dice_1px": [0.5, np.nan]}))
    with pytest.raises(RecordError, match=r"case X: hd95 has no value for 1 of 2 samples(?s:.)*leave out its margin"):
        baseline([result], [record()])
    found = baseline_of(INFO, [record()], [result], "mine", "because", {"X": {"dice": 0.1}})
    assert [(figure.metric, figure.value) for figure in found.cases["X"].figures] == [("dice", 0.75)]
    by_hand = found.cases["X"].figures[0].model_copy(update={"metric": "hd95", "unit": "px", "value": 1.0})
    with pytest.raises(ValidationError, match=r"figures: hd95 is 1\.0, but its samples give nan"):
        BaselineCase(title="x", figures=[by_hand], runs=list(result.runs))


def test_what_stands_beside_the_numbers(make: Callable[..., CaseResult]):
    found = baseline([make("X", table()), make("Y", table())], [record("X"), record("Y")])
    assert (found.name, found.reason, found.kind, found.tier) == ("mine", "because", "measured", "full")
    assert (found.title, found.source, found.commit) == ("full: d", "pytest benchmarks", "abc")
    assert (found.recipe, found.environment) == ({"epochs": 3}, {"machine": "X"})
    assert [found.cases[case].title for case in "XY"] == ["case X", "case Y"]


@pytest.mark.parametrize(
    ("sources", "recipe", "own"),
    [
        (("trained", "loaded"), {"epochs": 3}, [False, False]),
        (("trained", "given"), {"epochs": 3}, [False, True]),
        (("given", "given"), None, [False, False]),
    ],
)
def test_a_recipe_is_of_the_cases_that_were_trained(
    sources: tuple[str, str], recipe: dict[str, int] | None, own: list[bool], make: Callable[..., CaseResult]
):
    """One that was not says so itself, unless none was."""
    records = [record(case, source=source) for case, source in zip("XY", sources, strict=True)]
    found = baseline([make("X", table()), make("Y", table())], records)
    assert found.recipe == recipe
    assert [found.cases[case].made is not None for case in "XY"] == own
    trained = [found.provenance_of(case).recipe is not None for case in "XY"]
    assert trained == [source != "given" for source in sources]


CODE = CaseCode(file="a.py", digest="d", commit="c", dirty=False)


@pytest.mark.parametrize("edited", [None, 0, 1, 2])
def test_code_that_was_edited_between_two_seeds_is_dirty(edited: int | None, make: Callable[..., CaseResult]):
    other = CODE.model_copy(update={"digest": "e"})
    codes = [other if edited == k else CODE for k in range(3)]
    records = [record(seed=seed, code=code) for seed, code in enumerate(codes)]
    found = baseline([make("X", table())], [*records, record("Y", code=None)]).cases["X"].code
    assert found is not None
    assert (found.digest, found.dirty) == (codes[0].digest, edited is not None)


def test_speed_and_memory_stand_beside_the_case_that_has_them(make: Callable[..., CaseResult], tmp_path: Path):
    run, timing = RunStore(tmp_path), Timing(images=2, seconds=[0.5])
    Speed(case="Y", figures={"inference": timing}).save(tmp_path / "speed" / "Y.json")  # as a run of before has it
    records = [record("X", peak_memory_mib=512.0), record("Y")]
    found = with_costs(baseline([make("X", table()), make("Y", table())], records), run, records)
    assert {case: found.cases[case].peak_memory_mib for case in "XY"} == {"X": 512.0, "Y": None}
    assert {case: found.cases[case].speed for case in "XY"} == {"X": {}, "Y": {"inference": timing.throughput}}


def test_only_sound_results_make_a_baseline(make: Callable[..., CaseResult]):
    """All of them, and every seed of each."""
    good = make("X", table(), table())
    results = [good, make("Y", table())]
    assert sound(results, Path("run")) is results
    other = good.conditions.model_copy(update={"threshold": 0.5})
    cut = table((5, 8, 1))
    wrong = {
        "has no records": [],
        "case Y failed: it broke": [good, make("Y", failure="error", message="it broke")],
        "case Y was measured under other conditions than case X": [good, make("Y", table(), conditions=other)],
        "case X has 3 samples, expected 2": [make("X", cut, conditions=good.conditions)],
    }
    for problem, results in wrong.items():
        with pytest.raises(RecordError, match=problem) as caught:
            sound(results, Path("run"))
        assert caught.value.where == "run"
