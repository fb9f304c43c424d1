"""Opening of a run: options, data, splits and baseline are checked before any model is trained."""

import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from btlib import hooks
from btlib.adapters.device_choice import check_available
from btlib.api.benchmark_run import BenchmarkRun
from btlib.api.own_task import Compared, of_task
from btlib.cases import load_cases
from btlib.cases.load import spec_of
from btlib.data import phantom_folder
from btlib.data.audit.short import short_audit, short_lines
from btlib.data.cache import cache_root
from btlib.data.dataset import Dataset
from btlib.data.grouping import unknown
from btlib.data.source import DatasetSource
from btlib.data.sources.figshare.folder import count_slices
from btlib.data.sources.tasks import BUILT_IN
from btlib.errors import BaselineError, OptionError, RecordError
from btlib.files import why_unwritable
from btlib.gate import Baseline
from btlib.gate.loading import NONE, NoBaselineError, NotComparedError, load_baseline
from btlib.options import RunOptions, adjusted, require_engine, written
from btlib.paths import find_baseline
from btlib.protocol import TIERS, Tier
from btlib.registry import unknown_name
from btlib.runs import CaseRecord, RunInfo, RunStore
from btlib.runs.execute import patient_facts
from btlib.runs.executors import InProcess
from btlib.runs.measuring.references import require_reference
from btlib.runs.plan import RunPlan
from btlib.runs.progress import ProgressReporter
from btlib.runs.provenance import checkout, code_of
from btlib.runs.split import split_file
from btlib.runs.workspace import Workspace, open_workspace
from btlib.speed import determinism, tuning
from btlib.splits import Split, pooled_name

R = TypeVar("R", bound=BenchmarkRun)


def tier_of(options: RunOptions, name: str) -> Tier:
    """Return the tier with this name, with the user's options applied.

    Raises:
        UnknownNameError: The tier, protocol or recipe does not exist.
    """
    return adjusted(TIERS[name], options)


def baseline_of(name: str, root: Path) -> Compared:
    """Load a baseline by its name in the project's `baselines/`, or by its path; "none" means no comparison."""
    path = NONE if name == str(NONE) else find_baseline(name, root / "baselines")
    return path, load_baseline(path)


