"""Run benchmarks from Python: `btlib.run(cases, data, …)`; `btlib run` is a thin shell over it."""

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
"""What the suite measures of a case beside its quality."""


@dataclass(frozen=True, eq=False)
class Finished:
    """A run that has ended.

    Attributes:
        folder: What it left behind: records, `judgement.json`, reports.
        summary: What a terminal shows of it.
        judgement: All verdicts.
        exit_code: 0 where all hold, 1 where a case fell short of its baseline, 7 where one could not be judged,
            or something that was asked for could not be measured.
    """

    folder: Path
    summary: Summary
    judgement: Judgement
    exit_code: int


class InterruptedRunError(KeyboardInterrupt):
    """Ctrl-C or SIGTERM ended a run; its reports are written, and `btlib.resume` goes on with it.

    Args:
        finished: The run as far as it got.
    """

    def __init__(self, finished: Finished) -> None:
        self.finished = finished
        super().__init__(f"go on with: btlib run --resume {finished.folder}")


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
        cases: Registered names, "FILE.py::NAME", or cases; None for all that installed packages bring.
        data: Folder of samples, or their source; None takes those of the tier.
        tier: Its settings: "smoke" (phantoms, minutes), "full", or settings of one's own.
        protocol: How numbers are made: a name, or a protocol.
        recipe: How cases are trained: a name, or a recipe.
        measures: What to measure beside the quality, such as `ALL_MEASURES`.
        progress: Told of progress; None tells nobody.
        options: Fields of `btlib.options.RunOptions`, and options of plug-ins: `baseline`, `seeds`, `folds`,
            `name`, `output` …

    Raises:
        OptionError: An option cannot be honoured.
        BtlibError: A case, data or the baseline cannot be had. Errors of a case are in its record.
        InterruptedRunError: Ctrl-C or SIGTERM ended it; reports are written all the same.
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
        MEASURES[name]  # an unknown one is told before anything is read
    plan = RunPlan(adjusted(settings, asked, *own), asked, dict.fromkeys(chosen, wanted))
    store = RunStore(asked.output / f"{new_stamp()}-{plan.tier.name}")
    return _execute(plan, store, progress or ProgressReporter(), source)


def resume(folder: Path | str, *, progress: ProgressReporter | None = None) -> Finished:
    """Finish a run in its own folder: cells that have no record, or whose record says that they failed, are executed.

    Args:
        folder: Of the run.
        progress: Told of progress; None tells nobody.

    Raises:
        RecordError: It is no run, or one that does not say what was asked for.
        OptionError: Its data have changed.
    """
    store = RunStore(Path(folder))
    info = store.info()
    if info.options is None:
        raise RecordError(
            "does not say what was asked for: it is of an older version",
            where=store.path,
            hint="run it anew; trained models are loaded",
        )
    for case in info.cases:
        if case not in info.specs:
            raise RecordError(f"case {case} was made in no file", where=store.path, hint="run it from its program")
        if case not in load_cases() or spec_of(load_cases()[case]) != info.specs[case]:
            load_case(info.specs[case])
    options = replace(RunOptions.from_json(info.options), retrain=False)
    plan = RunPlan(tier_of(options, info.tier), options, {c: frozenset(info.measures.get(c, ())) for c in info.cases})
    return _execute(plan, store, progress or ProgressReporter(), None, again=True)


def _execute(
    plan: RunPlan, store: RunStore, progress: ProgressReporter, source: DatasetSource | None, *, again: bool = False
) -> Finished:
    began = time.perf_counter()
    name = store.info().baseline if again else plan.tier.baseline  # the very file that it was compared with before
    compared = baseline_of(name, plan.options.root)
    opened = open_run(BenchmarkRun, plan, progress, store, compared, source, again=again)
    for line in opened.header():
        progress.report(line)
    interruption: KeyboardInterrupt | None = None
    restore = interrupt_on_sigterm()
    try:
        try:
            for cell in plan.cells():
                opened.executor.submit(cell).result()
                if cell == plan.cells(cell.case)[-1]:
                    for verdict in opened.judgement(cell.case).verdicts:
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
    """The options of a call, those of plug-ins apart."""
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
    """Names of the cases, which are registered afterwards."""
    if cases is None:
        return list(load_cases())
    several = [cases] if isinstance(cases, str | Case) else list(cases)
    if not several:
        raise OptionError("no case is named", where="cases", hint="name at least one")
    names = [case.name if isinstance(case, Case) else load_case(case).name for case in several]
    for case in several:
        if isinstance(case, Case) and not (case.name in CASES and CASES[case.name] is case):
            CASES.add(case.name, case)
    return list(dict.fromkeys(names))
