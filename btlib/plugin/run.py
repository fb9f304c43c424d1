"""One run of a tier: opens the data once, executes each case once, asks the gate."""

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pytest
from filelock import FileLock
from numpy.typing import NDArray

from btlib.baselines import Baseline, Verdict
from btlib.cases import Case, Prepared, Work, load_cases
from btlib.data import load_dataset, phantom_folder
from btlib.data.cache import cache_root
from btlib.data.dataset import Dataset
from btlib.errors import BaselineError, BtlibWarning, OptionError
from btlib.plugin.options import STATUS, apply
from btlib.protocol import TIERS, Tier
from btlib.registry import unknown_name
from btlib.reporting.comparison import verdicts
from btlib.results import CaseResult
from btlib.runs import CaseRecord, RunFolder, RunInfo
from btlib.runs.environment import checkout
from btlib.runs.execute import run_case
from btlib.runs.results import as_results
from btlib.splits import make_split
from btlib.types import Scaling

if TYPE_CHECKING:
    from btlib.plugin.session import Session

_QUIET = 10.0  # seconds between two lines of progress: a short training says nothing, a long one where it is
_ROUNDS = (3, 50)  # of one throughput figure, at least and at most


def fail(message: str, status: str) -> NoReturn:
    """Fail the item, and say which verdict did it (see `pytest_runtest_makereport`)."""
    failure = pytest.fail.Exception(message, pytrace=False)
    setattr(failure, STATUS, status)
    raise failure


