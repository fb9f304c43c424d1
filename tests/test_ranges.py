"""Every entrance of a number with a range refuses what is outside it: options, settings, public functions, files."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from btlib import metrics, stats
from btlib.data import load_dataset
from btlib.data.sources.phantom.files import phantom_folder, write_phantoms
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.sources.tasks import PHANTOM
from btlib.data.task import Task
from btlib.errors import BtlibError
from btlib.evaluation import evaluate
from btlib.evaluation.aggregate import batch_mean
from btlib.evaluation.catalogue import METRICS
from btlib.explain.occlusion import occlusion_maps
from btlib.explain.patches import positions
from btlib.gate.baseline_case import ReferenceValue, Spread
from btlib.gate.gate_options import GateOptions
from btlib.gate.margins import margins_of
from btlib.gate.rule import status_of
from btlib.gate.throughput import judge_throughput
from btlib.options import Declared, PluginOption, RunOptions, parser_of, plugin_values
from btlib.protocol import TIERS, Protocol, Recipe
from btlib.ranges import Range, described
from btlib.runs.record import RunInfo
from btlib.runs.throughput import Throughput
from btlib.runs.timeout import time_limit
from btlib.speed.ceiling import measure_ceiling
from btlib.thesis.recipe import ThesisRecipe
from btlib.types import Predictions

RNG = np.random.default_rng(0)
A, B = RNG.random(12), RNG.random(12)
PROB = RNG.dirichlet(np.ones(3), 12)
TRUTH = RNG.integers(0, 3, 12)
MASK = np.eye(8, dtype=bool)
NEVER = (math.nan, math.inf, -math.inf, True, "1", [1])
"""Values that no entrance of one number accepts; infinity excepted where a bound says so."""


class Entrance(NamedTuple):
    """One number that enters somewhere.

    Attributes:
        enter: Function that passes the number.
        good: Values that are accepted.
        bad: Values that are refused, besides `NEVER`.
    """

    enter: Callable[[Any], object]
    good: tuple[Any, ...]
    bad: tuple[Any, ...]


def count(enter: Callable[[Any], object], least: int = 1, more: int = 2) -> Entrance:
    return Entrance(enter, (least, np.int64(more)), (least - 1, -5, least + 0.5))


def share(enter: Callable[[Any], object]) -> Entrance:
    return Entrance(enter, (0, 0.5, np.float32(0.25), 1.0), (-1e-9, 1 + 1e-9, 50))


def inside(enter: Callable[[Any], object], high: float = 1) -> Entrance:
    return Entrance(enter, (0.01, 0.99 * high), (0, high, -0.5, 95))


def positive(enter: Callable[[Any], object]) -> Entrance:
    return Entrance(enter, (1e-9, 3), (0, -0.02))


def weight(enter: Callable[[Any], object]) -> Entrance:
    return Entrance(enter, (0, 2.5), (-1e-9, -1))


def loss(enter: Callable[[Any], object]) -> Entrance:
    return Entrance(enter, (0, 0.25, 0.99), (-0.1, 1, 1.5))


class Half:
    def predict(self, images: Any) -> Predictions:
        return Predictions(np.full((len(images), 1, *images.shape[2:]), 0.5, np.float32), None)


def dataset(**given: Any) -> Any:
    return load_dataset(PhantomSource(task=SIMULATED, n=3, size=16), **{"image_size": 16, **given})


SIMULATED = Task(name="disc", structures=("disc",), synthetic=True)
FULL = TIERS["full"]
SPEED = Throughput(images_per_second=10, ratio=1.0, low=0.9, high=1.1)
FOUND = stats.crossed(A, B, between_trainings=stats.Variance(1e-4, 9))
LEVELS = (0.025, 0.05)
FIGURE = {"metric": "dice", "value": 0.7, "aggregation": "slice-mean", "source": "here"}
INFO = {"tier": "full", "command": "", "baseline": "", "task": PHANTOM, "data": "", "started": ""}


def timing(**given: Any) -> object:
    known = {"margin": 0.2, "noise": 0.0, "alike": None, "same_machine": False}
    return judge_throughput("A", "inference", SPEED, SPEED, **{**known, **given})


def limited(seconds: Any) -> None:
    with time_limit(seconds):
        pass


def published(**given: Any) -> object:
    known = {"mean": 0.5, "std": 0.1, "n": 9, "between_trainings": stats.Variance(1e-4, 9)}
    return stats.crossed_with_published(A, **{**known, **given})


def option(value: Any) -> object:
    return plugin_values([PluginOption("rounds", Declared("rounds", "count"))], {"rounds": value}, Path())


def parsed(kind: Any) -> Callable[[Any], object]:
    return lambda value: parser_of(Declared("", kind), Path(), "--x")(value if isinstance(value, str) else str(value))


ENTRANCES: dict[str, Entrance] = {
    **{
        f"options.{name}": Entrance(lambda v, name=name: RunOptions(**{name: v}), (1, 99), (0, -1, 1.5))
        for name in ("limit", "epochs", "image_size", "batch_size", "timeout")
    },
    "options.seed": Entrance(lambda v: RunOptions(seed=v), (0, 7), (-1, 0.5, 2**32)),
    "plug-in's option": count(option),
    "protocol.image_size": count(lambda v: Protocol(image_size=v), 2, 64),
    "protocol.threshold": share(lambda v: Protocol(threshold=v)),
    "protocol.batch_mean_size": count(lambda v: Protocol(batch_mean_size=v)),
    "recipe.epochs": count(lambda v: Recipe(epochs=v)),
    "recipe.batch_size": count(lambda v: Recipe(batch_size=v)),
    "recipe.learning_rate": positive(lambda v: Recipe(learning_rate=v)),
    "thesis.recipe.epochs": count(lambda v: ThesisRecipe(epochs=v)),
    "thesis.recipe.head_epochs": count(lambda v: ThesisRecipe(head_epochs=v)),
    "thesis.recipe.seg_weight": weight(lambda v: ThesisRecipe(seg_weight=v)),
    "thesis.recipe.cls_weight": weight(lambda v: ThesisRecipe(cls_weight=v)),
    "with_epochs": count(lambda v: Recipe().with_epochs(v)),
    **{
        f"tier.{name}": count(lambda v, name=name: replace(FULL, **{name: v}))
        for name in ("explain_samples", "explain_patches", "explain_steps")
    },
    "tier.phantom_samples": count(lambda v: replace(FULL, phantom_samples=v), 0),
    "tier.bench_seconds": weight(lambda v: replace(FULL, bench_seconds=v)),
    "tier.speed_margin": loss(lambda v: replace(FULL, speed_margin=v)),
    "evaluate.threshold": share(lambda v: evaluate(Half(), dataset(), threshold=v)),
    "evaluate.batch_size": count(lambda v: evaluate(Half(), dataset(), batch_size=v)),
    "load_dataset.image_size": count(lambda v: dataset(image_size=v), 2, 8),
    "dataset.limit": Entrance(lambda v: dataset().limit(v), (1, 3), (0, 4, 1.5)),
    "phantoms.n": count(lambda v: PhantomSource(SIMULATED, v)),
    "phantoms.size": count(lambda v: PhantomSource(SIMULATED, 2, size=v)),
    "phantoms.each": count(lambda v: PhantomSource(SIMULATED, 2, each=v)),
    "phantoms.seed": count(lambda v: PhantomSource(SIMULATED, 2, seed=v), 0),
    "task.spacing": positive(lambda v: Task(name="x", structures=("a",), spacing=(v, 1.0))),
    "margin of the rule": positive(lambda v: status_of(FOUND, v, 1, *LEVELS)),
    "gate.alpha": inside(lambda v: GateOptions(alpha=v)),
    "gate.looks": count(lambda v: GateOptions(looks=v)),
    "options.alpha": inside(lambda v: RunOptions(alpha=v)),
    "baseline.margin": positive(lambda v: ReferenceValue(**FIGURE, margin=v)),
    "baseline.std": weight(lambda v: ReferenceValue(**FIGURE, std=v)),
    "baseline.spread": weight(lambda v: Spread(sd=v, trainings=3, source="here")),
    "margin of the speed": loss(lambda v: timing(margin=v)),
    "noise of the speed": weight(lambda v: timing(noise=v)),
    "run.speed_margin": loss(lambda v: RunInfo(**INFO, speed_margin=v)),
    "throughput": positive(lambda v: Throughput(images_per_second=v)),
    "time limit": Entrance(limited, (60, 5.5), (0, -1)),
    "measure_ceiling.seconds": Entrance(lambda v: measure_ceiling(seconds=v), (), (0, -1)),
    "occlusion.patch": count(lambda v: positions((8, 8), v, 1)),
    "occlusion.stride": count(lambda v: positions((8, 8), 4, v)),
    "occlusion.batch_size": count(lambda v: occlusion_maps(bright, np.ones((8, 8)), patch=4, stride=4, batch_size=v)),
    "metrics.ece": count(lambda v: metrics.ece(PROB, TRUTH, v)),
    "metrics.confusion_matrix": Entrance(lambda v: metrics.confusion_matrix(TRUTH, TRUTH, v), (3, 4), (2, 0, -1, 3.5)),
    "metrics.misses": share(lambda v: metrics.misses(A, v)),
    "metrics.surface_dice": weight(lambda v: metrics.surface_dice(MASK, MASK, v)),
    "batch_mean": count(lambda v: batch_mean(A, v)),
    "paired.n_resamples": count(lambda v: stats.paired(A, B, n_resamples=v)),
    "paired.confidence": inside(lambda v: stats.paired(A, B, confidence=v)),
    "paired.seed": count(lambda v: stats.paired(A, B, seed=v), 0),
    "unpaired.confidence": inside(lambda v: stats.unpaired(A, B, range(12), range(12), confidence=v)),
    "percentile_levels.confidence": inside(lambda v: stats.percentile_levels(v, 9)),
    "percentile_levels.n_groups": count(lambda v: stats.percentile_levels(0.95, v), 2, 9),
    "crossed.bound": inside(lambda v: stats.crossed(A, B).bound(v)),
    "t_test.error": weight(lambda v: stats.t_test(0.0, v, 3)),
    "t_test.freedom": positive(lambda v: stats.t_test(0.1, 0.1, v)),
    "t_test.interval": inside(lambda v: stats.t_test(0.1, 0.1, 3).interval(v)),
    "Welch's n": Entrance(lambda v: stats.unpaired_mean_difference(0.1, 1, v, 0.2, 1, 9), (2, 7.5), (1, 0, -3)),
    "Welch's std": weight(lambda v: stats.unpaired_mean_difference(0.1, v, 9, 0.2, 1, 9)),
    "Welch's confidence": inside(lambda v: stats.unpaired_mean_difference(0.1, 1, 9, 0.2, 1, 9, v)),
    "summary.n": count(lambda v: stats.paired_t_from_summary(0.7, 0.2, 0.6, 0.2, 0.5, v), 2, 50),
    "summary.std": weight(lambda v: stats.paired_t_from_summary(0.7, v, 0.6, 0.2, 0.5, 9)),
    "summary.correlation": Entrance(
        lambda v: stats.paired_t_from_summary(0.7, 0.2, 0.6, 0.3, v, 9), (-1, 0, 0.5, 1), (-1.01, 1.01, 50)
    ),
    "implied.std": Entrance(lambda v: stats.implied_correlation(0.7, v, 0.71, 0.2, -1.5, 50), (0.2,), (0, -0.2)),
    "wilson.n": count(lambda v: stats.wilson(0, v)),
    "wilson.successes": Entrance(lambda v: stats.wilson(v, 9), (0, 9), (-1, 10, 0.5)),
    "wilson.confidence": inside(lambda v: stats.wilson(1, 2, v)),
    "mcnemar": count(lambda v: stats.mcnemar_from_counts(v, 3), 0),
    "odds ratio": count(lambda v: stats.matched_odds_ratio(v, 3), 0),
    "odds ratio's confidence": inside(lambda v: stats.matched_odds_ratio(2, 3, v)),
    "corrected_t.n_train": count(lambda v: stats.corrected_t(A, v, 5)),
    "corrected_t.n_test": count(lambda v: stats.corrected_t(A, 5, v)),
    "resamples_for.n_tests": count(lambda v: stats.resamples_for(v)),
    "resamples_for.alpha": inside(lambda v: stats.resamples_for(3, v)),
    "resamples_for.least": count(lambda v: stats.resamples_for(3, 0.05, v)),
    "tost.margin": positive(lambda v: stats.tost(A, B, v)),
    "tost.alpha": inside(lambda v: stats.tost(A, B, 0.1, v), 0.5),
    "inside_margin": positive(lambda v: stats.inside_margin(-0.1, 0.1, v)),
    "rank_models.alpha": inside(lambda v: stats.rank_models(RNG.random((5, 3)), alpha=v)),
    "speedup.confidence": inside(lambda v: stats.speedup(A + 1, B + 1, v)),
    "p_pass.margin": positive(lambda v: stats.p_pass(FOUND, v, 0.025)),
    "p_pass.level": inside(lambda v: stats.p_pass(FOUND, 0.1, v)),
    "p_regressed.margin": positive(lambda v: stats.p_regressed(FOUND, v, 0.05, 0.1)),
    "p_regressed.red": inside(lambda v: stats.p_regressed(FOUND, 0.1, v, 0.1)),
    "detectable.margin": positive(lambda v: stats.detectable(FOUND, v, 0.05)),
    "detectable.red": inside(lambda v: stats.detectable(FOUND, 0.1, v)),
    "detectable.power": inside(lambda v: stats.detectable(FOUND, 0.1, 0.05, v)),
    "enough.margin": positive(lambda v: stats.enough(FOUND, v, 0.025)),
    "enough.level": inside(lambda v: stats.enough(FOUND, 0.1, v)),
    "enough.power": inside(lambda v: stats.enough(FOUND, 0.1, 0.025, v)),
    "published.std": weight(lambda v: published(std=v)),
    "published.n": Entrance(lambda v: published(n=v), (2, 7.5), (1, 0, -3)),
    "variance": weight(lambda v: stats.Variance(v, 3)),
    "variance's freedom": positive(lambda v: stats.Variance(0.1, v)),
}
UNBOUNDED = {"variance's freedom"}
"""Entrances at which infinity has a meaning: a known variance has infinitely many degrees of freedom."""


def bright(images: Any) -> Any:
    return images.mean(axis=(1, 2))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.mark.parametrize("name", ENTRANCES)
def test_a_number_out_of_range_is_refused_where_it_enters(name: str):
    enter, _, bad = ENTRANCES[name]
    for value in (*bad, *NEVER):
        if name in UNBOUNDED and value == math.inf:
            continue
        with pytest.raises((BtlibError, ValidationError)) as caught:
            enter(value)
        assert isinstance(caught.value, ValidationError) or caught.value.hint or caught.value.where, value


@pytest.mark.parametrize("name", ENTRANCES)
def test_a_number_in_its_range_is_accepted(name: str):
    enter, good, _ = ENTRANCES[name]
    for value in good:
        try:
            enter(value)
        except ValidationError:  # files contain no NumPy numbers
            assert isinstance(value, np.generic)


@pytest.mark.parametrize("kind", ["count", "seed"])
@pytest.mark.parametrize("text", ["-1", "1.5", "nan", "inf", "True", "", "ten", "²", "1e3", "99999999999999999999x"])
def test_an_option_on_a_command_line_is_a_whole_number(kind: str, text: str):
    with pytest.raises(BtlibError, match="--x: expected a whole number from"):
        parsed(kind)(text)
    assert parsed(kind)("7") == 7


@pytest.mark.parametrize("make", [write_phantoms, phantom_folder])
@pytest.mark.parametrize(("n", "seed"), [(0, 0), (-1, 0), (math.nan, 0), (True, 0), ("2", 0), (2, -1), (2, 0.5)])
def test_phantoms_of_no_number_are_not_drawn(tmp_path: Path, make: Callable[..., Path], n: Any, seed: Any):
    with pytest.raises(BtlibError, match=r"phantoms: .*expected a whole number from"):
        make(tmp_path, n, seed)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [0, -0.1, 1, 1.5, math.nan, math.inf, True, "0.02"])
def test_a_margin_of_dice_is_inside_its_range(value: Any):
    assert value not in margins_of(METRICS["dice"])
    assert 0.02 in margins_of(METRICS["dice"])
    assert 5.0 in margins_of(METRICS["hd95"])


def test_two_weights_of_0_are_no_loss():
    with pytest.raises(BtlibError, match="there is no loss"):
        ThesisRecipe(seg_weight=0, cls_weight=0)


@pytest.mark.parametrize(
    ("allowed", "text"),
    [
        (Range(1, whole=True), "a whole number from 1"),
        (Range(0, 1), "a finite number from 0 to 1"),
        (Range(0, 1, above=True, below=True), "a finite number above 0 and below 1"),
        (Range(), "a finite number"),
        (Range(high=3, below=True), "a finite number below 3"),
    ],
)
def test_a_range_is_said_in_words(allowed: Range, text: str):
    assert str(allowed) == text
    with pytest.raises(BtlibError, match=f"^x: expected {text}, got 'none'\nHint: give {text}$"):
        allowed.require("none", "x")


class Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    count: Annotated[int, Field(ge=1, lt=9)] = 1
    name: Annotated[str, Field(min_length=1)] = "x"
    way: Literal["up", "down"] = "up"
    on: bool = True


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("share", 0, "expected a number above 0, got 0"),
        ("share", 1.5, "expected a number up to 1, got 1.5"),
        ("share", math.nan, "expected a finite number, got nan"),
        ("share", "0.5", "expected a number, got '0.5'"),
        ("count", 0, "expected a number from 1, got 0"),
        ("count", 9, "expected a number below 9, got 9"),
        ("count", 1.5, "expected a whole number, got 1.5"),
        ("name", "", "expected text that is not blank, got ''"),
        ("name", 3, "expected text, got 3"),
        ("way", "left", "expected 'up' or 'down', got 'left'"),
        ("on", "yes", "expected true or false, got 'yes'"),
        ("count", "7" * 99, "expected a whole number"),  # a long value is not shown
    ],
)
def test_a_fault_of_a_field_is_said_in_the_same_words(field: str, value: Any, text: str):
    with pytest.raises(ValidationError) as caught:
        Fields(**{field: value})
    (fault,) = caught.value.errors()
    assert described(fault) == text
