"""Opening a run: data, split and baseline, each checked before anything is trained."""

import os
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from btlib.adapters.device_choice import check_available
from btlib.baselines import Baseline
from btlib.baselines.held import NotComparedError
from btlib.cases import Work
from btlib.data import load_dataset, phantom_folder
from btlib.data.cache import cache_root
from btlib.data.dataset import Dataset
from btlib.data.grouping import unknown
from btlib.data.random_labels import with_random_labels
from btlib.data.sources.figshare.folder import count_slices
from btlib.errors import BaselineError, OptionError
from btlib.files import why_unwritable
from btlib.plugin.options import Options
from btlib.plugin.run import Run
from btlib.plugin.terminal import Terminal
from btlib.protocol import Tier
from btlib.registry import unknown_name
from btlib.runs import RunFolder, RunInfo
from btlib.runs.execute import patient_facts
from btlib.runs.provenance import checkout
from btlib.runs.split import split_file
from btlib.speed import determinism, tuning
from btlib.splits import Split, make_split, require_split
from btlib.types import Scaling


def open_run(
    tier: Tier,
    options: Options,
    terminal: Terminal,
    folder: RunFolder,
    held: tuple[Path, Baseline | BaselineError],
    cases: Sequence[str],
) -> Run:
    """Open data, split and baseline of a tier and start its folder.

    Args:
        tier: With what the user asked for.
        options: What that was.
        terminal: Told of progress.
        folder: What the run leaves behind.
        held: File of the baseline, and the baseline or why there is none.
        cases: The cases that were collected.

    Raises:
        BtlibError: Data or split cannot be had, the user names a baseline that cannot be read, or is strict and a case
            of the baseline was not collected.
    """
    if not options.no_tune:
        tuning.tune(workers=int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    _require_free(tier, options)
    _require_writable(options)
    path, baseline = held
    if isinstance(baseline, NotComparedError):
        _require_nothing_of_it(options)
    elif options.baseline is not None and isinstance(baseline, BaselineError):
        raise baseline
    _require_all(tier, baseline, cases, options.strict)
    _require_known(baseline, options.against or ())
    require_split(tier.protocol.split)
    check_available(options.device)
    data = options.data or _default_data(tier, options.root, terminal.live)

    @cache
    def load(image_size: int, scaling: Scaling) -> Dataset:
        whole = load_dataset(data, image_size, scaling, progress=terminal.live)
        whole = replace(whole, independent=options.independent)
        return whole if options.limit is None else whole.limit(options.limit)

    def given(image_size: int, scaling: Scaling) -> Dataset:
        return with_random_labels(load(image_size, scaling)) if options.random_labels else load(image_size, scaling)

    began = time.perf_counter()
    true = load(tier.protocol.image_size, tier.protocol.scaling)
    load_seconds = time.perf_counter() - began
    split = make_split(tier.protocol.split, true)  # which keeps the true classes in proportion
    truth = given(tier.protocol.image_size, tier.protocol.scaling)
    work = Work.on(
        truth,
        split,
        tier.protocol,
        tier.recipe,
        options.seed,
        options.checkpoints,
        device=options.device,
        precision=tier.precision,
        engine=tier.engine,
        deterministic=options.deterministic,
        retrain=options.retrain,
        thesis_checkpoints=options.thesis_checkpoints,
        say=terminal.now_and_then(),
        live=terminal.live,
    )
    seeds = tuple(range(options.seed, options.seed + options.seeds))
    run = Run(tier, work, truth, split, folder, baseline, terminal, options, seeds, given)
    if options.deterministic:
        run.ends.append(determinism.enforce())
    folder.save_split(split_file(split, true))
    folder.save_info(_info(run, path, cases, load_seconds))
    return run


def _default_data(tier: Tier, root: Path, progress: bool) -> Path:
    real = root / "data_figshare" / "data"
    if not tier.always_phantom and count_slices(real):
        return real
    return phantom_folder(cache_root() / "phantoms", tier.phantom_slices, progress=progress)


def _require_writable(options: Options) -> None:
    """Told before anything runs, not after hours of training."""
    places = {"--bt-output": options.output, "--bt-checkpoints": options.checkpoints, "BTLIB_CACHE": cache_root()}
    for where, folder in places.items():
        why = why_unwritable(folder)
        if why is not None:
            raise OptionError(f"{folder}: nothing can be written there: {why}", where=where, mend="name another folder")


def _require_free(tier: Tier, options: Options) -> None:
    """What a tier cannot do is told, not passed over."""
    for name in ("protocol", "recipe"):
        if tier.fixed and getattr(options, name) is not None:
            raise OptionError(
                f"the tier {tier.name} has a protocol and a recipe of its own",
                where=f"--bt-{name}",
                mend="give it with -m full",
            )
    asked = {"retrain": options.retrain, "recipe": options.recipe is not None, "seeds": options.seeds > 1}
    for name in (name for name, given in asked.items() if given and options.thesis_checkpoints is not None):
        raise OptionError(
            "the thesis's checkpoints are one training each, by its own recipe, and are not trained again",
            where=f"--bt-{name} with --bt-thesis-checkpoints",
            mend="leave one of the two out",
        )


def _require_nothing_of_it(options: Options) -> None:
    """What needs a baseline is told where there is to be none."""
    for name, given in {"against": options.against is not None, "strict": options.strict}.items():
        if given:
            raise OptionError(
                "with no baseline there is nothing to compare with",
                where=f"--bt-{name} with --bt-baseline none",
                mend="leave one of the two out",
            )


def _require_all(tier: Tier, baseline: Baseline | BaselineError, cases: Sequence[str], strict: bool) -> None:
    """Fail closed before anything is trained: a case that is left out cannot fall short."""
    left_out = [] if isinstance(baseline, BaselineError) else sorted(set(baseline.cases) - set(cases))
    if strict and left_out:
        raise OptionError(
            f"baseline {tier.baseline!r} has cases that were not collected: {', '.join(left_out)}",
            where="--bt-strict",
            mend="select all cases, or leave out --bt-strict",
        )


def _require_known(baseline: Baseline | BaselineError, against: Sequence[str]) -> None:
    known = [] if isinstance(baseline, BaselineError) else list(baseline.cases)
    for name in against:
        if name not in known:
            raise unknown_name("case of the baseline", name, known, where="--bt-against")


def _info(run: Run, baseline: Path, cases: Sequence[str], load_seconds: float) -> RunInfo:
    commit, dirty = checkout(run.options.root)
    dataset, split = run.truth, run.split
    synthetic = dataset.task.synthetic
    kind = f"{dataset.task.name.upper()} samples (synthetic)" if synthetic else f"{dataset.task.name} samples"
    kind += " UNDER RANDOM LABELS" if run.options.random_labels else ""
    scaling = run.tier.recipe.scaling or dataset.scaling
    return RunInfo(
        tier=run.tier.name,
        command=shlex.join(["pytest", *sys.argv[1:]]),
        baseline=str(baseline),
        task=dataset.task,
        data=(
            f"{len(dataset)} {kind}, {dataset.image_size} px, {scaling} scaling; split {split.name}: "
            f"{len(split.train)} train, {len(split.val)} validation, {len(split.test)} test; "
            f"{_patients(dataset, split)}"
        ),
        data_folder=None if dataset.folder is None else str(dataset.folder),
        image_size=dataset.image_size,
        recipe=asdict(run.tier.recipe),
        against=None if run.options.against is None else list(run.options.against),
        strict=run.options.strict,
        cases=list(cases),
        seeds=list(run.seeds),
        commit=commit,
        dirty=dirty,
        load_seconds=load_seconds,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _patients(dataset: Dataset, split: Split) -> str:
    """Who the slices belong to, how that is known, and whether the test is of new patients."""
    if strange := unknown(dataset.patients):
        stated = ", which the user says are independent" if dataset.independent else ""
        return f"patients unknown of {strange} samples{stated}"
    n, source = len(set(dataset.patients)), "the table" if dataset.patient_source == "table" else "the files"
    whose = f"{n} simulated patients" if dataset.task.synthetic else f"{n} patients from {source}"
    known = patient_facts(dataset, split)
    seen = 0 if known is None else known.seen
    return f"{whose}, {seen} of {len(split.test)} test samples of patients in training"