def open_run(
    kind: type[R],
    plan: RunPlan,
    progress: ProgressReporter,
    store: RunStore,
    compared: Compared,
    source: DatasetSource | None = None,
    *,
    again: bool = False,
) -> R:
    """Open data, splits and baseline of a plan, and start the folder of the run or resume the run in it.

    Args:
        kind: Class of the run.
        plan: Plan of the run.
        progress: Progress reporter.
        store: Store of the run.
        compared: Baseline with its file.
        source: Source of the samples; None uses the data of the options, or else of the tier.
        again: Whether to resume a run in its own folder: its `run.json` stays, and failed cells are executed again.

    Raises:
        BtlibError: The data or a split cannot be made, the user named a baseline that cannot be read, or with the
            option strict a case of the baseline is not in the plan.
    """
    tier, options = plan.tier, plan.options
    if not options.no_tune:
        tuning.tune(workers=int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    hooks.call().btlib_check_plan(plan=plan)
    require_writable(options)
    path, baseline = of_task(compared, options, source)
    if isinstance(baseline, NotComparedError):
        _require_nothing_of_it(options, baseline)
    elif options.baseline is not None and isinstance(baseline, BaselineError):
        raise baseline
    _require_all(tier, baseline, list(plan.cases), options.strict)
    _require_known(baseline, options.against or ())
    require_engine(options.engine)
    require_reference(options.speed_reference)
    check_available(options.device)
    _ = plan.splits  # raises for an unknown split, before any data are read
    data = source or options.data or _default_data(tier, options.root, progress.progress_bars)
    workspace = open_workspace(plan, data, progress)
    if not tier.always_phantom and not again:
        _report_audit(workspace)
    run = kind(workspace, store, baseline, InProcess(workspace, store, again))
    if options.deterministic:
        run.ends.append(determinism.enforce())
    if again:
        _require_same(workspace, store)
        return run
    for name, split in workspace.splits.items():
        store.save_split(split_file(split, workspace.true), name if workspace.plan.folded else None)
    store.save_info(_info(workspace, path))
    return run


def _report_audit(workspace: Workspace) -> None:
    """Report what the checks of the data find that need no pixels. It changes no verdict."""
    dataset, split = workspace.true, workspace.split
    parts: list[str | None] = [None] * len(dataset)
    for part in ("train", "val", "test") if not workspace.plan.folded else ():  # pooled folds test each sample once
        for i in getattr(split, part).tolist():
            parts[i] = part
    place = "FOLDER" if dataset.folder is None else str(dataset.folder)
    for line in short_lines(short_audit(dataset, parts, split.name), len(dataset), place):
        workspace.progress.report(line)


def _require_same(workspace: Workspace, store: RunStore) -> None:
    """Raise an error if the samples, settings or code of a resumed run have changed."""
    plan, info = workspace.plan, store.info()
    for name, split in workspace.splits.items():
        before = store.split(name if plan.folded else None)
        if before is not None and before != split_file(split, workspace.true):
            raise OptionError(
                f"the split {name} differs from the stored split: the data have changed",
                where=store.path,
                hint="restore the samples, or start a new run",
            )
    now = {"recipe": asdict(plan.tier.recipe), "image_size": workspace.truth.image_size, "task": workspace.truth.task}
    for name, value in now.items():
        if value != getattr(info, name):
            raise OptionError(
                f"{name}: expected {getattr(info, name)!r} as stored in the run, got {value!r}",
                where=store.path,
                hint="if a Python program set this value, start the run from this program",
            )
    for record in _readable(store):
        known = load_cases()[record.case] if record.case in plan.cases else None
        code = None if known is None else code_of(known)
        if code is not None and record.code is not None and code.digest != record.code.digest:
            raise OptionError(
                f"the file of case {record.case} has changed since {record.cell} was measured",
                where=store.path,
                hint="restore the file, or start a new run",
            )
        if record.conditions.truth_fingerprint != workspace.truth.truth_fingerprint:
            raise OptionError(
                f"the labels or masks of the data have changed since {record.cell} was measured",
                where=store.path,
                hint="restore the samples, or start a new run",
            )


def _readable(store: RunStore) -> list[CaseRecord]:
    """Return the readable records of a run. Damaged records are skipped, because their cells are executed again."""
    found = []
    for path in store.record_paths():
        with suppress(RecordError):
            found.append(store.record_at(path))
    return found


def _default_data(tier: Tier, root: Path, progress: bool) -> Path:
    real = root / "data_figshare" / "data"
    if not tier.always_phantom and count_slices(real):
        return real
    return phantom_folder(cache_root() / "phantoms", tier.phantom_samples, progress=progress)


def require_writable(options: RunOptions) -> None:
    """Check that all output folders are writable, so that the error does not appear after hours of training."""
    places = {
        written("output"): options.output,
        written("checkpoints"): options.checkpoints,
        "BTLIB_CACHE": cache_root(),
    }
    for where, folder in places.items():
        why = why_unwritable(folder)
        if why is not None:
            raise OptionError(f"{folder}: the folder is not writable: {why}", where=where, hint="name another folder")


def _require_nothing_of_it(options: RunOptions, baseline: NotComparedError) -> None:
    """Raise an error for options that need a baseline, if the run has none."""
    unnamed = isinstance(baseline, NoBaselineError)
    ways_out = f"{baseline.problem}: name one with --bt-baseline" if unnamed else "leave out one of the two options"
    for name, given in {"against": options.against is not None, "strict": options.strict}.items():
        if given:
            raise OptionError(
                "this option needs a baseline",
                where=written(name) if unnamed else f"{written(name)} with --bt-baseline none",
                hint=ways_out,
            )


def _require_all(tier: Tier, baseline: Baseline | BaselineError, cases: Sequence[str], strict: bool) -> None:
    """With strict, raise an error before training if a case of the baseline is left out, as it could not fail."""
    left_out = [] if isinstance(baseline, BaselineError) else sorted(set(baseline.cases) - set(cases))
    if strict and left_out:
        raise OptionError(
            f"baseline {tier.baseline!r} has cases that are not in this run: {', '.join(left_out)}",
            where=written("strict"),
            hint="select all cases, or leave out strict",
        )


def _require_known(baseline: Baseline | BaselineError, against: Sequence[str]) -> None:
    known = [] if isinstance(baseline, BaselineError) else list(baseline.cases)
    for name in against:
        if name not in known:
            raise unknown_name("case of the baseline", name, known, where=written("against"))


def _info(workspace: Workspace, baseline: Path) -> RunInfo:
    plan, dataset = workspace.plan, workspace.truth
    options = plan.options
    commit, dirty = checkout(options.root)
    return RunInfo(
        tier=plan.tier.name,
        name=options.name,
        command=command_line(),
        baseline=str(baseline),
        task=dataset.task,
        data=_described(workspace),
        data_folder=None if dataset.folder is None else str(dataset.folder),
        image_size=dataset.image_size,
        recipe=asdict(plan.tier.recipe),
        against=None if options.against is None else list(options.against),
        strict=options.strict,
        alpha=options.alpha,
        rescore=options.rescore,
        cases=list(plan.cases),
        specs={name: spec for name in plan.cases if (spec := spec_of(load_cases()[name])) is not None},
        seeds=list(plan.seeds),
        stages=list(plan.stages) if len(plan.stages) > 1 else [],
        folds=list(plan.splits) if plan.folded else [],
        measures={case: sorted(measures) for case, measures in plan.cases.items()},
        options=options.as_json(),
        commit=commit,
        dirty=dirty,
        speed_margin=plan.tier.speed_margin,
        load_seconds=workspace.load_seconds,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def command_line() -> str:
    """Return the command line as a user would type it."""
    program, *rest = sys.argv
    name = Path(program).name
    pytest = name in ("__main__.py", "py.test") or "pytest" in Path(program).parts
    return shlex.join(["pytest" if pytest else name, *rest])


def _described(workspace: Workspace) -> str:
    """Return a description of the data and the splits for readers."""
    plan, dataset = workspace.plan, workspace.truth
    task, n = dataset.task, len(dataset)
    kind = f"{task.name.upper()} samples (synthetic)" if task.synthetic else f"{task.name} samples"
    kind += " WITH RANDOM LABELS" if plan.options.random_labels else ""
    scaling = plan.tier.recipe.scaling or dataset.scaling
    splits = list(workspace.splits.values())
    if len(splits) == 1:
        split = splits[0]
        why = f" (default: {workspace.split_reason})" if workspace.split_reason else ""
        parts = (
            f"split {split.name}{why}: {len(split.train)} train, {len(split.val)} validation, {len(split.test)} test; "
            f"{_patients(dataset, split)}"
        )
    else:
        tested = sum(len(split.test) for split in splits)
        parts = (
            f"{len(splits)} folds of {pooled_name([s.name for s in splits])}: {tested} test samples, each tested once; "
            f"{_patients(dataset, *splits)}"
        )
    return f"{n} {kind}, {dataset.image_size} px, {scaling} scaling; {parts}{_pixel_sizes(dataset)}"


def _pixel_sizes(dataset: Dataset) -> str:
    """Return a note on samples whose size of a pixel is unknown; "" for the built-in tasks, which have no sizes."""
    if dataset.task.name in BUILT_IN or not dataset.task.structures:
        return ""
    known = 0 if dataset.originals is None else dataset.originals.known
    if known == len(dataset):
        return ""
    return f"; no distances in mm for {len(dataset) - known} samples, whose size of a pixel is unknown"


def _patients(dataset: Dataset, *splits: Split) -> str:
    """Return a description of the patients: their number and source, and how many test samples have known patients."""
    if strange := unknown(dataset.patients):
        stated = ", declared independent by the user" if dataset.independent else ""
        return f"patients unknown for {strange} samples{stated}"
    n, source = len(set(dataset.patients)), "the table" if dataset.patient_source == "table" else "the files"
    whose = f"{n} simulated patients" if dataset.task.synthetic else f"{n} patients from {source}"
    known = [patient_facts(dataset, split) for split in splits]
    seen, tested = sum(facts.seen for facts in known if facts is not None), sum(len(split.test) for split in splits)
    return f"{whose}, {seen} of {tested} test samples from patients in training"
