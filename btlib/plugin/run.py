"""One run of a tier: opens the data once, executes each case once, asks the gate."""

import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock

from btlib.baselines import Baseline, Verdict
from btlib.cases import Case, Prepared, Work, load_cases
from btlib.data import load_dataset, phantom_folder
from btlib.data.cache import cache_root
from btlib.errors import BaselineError, BtlibWarning
from btlib.plugin.options import apply
from btlib.protocol import TIERS, Tier
from btlib.reporting.comparison import verdicts
from btlib.runs import CaseRecord, RunFolder, RunInfo
from btlib.runs.execute import run_case
from btlib.splits import make_split

if TYPE_CHECKING:
    from btlib.plugin.session import Session

_QUIET = 10.0  # seconds between two lines of progress: a short training says nothing, a long one where it is
_ROUNDS = (3, 50)  # of one throughput figure, at least and at most


@dataclass(eq=False)
class Run:
    """The run of a tier.

    Attributes:
        tier: Its settings, with what the user asked for.
        work: What its cases get.
        folder: What it leaves behind.
        baseline: What its cases are held against, or why there is none.
    """

    tier: Tier
    work: Work
    folder: RunFolder
    baseline: Baseline | BaselineError
    session: "Session"
    _ready: dict[str, Prepared] = field(default_factory=dict)

    def record(self, case: str) -> CaseRecord:
        """The record of a case, which is executed if it has not been in this run; its errors are in the record."""
        path = self.folder.record_path(case)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):  # another xdist worker may be at it
            if path.exists():
                return CaseRecord.load(path)
            with self.session.speaking():
                result = run_case(_case(case), self.work, self.tier.name, self.folder)
        if result.prepared is not None:
            self._keep(case, result.prepared)
        return result.record

    def prepared(self, case: str) -> Prepared:
        """The predictor of a case; the item fails where there is none."""
        record = self.record(case)
        if record.outcome == "error":
            pytest.fail(f"case {case} has no predictor: {record.error}", pytrace=False)
        if case not in self._ready:  # another worker made the record, or another case came between
            self._keep(case, _case(case).prepare(self.work))
        return self._ready[case]

    def verdict(self, case: str, metric: str) -> Verdict:
        """The gate's word on a metric of a case."""
        return next(v for v in verdicts(self.record(case), self.baseline) if v.metric == metric)

    def check(self, case: str, metric: str) -> Verdict:
        """Fail the item unless the gate holds; an inconclusive verdict warns, or fails where the user is strict."""
        verdict = self.verdict(case, metric)
        message = f"{verdict.describe()}\n  record     {self.folder.record_path(case)}"
        if verdict.failed or (verdict.status == "inconclusive" and self.session.options.strict):
            pytest.fail(message, pytrace=False)
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


def open_run(tier_name: str, session: "Session") -> Run:
    """Open data, split and baseline of a tier and start its folder.

    Raises:
        BtlibError: Data or split cannot be had, or the user names a baseline that cannot be read.
    """
    options, root = session.options, session.config.rootpath
    tier = apply(options, TIERS[tier_name])
    folder = options.data or _default_data(tier, root, session.live)
    dataset = load_dataset(folder, tier.protocol.image_size, tier.protocol.scaling, progress=session.live)
    if options.limit is not None:
        dataset = dataset.limit(options.limit)
    work = Work(
        dataset=dataset,
        split=make_split(tier.protocol.split, dataset),
        protocol=tier.protocol,
        recipe=tier.recipe,
        seed=options.seed,
        checkpoints=options.checkpoints,
        device=options.device,
        precision=options.precision,
        retrain=options.retrain,
        thesis_checkpoints=options.thesis_checkpoints,
        say=_throttled(session.say),
        live=session.live,
    )
    path = baseline_path(tier.baseline, root)
    baseline = load_baseline(path)
    if options.baseline is not None and isinstance(baseline, BaselineError):
        raise baseline
    run = Run(tier, work, RunFolder(session.folder(tier.name)), baseline, session)
    run.folder.save_info(_info(run, path))
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


def _info(run: Run, baseline: Path) -> RunInfo:
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