@dataclass(eq=False)
class Run:
    """The run of a tier.

    Attributes:
        tier: Its settings, with what the user asked for.
        work: What its cases get.
        folder: What it leaves behind.
        baseline: What its cases are held against, or why there is none.
        seeds: The seeds that each case is measured with.
        load: Gives the slices of this run at a size and scaling.
    """

    tier: Tier
    work: Work
    folder: RunFolder
    baseline: Baseline | BaselineError
    session: "Session"
    seeds: tuple[int, ...]
    load: Callable[[int, Scaling], Dataset]
    _ready: dict[str, Prepared] = field(default_factory=dict)

    def record(self, case: str, seed: int) -> CaseRecord:
        """The record of a case and seed, executed if it has not been in this run; its errors are in the record."""
        path = self.folder.record_path(case, seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):  # another xdist worker may be at it
            if path.exists():
                return CaseRecord.load(path)
            with self.session.speaking():
                result = run_case(
                    _case(case),
                    replace(self.work_of(case), seed=seed),
                    self.tier.name,
                    self.folder,
                    self.session.options.timeout,
                    self.work.dataset,
                )
        if result.prepared is not None and seed == self.work.seed:
            self._keep(case, result.prepared)
        return result.record

    def result(self, case: str) -> CaseResult:
        """What was measured of a case, all seeds together."""
        return as_results([self.record(case, seed) for seed in self.seeds])[0]

    def prepared(self, case: str) -> Prepared:
        """The predictor of a case with the first seed; the item fails where there is none."""
        record = self.record(case, self.work.seed)
        if record.outcome != "done":
            fail(f"case {case} has no predictor: {record.error}", record.outcome)
        if case not in self._ready:  # another worker made the record, or another case came between
            self._keep(case, _case(case).prepare(self.work_of(case)))
        return self._ready[case]

    def work_of(self, case: str) -> Work:
        """What a case gets: the slices at its own size and scaling, where it declares them."""
        size, scaling = _case(case).image_size or self.tier.protocol.image_size, _case(case).scaling
        return replace(self.work, dataset=self.load(size, scaling or self.tier.protocol.scaling))

    def batch(self, case: str, size: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Numbers and images of so many test slices as a case gets them, repeated where they are few."""
        dataset = self.work_of(case).dataset
        at = np.resize(self.work.split.test, size)
        return dataset.numbers[at], np.ascontiguousarray(dataset.images[at])

    def verdict(self, case: str, metric: str) -> Verdict:
        """The gate's word on a metric of a case."""
        found = verdicts(self.result(case), self.baseline, self.session.options.against)
        return next((v for v in found if v.metric == metric), Verdict(case, metric, "missing-baseline"))

    def check(self, case: str, metric: str) -> Verdict:
        """Fail the item unless the gate holds; an inconclusive verdict warns, or fails where the user is strict."""
        verdict = self.verdict(case, metric)
        records = ", ".join(str(self.folder.record_path(case, seed)) for seed in self.seeds)
        message = f"{verdict.describe()}\n  record     {records}"
        if verdict.failed or (verdict.status == "inconclusive" and self.session.options.strict):
            fail(message, verdict.status)
        if verdict.status == "inconclusive":
            warnings.warn(message, BtlibWarning, stacklevel=2)
        return verdict

    def throughput(self, benchmark: Any, case: str, figure: str, images: int, function: Callable[[], object]) -> None:
        """Time a function with pytest-benchmark, and keep its images/s under the name of the figure.

        Args:
            benchmark: pytest-benchmark's fixture.
            case: Whose figure it is.
            figure: Such as "inference, batch 16".
            images: How many images one call works on.
            function: Returns when the device is done.
        """
        function()  # the first call allocates and compiles
        began = time.perf_counter()
        function()
        once = time.perf_counter() - began
        rounds = min(max(int(self.tier.bench_seconds / max(once, 1e-9)), _ROUNDS[0]), _ROUNDS[1])
        benchmark.group = f"{self.tier.name}: {figure}"
        benchmark.extra_info.update(case=case, images=images, origin=self.work.dataset.origin)
        benchmark.pedantic(function, rounds=rounds, iterations=1)
        if benchmark.stats is not None:  # None where benchmarks are switched off
            self.folder.add_speed(case, figure, images / benchmark.stats.stats.median, rounds)

    def header(self) -> list[str]:
        """What a reader must know of the run before its first item."""
        return [
            f"btlib {self.tier.name}: {self.folder.info().data}",
            f"  held against baseline {self.folder.info().baseline}; records in {self.folder.path}",
        ]

    def _keep(self, case: str, prepared: Prepared) -> None:
        """One predictor at a time: seven models need not fit into memory together."""
        self._ready = {case: prepared}


def open_run(tier_name: str, session: "Session", cases: Sequence[str]) -> Run:
    """Open data, split and baseline of a tier and start its folder.

    Args:
        tier_name: Of the tier.
        session: Of pytest.
        cases: The cases that were collected.

    Raises:
        BtlibError: Data or split cannot be had, the user names a baseline that cannot be read, or is strict and a case
            of the baseline was not collected.
    """
    options, root = session.options, session.config.rootpath
    tier = apply(options, TIERS[tier_name])
    folder = options.data or _default_data(tier, root, session.live)

    @cache
    def load(image_size: int, scaling: Scaling) -> Dataset:
        whole = load_dataset(folder, image_size, scaling, progress=session.live)
        return whole if options.limit is None else whole.limit(options.limit)

    dataset = load(tier.protocol.image_size, tier.protocol.scaling)
    work = Work(
        dataset=dataset,
        split=make_split(tier.protocol.split, dataset),
        protocol=tier.protocol,
        recipe=tier.recipe,
        seed=options.seed,
        checkpoints=options.checkpoints,
        device=options.device,
        precision=tier.precision,
        retrain=options.retrain,
        thesis_checkpoints=options.thesis_checkpoints,
        say=_throttled(session.say),
        live=session.live,
    )
    path, baseline = session.baseline(tier_name)
    if options.baseline is not None and isinstance(baseline, BaselineError):
        raise baseline
    seeds = tuple(range(options.seed, options.seed + options.seeds))
    run = Run(tier, work, RunFolder(session.folder(tier.name)), baseline, session, seeds, load)
    _require_all(run, cases, options.strict)
    _require_known(run, options.against or ())
    run.folder.save_info(_info(run, path, cases))
    return run


def baseline_path(name: str, root: Path) -> Path:
    """A baseline by its name in `baselines/`, or by its path."""
    return Path(name).absolute() if name.endswith(".json") else root / "baselines" / f"{name}.json"


def load_baseline(path: Path) -> Baseline | BaselineError:
    """The baseline, or why it cannot be had: cases are measured and recorded even then, and fail."""
    try:
        return Baseline.load(path)
    except BaselineError as error:
        return error


def _case(name: str) -> Case:
    return load_cases()[name]


def _default_data(tier: Tier, root: Path, progress: bool) -> Path:
    real = root / "data_figshare" / "data"
    if not tier.always_phantom and any(real.glob("*.mat")):
        return real
    return phantom_folder(cache_root() / "phantoms", tier.phantom_slices, progress=progress)


def _require_all(run: Run, cases: Sequence[str], strict: bool) -> None:
    """Fail closed before anything is trained: a case that is left out cannot fall short."""
    left_out = [] if isinstance(run.baseline, BaselineError) else sorted(set(run.baseline.cases) - set(cases))
    if strict and left_out:
        raise OptionError(
            f"baseline {run.tier.baseline!r} has cases that were not collected: {', '.join(left_out)}",
            where="--bt-strict",
            mend="select all cases, or leave out --bt-strict",
        )


def _require_known(run: Run, against: Sequence[str]) -> None:
    known = [] if isinstance(run.baseline, BaselineError) else list(run.baseline.cases)
    for name in against:
        if name not in known:
            raise unknown_name("case of the baseline", name, known, where="--bt-against")


def _info(run: Run, baseline: Path, cases: Sequence[str]) -> RunInfo:
    commit, dirty = checkout(run.session.config.rootpath)
    dataset, split = run.work.dataset, run.work.split
    kind = "PHANTOM slices (synthetic, no patients)" if dataset.origin == "phantom" else "Figshare slices"
    return RunInfo(
        tier=run.tier.name,
        command=" ".join(["pytest", *sys.argv[1:]]),
        baseline=str(baseline),
        origin=dataset.origin,
        data=(
            f"{len(dataset)} {kind}, {dataset.image_size} px, {dataset.scaling} scaling; split {split.name}: "
            f"{len(split.train)} train, {len(split.val)} validation, {len(split.test)} test"
        ),
        recipe=asdict(run.tier.recipe),
        against=None if run.session.options.against is None else list(run.session.options.against),
        cases=list(cases),
        seeds=list(run.seeds),
        commit=commit,
        dirty=dirty,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _throttled(say: Callable[[str], None]) -> Callable[[str], None]:
    last = time.monotonic()

    def throttled(line: str) -> None:
        nonlocal last
        if time.monotonic() - last >= _QUIET:
            last = time.monotonic()
            say(line)

    return throttled
