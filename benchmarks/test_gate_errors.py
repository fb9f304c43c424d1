"""Error rates and power of the gate, by simulation: red, suspect, green and inconclusive verdicts side by side.

    pytest benchmarks -m statistics -s

A simulated training gives each sample the value of the baseline, plus an effect of the training, one of the training on
each patient, and noise. The spread between trainings is measured from ten other simulated trainings of the same test
set, as `btlib baseline spread` does. Unchanged code trains the same distribution again.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tabulate import tabulate

from btlib import Baseline, stats
from btlib.gate.gate_options import GateOptions
from btlib.gate.power import expected_power
from btlib.gate.rule import DRIFT_MARGINS, status_of
from btlib.gate.trainings import ASSUMED_SHARE, PRIOR_WEIGHT

pytestmark = pytest.mark.statistics

Array = NDArray[np.float64]
Status = str

SIMULATIONS, MARGIN, SUITE = 1000, 0.02, 12
OWN = 0.15
"""Standard deviation per sample of what one training does not share with others: Dice of two trainings with standard
deviation 0.25 and correlation 0.64."""

COLUMNS = ("regressed", "suspect", "inconclusive", "pass")


@dataclass(frozen=True)
class World:
    """How trainings and samples vary.

    Attributes:
        n: Test samples.
        persons: Persons of the test samples, with equal numbers of samples.
        alike: Intra-person correlation of what trainings do not share.
        spread: Standard deviation of the effect of a training on all samples.
        seeds: Trainings of the measured case and of the baseline.
        family: Gated metrics of the baseline.
        stored: Trainings that measured the spread; 0 if no spread is known.
        pool: Standard deviation of the other cases of the baseline as a multiple of this case's; None without others.
        looks: Stages of seeds.
    """

    n: int = 612
    persons: int = 47
    alike: float = 0.5
    spread: float = 0.01
    seeds: tuple[int, int] = (1, 1)
    family: int = SUITE
    stored: int = 10
    pool: float | None = None
    looks: int = 1

    @property
    def groups(self) -> NDArray[np.int64]:
        """Person of each sample."""
        return np.arange(self.n) * self.persons // self.n

    def trainings(self, rng: np.random.Generator, count: int, loss: float = 0.0) -> Array:
        """Return the deviations of trainings from the mean case, float64 [count, n]."""
        shared = rng.normal(0, self.spread, (count, 1)) - loss
        persons = rng.normal(0, OWN * math.sqrt(self.alike), (count, self.persons))[:, self.groups]
        return np.asarray(shared + persons + rng.normal(0, OWN * math.sqrt(1 - self.alike), (count, self.n)))


def known_spread(world: World, runs: Array) -> tuple[stats.Variance, float]:
    """Return the variance between trainings and their interaction with persons, as a baseline stores them."""
    between = stats.between_seeds(runs)
    assert between is not None
    return between, stats.interaction(runs, world.groups)


def compared(world: World, ours: Array, theirs: Array, spread: tuple[stats.Variance, float] | None) -> stats.Crossed:
    """Compare two sets of trainings as the gate does."""
    own = stats.between_seeds(ours)
    if spread is None:
        between, apart = stats.moderated(own, stats.between_seeds(theirs)), 0.0
        if between is None:
            between = stats.Variance(ASSUMED_SHARE**2, math.inf)
    else:
        between, apart = stats.moderated(own, spread[0]), spread[1]
        assert between is not None
    if world.pool is not None:
        true = world.spread**2 + OWN**2 * (world.alike / world.persons + (1 - world.alike) / world.n)
        between = stats.moderated(between, stats.Variance(world.pool**2 * true, PRIOR_WEIGHT)) or between
    return stats.crossed(ours, theirs, world.groups, between_trainings=between, interaction=apart)


def verdict(world: World, found: stats.Crossed, margin: float = MARGIN) -> Status:
    options = GateOptions(looks=world.looks)
    status = status_of(found, margin, 1, options.level, options.red(world.family))
    return "pass" if status == "improved" else status


def simulated(
    world: World, loss: float, simulations: int = SIMULATIONS, seed: int = 0
) -> tuple[list[Status], list[stats.Crossed]]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(simulations):
        spread = known_spread(world, world.trainings(rng, world.stored)) if world.stored else None
        ours, theirs = (world.trainings(rng, count, lost) for count, lost in zip(world.seeds, (loss, 0.0), strict=True))
        found.append(compared(world, ours, theirs, spread))
    return [verdict(world, one) for one in found], found


def shares(statuses: Sequence[Status]) -> dict[str, str]:
    return {name: f"{100 * statuses.count(name) / len(statuses):.1f} %" for name in COLUMNS}


def share(statuses: Sequence[Status], name: str) -> float:
    return statuses.count(name) / len(statuses)


def show(title: str, rows: Sequence[dict[str, Any]]) -> None:
    print(f"\n\n{title}\n{tabulate(rows, 'keys', 'github', disable_numparse=True)}")


def once(benchmark: Any, function: Callable[[], Any]) -> Any:
    return benchmark.pedantic(function, rounds=1, iterations=1)


LOSSES = (0.0, MARGIN, 2 * MARGIN, 0.05)
SIZES = ((48, 10), (48, 47), (245, 47), (612, 10), (612, 47), (612, 200))


@pytest.mark.parametrize("seeds", [(1, 1), (3, 1), (3, 3)], ids=["1v1", "3v1", "3v3"])
def test_retrained_code(benchmark: Any, seeds: tuple[int, int]) -> None:
    """Red, suspect and green together, with the spread stored from ten trainings, in a suite of 12."""
    rows, red = [], {}

    def run() -> None:
        for n, persons in SIZES:
            for alike in (0.3, 0.7):
                world = World(n=n, persons=persons, alike=alike, seeds=seeds)
                for loss in LOSSES:
                    statuses, found = simulated(world, loss)
                    options = GateOptions()
                    passes = np.mean([stats.p_pass(one, MARGIN, options.level) for one in found])
                    finds = np.median([stats.detectable(one, MARGIN, options.red(SUITE)) for one in found])
                    names = {"n": n, "persons": persons, "correlation": alike, "loss": f"{loss:g}"}
                    power = {"P(pass) stated": f"{100 * passes:.0f} %", "finds": f"{finds:.3f}"}
                    rows.append(names | shares(statuses) | power)
                    red[n, persons, alike, loss] = statuses

    once(benchmark, run)
    show(f"{seeds[0]} seeds against {seeds[1]}, spread {World.spread} stored from ten trainings, margin {MARGIN}", rows)
    for (_, persons, _, loss), statuses in red.items():
        if persons >= 20:
            limit = 0.05 / SUITE if loss == 0 else 1
            assert share(statuses, "regressed") <= limit + 3 * math.sqrt(limit / SIMULATIONS)
            if loss == MARGIN:
                assert share(statuses, "pass") <= 0.025 + 0.015
    sure = red[612, 200, 0.3, 0.05]
    assert share(sure, "pass") == 0


@pytest.mark.parametrize("family", [1, 12, 24])
def test_a_suite_of_unchanged_cases(benchmark: Any, family: int) -> None:
    """Probability that any metric is red, and that all are green. The metrics are independent, the worst case."""
    rows = []

    def run() -> None:
        for name, world in {
            "stored spread": World(family=family),
            "no spread known": World(family=family, stored=0),
            "3 against 3, nothing stored": World(family=family, stored=0, seeds=(3, 3)),
            "others vary three times as much": World(family=family, stored=0, seeds=(3, 3), pool=3.0),
            "others vary a third as much": World(family=family, stored=0, seeds=(3, 3), pool=1 / 3),
        }.items():
            each = simulated(world, 0.0, 400 * family, seed=family)[0]
            suites = [each[at : at + family] for at in range(0, len(each), family)]
            any_red = float(np.mean(["regressed" in suite for suite in suites]))
            any_suspect = float(np.mean(["suspect" in suite for suite in suites]))
            green = float(np.mean([set(suite) == {"pass"} for suite in suites]))
            percent = {"any red": any_red, "any suspect": any_suspect, "all green": green}
            rows.append({"suite": family, "spread": name} | {key: f"{100 * v:.1f} %" for key, v in percent.items()})
            assert any_red <= 0.05 + 2.6 * math.sqrt(0.05 * 0.95 / 400), name

    once(benchmark, run)
    show(f"Suites of {family} unchanged metrics, 612 samples of 47 persons", rows)


def test_rare_clustered_failures(benchmark: Any) -> None:
    """Accuracy: a new fault makes 2 % of the samples wrong, all of one person or of few. Green is not safe here."""
    rows = []

    def run() -> None:
        rng = np.random.default_rng(3)
        for persons, hurt in ((10, 1), (47, 1), (47, 3), (200, 4), (200, 12)):
            world = World(persons=persons)
            statuses = []
            for _ in range(SIMULATIONS):
                chance = MARGIN * persons / hurt
                ill = rng.permutation(persons) < rng.binomial(persons, hurt / persons)
                wrong = ill[world.groups] & (rng.random(world.n) < chance)
                same = stats.crossed(1.0 - wrong, np.ones(world.n), world.groups)
                statuses.append(verdict(world, same))
            rows.append({"persons": persons, "persons with failures": hurt} | shares(statuses))

    once(benchmark, run)
    show("True loss of 0.02 by failures in few persons, the same models: a pass is a false pass", rows)


def test_a_case_at_one(benchmark: Any) -> None:
    """Baseline and unchanged case are right on all samples; the spread comes from the other cases."""
    rows = []

    def run() -> None:
        rng = np.random.default_rng(4)
        for n in (48, 612):
            for lost in (0.0, MARGIN, 0.05):
                world = World(n=n, persons=min(47, n))
                statuses = []
                for _ in range(SIMULATIONS):
                    right = np.ones((1, n))
                    ours = (rng.random((1, n)) >= lost).astype(float)
                    between = stats.Variance(0.01**2, PRIOR_WEIGHT)
                    found = stats.crossed(ours, right, world.groups, between_trainings=between)
                    statuses.append(verdict(world, found))
                rows.append({"n": n, "true loss": f"{lost:g}"} | shares(statuses))
                if lost == 0:
                    assert share(statuses, "regressed") == 0

    once(benchmark, run)
    show("Accuracy of a baseline at 1.0", rows)


def test_drift(benchmark: Any) -> None:
    """Twenty acceptances: of unchanged code, and of code that loses 0.005 each time."""
    rows = []
    world = World(seeds=(3, 3))

    def chain(rng: np.random.Generator, step: float) -> tuple[int | None, int | None]:
        """Return at which acceptance the comparison with the first numbers, or with the last, was red first."""
        spread = known_spread(world, world.trainings(rng, 10))
        first = last = world.trainings(rng, 3)
        drifted = regressed = None
        for k in range(1, 21):
            now = world.trainings(rng, 3, step * k)
            if (
                drifted is None
                and verdict(world, compared(world, now, first, spread), DRIFT_MARGINS * MARGIN) == "regressed"
            ):
                drifted = k
            if regressed is None and verdict(world, compared(world, now, last, spread)) == "regressed":
                regressed = k
            last = now
        return drifted, regressed

    def run() -> None:
        for step in (0.0, 0.005):
            found = [chain(np.random.default_rng((5, k)), step) for k in range(300)]
            drifts = [k for k, _ in found if k is not None]
            rows.append(
                {
                    "loss of each acceptance": f"{step:g}",
                    "stopped by the first numbers": f"{len(drifts) / 3:.1f} %",
                    "median acceptance": f"{np.median(drifts):.0f}" if drifts else "–",
                    "red against the last": f"{sum(k is not None for _, k in found) / 3:.1f} %",
                }
            )
            if step:
                assert len(drifts) == len(found)
            else:
                assert len(drifts) <= 0.05 * len(found)

    once(benchmark, run)
    show("Twenty accepted runs of 3 seeds, 612 samples of 47 persons", rows)


def test_staged_seeds(benchmark: Any) -> None:
    """Seeds are added (1, 3, 5) until the verdict is clear; every level is divided by the three looks."""
    rows = []
    stages = (1, 3, 5)

    def run() -> None:
        for loss in LOSSES:
            rng = np.random.default_rng(6)
            final, used = [], []
            for _ in range(SIMULATIONS):
                world = World(seeds=(5, 1), looks=len(stages))
                spread = known_spread(world, world.trainings(rng, 10))
                ours, theirs = world.trainings(rng, 5, loss), world.trainings(rng, 1)
                for count in stages:
                    status = verdict(world, compared(world, ours[:count], theirs, spread))
                    if status in ("pass", "regressed"):
                        break
                final.append(status)
                used.append(count)
            rows.append({"loss": f"{loss:g}"} | shares(final) | {"mean seeds": f"{np.mean(used):.2f}"})
            if loss == 0:
                assert share(final, "regressed") <= 0.05 / SUITE + 3 * math.sqrt(0.05 / SUITE / SIMULATIONS)
            if loss == MARGIN:
                assert share(final, "pass") <= 0.025 + 0.015

    once(benchmark, run)
    show("--bt-seeds 1..5 against one seed, 612 samples of 47 persons, a suite of 12", rows)


def test_what_the_shipped_baselines_can_find(capsys: pytest.CaptureFixture[str]) -> None:
    """Per baseline and case: P(pass | unchanged), and the seeds and patients that reach 80 %."""
    for path in sorted(Path("baselines").glob("*.json")):
        baseline = Baseline.load(path)
        if baseline.kind == "published":
            continue
        rows = [
            {
                "case": row.case,
                "metric": row.metric,
                "margin": f"{row.margin:g}",
                "sd": f"{row.sd:.4f}",
                "degrees of freedom": "assumed" if row.assumed else f"{row.freedom:.0f}",
                **{
                    f"P(pass), {seeds} seeds": f"{100 * one.power.p_pass:.0f} %"
                    for seeds, one in ((k, more[at]) for k, more in powers.items())
                },
                "finds (1 seed)": f"{row.power.detectable:.3f}",
                "seeds": row.power.trainings or "–",
                "patients": row.power.groups or "–",
            }
            for powers in [{k: expected_power(baseline, k) for k in (1, 3)}]
            for at, row in enumerate(powers[1])
        ]
        with capsys.disabled():
            show(baseline.name, rows)
        assert all(0 <= row.power.p_pass <= 1 for row in expected_power(baseline))


def test_one_comparison_is_what_the_gate_sees() -> None:
    """The simulated rule has the levels of the gate: a look at one of three has a third of them."""
    world = World()
    rng = np.random.default_rng(7)
    found = compared(
        world, world.trainings(rng, 1, 0.05), world.trainings(rng, 1), known_spread(world, world.trainings(rng, 10))
    )
    assert verdict(world, found) == status_of(found, MARGIN, 1, 0.025, 0.05 / SUITE)
    assert verdict(replace(world, looks=3), found) == status_of(found, MARGIN, 1, 0.025 / 3, 0.05 / SUITE / 3)
