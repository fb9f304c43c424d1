"""Run benchmarks from Python with `btlib.run(cases, data, …)`. The command `btlib run` calls it."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from btlib.api.benchmark_run import BenchmarkRun
from btlib.api.closing import Summary, close
from btlib.api.opening import baseline_of, open_run, tier_of
from btlib.cases import CASES, Case, load_case, load_cases
from btlib.cases.load import spec_of
from btlib.data.source import DatasetSource
from btlib.errors import OptionError, RecordError
from btlib.gate.judgement import Judgement
from btlib.gate.verdict import COULD_NOT_JUDGE, FELL_SHORT, exit_code
from btlib.interruption import interrupt_on_sigterm
from btlib.options import RunOptions, adjusted, plugin_options, plugin_values
from btlib.paths import new_stamp, project_root
from btlib.protocol import TIERS, Protocol, Recipe, Tier
from btlib.runs import RunStore
from btlib.runs.measuring import EXPLANATION, INFERENCE, MEASURES, TRAINING_STEP
from btlib.runs.plan import RunPlan
from btlib.runs.progress import ProgressReporter

ALL_MEASURES = (INFERENCE, TRAINING_STEP, EXPLANATION)
"""Measures of the benchmark suite in addition to the quality."""


@dataclass(frozen=True, eq=False)
class Finished:
    """Finished run.

    Attributes:
        folder: Folder with records, `judgement.json` and reports.
        summary: Summary for the terminal.
        judgement: All verdicts.
        exit_code: 0 if all cases pass; 1 if a case is worse than its baseline; 7 if a case could not be judged, or a
            requested measure failed.
    """

    folder: Path
    summary: Summary
    judgement: Judgement
    exit_code: int


class InterruptedRunError(KeyboardInterrupt):
    """Ctrl-C or SIGTERM interrupted a run. Its reports are written, and `btlib.resume` can continue it.

    Args:
        finished: Run up to the interruption.
    """

    def __init__(self, finished: Finished) -> None:
        self.finished = finished
        super().__init__(f"continue with: btlib run --resume {finished.folder}")


def run(
    cases: str | Case | Iterable[str | Case] | None = None,
    data: Path | str | DatasetSource | None = None,
    *,
    tier: str | Tier = "full",
    protocol: str | Protocol | None = None,
    recipe: str | Recipe | None = None,
    measures: Iterable[str] = (),
    progress: ProgressReporter | None = None,
    **options: Any,
) -> Finished:
    """Measure cases, judge them against a baseline and write the reports.

    Args:
        cases: Registered names, "FILE.py::NAME", or cases; None for all registered cases, including those of installed
            packages.
        data: Folder of samples, or their source; None uses the data of the tier.
        tier: Settings: "smoke" (phantoms, minutes), "full", or custom settings.
        protocol: Protocol of the evaluation, or its name; None uses the tier's.
        recipe: Recipe of the training, or its name; None uses the tier's.
        measures: What to measure in addition to the quality, such as `ALL_MEASURES`.
        progress: Progress reporter; None shows nothing.
        options: Fields of `btlib.options.RunOptions`, and options of plug-ins: `baseline`, `seeds`, `folds`,
            `name`, `output` …

    Raises:
        OptionError: An option has an invalid value, or options contradict each other.
        BtlibError: A case, the data or the baseline cannot be loaded. Errors of a case are in its record.
        InterruptedRunError: Ctrl-C or SIGTERM interrupted the run. Its reports are written before.
    """
    source = None if data is None or isinstance(data, str | Path) else data
    folder = Path(data).expanduser().absolute() if isinstance(data, str | Path) else None
    asked = _options(
        {
            "data": folder,
            "protocol": protocol if isinstance(protocol, str) else None,
            "recipe": recipe if isinstance(recipe, str) else None,
            **options,
        }
    )
    chosen = _cases(cases)
    settings = tier if isinstance(tier, Tier) else TIERS[tier]
    own = (protocol if isinstance(protocol, Protocol) else None, recipe if isinstance(recipe, Recipe) else None)
    wanted = frozenset(measures)
    for name in wanted:
        MEASURES[name]  # raises for an unknown name, before any data are read
    plan = RunPlan(adjusted(settings, asked, *own), asked, dict.fromkeys(chosen, wanted))
    store = RunStore(asked.output / f"{new_stamp()}-{plan.tier.name}")
    return _execute(plan, store, progress or ProgressReporter(), source)


def resume(folder: Path | str, *, progress: ProgressReporter | None = None) -> Finished:
    """Finish a run in its own folder. Cells without a record, and failed cells, are executed.

    Args:
        folder: Folder of the run.
        progress: Progress reporter; None shows nothing.

    Raises:
        RecordError: The folder is not a run, its options are not stored, or a case has no file.
        OptionError: The data, the settings or the code of a case have changed.
        InterruptedRunError: Ctrl-C or SIGTERM interrupted the run. Its reports are written before.
    """
    store = RunStore(Path(folder))
    info = store.info()
    if info.options is None:
        raise RecordError(
            "the run cannot be resumed: its options are not stored (a merged run, or a run of an older version)",
            where=store.path,
            hint="start the run again; its trained models are loaded",
        )
    for case in info.cases:
        if case not in info.specs:
            raise RecordError(f"case {case} has no source file", where=store.path, hint="run it from its program")
        if case not in load_cases() or spec_of(load_cases()[case]) != info.specs[case]:
            load_case(info.specs[case])
    options = replace(RunOptions.from_json(info.options), retrain=False)
    plan = RunPlan(tier_of(options, info.tier), options, {c: frozenset(info.measures.get(c, ())) for c in info.cases})
    return _execute(plan, store, progress or ProgressReporter(), None, again=True)


def _execute(
    plan: RunPlan, store: RunStore, progress: ProgressReporter, source: DatasetSource | None, *, again: bool = False
) -> Finished:
    began = time.perf_counter()
    name = store.info().baseline if again else plan.tier.baseline  # resumed: the same file as before
    compared = baseline_of(name, plan.options.root)
    opened = open_run(BenchmarkRun, plan, progress, store, compared, source, again=again)
    for line in opened.header():
        progress.report(line)
    interruption: KeyboardInterrupt | None = None
    restore = interrupt_on_sigterm()
    try:
        try:
            for case in plan.ordered:
                for verdict in opened.judgement(case).verdicts:
                    progress.report(verdict.describe())
        except KeyboardInterrupt as signalled:
            interruption = signalled
        finally:
            opened.close()
        finished = _finished(plan, store, close(store.path, None if again else began))
    finally:
        restore()
    if interruption is not None:
        raise InterruptedRunError(finished) from interruption
    return finished


def _finished(plan: RunPlan, store: RunStore, summary: Summary) -> Finished:
    code = exit_code(summary.judgement.verdicts, strict=plan.options.strict)
    slower = any(one.status == "slower" for case in summary.judgement.cases.values() for one in case.speed)
    if slower:
        code = FELL_SHORT
    if code == 0 and (summary.missing or any(record.problems for record in store.records())):
        code = COULD_NOT_JUDGE
    return Finished(store.path, summary, summary.judgement, code)


def _options(given: Mapping[str, Any]) -> RunOptions:
    """Return the options of a call, with the values of plug-in options in `plugins`."""
    own = {f.name for f in fields(RunOptions)}
    plugins = {option.key: option for option in plugin_options()}
    strange = sorted(given.keys() - own - plugins.keys())
    if strange:
        from btlib.registry import unknown_name

        raise unknown_name("option", strange[0], [*own, *plugins], where="btlib.run")
    values = {name: value for name, value in given.items() if name in own}
    values.setdefault("root", project_root())
    return RunOptions(**values, plugins=plugin_values(plugins.values(), given, Path.cwd()))


def _cases(cases: str | Case | Iterable[str | Case] | None) -> list[str]:
    """Register the cases if necessary, and return their names."""
    if cases is None:
        return list(load_cases())
    several = [cases] if isinstance(cases, str | Case) else list(cases)
    if not several:
        raise OptionError("expected at least one case, got none", where="cases", hint="name a case")
    names = [case.name if isinstance(case, Case) else load_case(case).name for case in several]
    for case in several:
        if isinstance(case, Case) and not (case.name in CASES and CASES[case.name] is case):
            CASES.add(case.name, case)
    return list(dict.fromkeys(names))
