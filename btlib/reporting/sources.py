"""Sources of numbers to compare: the folder of a run, a record, a baseline file, or the name of a baseline."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from btlib.errors import BaselineError, RecordError
from btlib.gate import Baseline, Verdict, judge_new
from btlib.gate.from_results import reference
from btlib.gate.gate_options import GateOptions
from btlib.gate.measured import with_value
from btlib.gate.ranking import Ranking, rankings
from btlib.gate.recipes import with_other_recipe
from btlib.gate.rule import judge_with
from btlib.paths import find_baseline, find_run, unknown_source
from btlib.reporting.names import check_titles
from btlib.results import CaseResult
from btlib.runs.record import CaseRecord
from btlib.runs.results import as_results, run_results
from btlib.runs.store import RunStore


@dataclass(frozen=True, eq=False)
class Source:
    """Numbers of cases, read from files.

    Attributes:
        name: Name that the user gave.
        results: Results of the cases; empty for published numbers.
        baseline: The source as a baseline for others; None if it cannot be used as a baseline.
        problem: Reason why it cannot be used as a baseline.
        recipes: Training recipe by case; cases without a known recipe are left out.
    """

    name: str
    results: tuple[CaseResult, ...]
    baseline: Baseline | None
    problem: str = ""
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def load_source(text: str, baselines: Path) -> Source:
    """Read a source that the user named.

    Args:
        text: Folder or name of a run, a record, a baseline file, or the name of a baseline (see `btlib.paths`).
        baselines: Folder of the user's baselines.

    Raises:
        RecordError: A record cannot be read, or the file is of no known kind.
        BaselineError: A baseline cannot be read.
        UnknownNameError: Nothing has this name; the error suggests the nearest run or baseline.
    """
    if (run := find_run(text)) is not None:
        folder = RunStore(run)
        info = folder.info()
        return _measured(text, run_results(folder), {r.case: info.recipe_of(r) for r in folder.records()})
    path = Path(text) if Path(text).is_file() else find_baseline(text, baselines)
    if not path.is_file():
        raise unknown_source(text, baselines)
    if _schema(path).startswith("btlib-record/"):
        return _measured(text, as_results([CaseRecord.load(path)]), {})
    baseline = Baseline.load(path)
    found = (baseline.result(case) for case in baseline.cases)
    recipes = {case: recipe for case in baseline.cases if (recipe := baseline.provenance_of(case).recipe)}
    return Source(text, tuple(result for result in found if result is not None), baseline, recipes=recipes)


def load_sources(texts: Sequence[str], baselines: Path, titles: Sequence[str] = ()) -> list[Source]:
    """Read all sources that the user named.

    Args:
        texts: Texts of the sources, as in `load_source`.
        baselines: Folder of the user's baselines.
        titles: Titles of the sources, in the same order; empty to use the texts.

    Raises:
        OptionError: There are more or fewer titles than sources, or two titles look the same; nothing is read.
        BtlibError: Any error of `load_source`.
    """
    check_titles(titles, texts)
    loaded = [load_source(text, baselines) for text in texts]
    return [replace(source, name=title) for source, title in zip(loaded, titles or texts, strict=True)]


def hold(
    source: Source,
    against: Source,
    *,
    options: GateOptions = GateOptions(),  # noqa: B008 - frozen
    independent: bool = False,
) -> list[Verdict]:
    """Compare every case of a source with another source; if each has one case, the names may differ.

    A case that `against` does not have is compared with all cases of `against`, as in a run (`judge_new`; `beside` has
    each comparison). Cases that only `against` has are in `left_out`.

    Args:
        source: Source to judge.
        against: Source to compare with.
        options: Settings of the gate.
        independent: Treat samples without patient id as independent.

    Raises:
        BaselineError: `against` cannot be used as a baseline.
        RecordError: `source` has no measured numbers.
    """
    if against.baseline is None:
        raise BaselineError(f"cannot be used as a baseline: {against.problem}", where=against.name)
    if not source.results:
        raise RecordError(
            "expected measured numbers, found none",
            where=source.name,
            hint="name a run, a record or a measured baseline",
        )
    known, results = against.baseline.cases, source.results
    if len(known) == len(results) == 1:
        results = (replace(results[0], case=next(iter(known))),)
    if independent:
        results = tuple(map(_independent, results))
    return [
        with_other_recipe(with_value(verdict, result), source.recipes.get(name), against.recipes.get(result.case))
        for name, result in zip([one.case for one in source.results], results, strict=True)
        for verdict in (
            judge_with(result, against.baseline, options)
            if result.case in known
            else judge_new(result, against.baseline, options=options)
        )
    ]


def beside(
    source: Source,
    against: Source,
    *,
    options: GateOptions = GateOptions(),  # noqa: B008 - frozen
    independent: bool = False,
) -> list[Ranking]:
    """Compare each case that `against` does not have with each case of `against`; the arguments are those of `hold`."""
    assert against.baseline is not None
    known = against.baseline.cases
    new = [] if len(known) == len(source.results) == 1 else [r for r in source.results if r.case not in known]
    results = [_independent(result) if independent else result for result in new if result.failure is None]
    return [one for result in results for one in rankings(result, against.baseline, options=options)]


def _independent(result: CaseResult) -> CaseResult:
    return replace(result, conditions=result.conditions.model_copy(update={"independent": True}))


def left_out(source: Source, against: Source) -> list[str]:
    """Return the cases that `against` has and `source` does not have."""
    assert against.baseline is not None
    known = against.baseline.cases
    return [] if len(known) == len(source.results) == 1 else sorted(known.keys() - {r.case for r in source.results})


def _measured(name: str, results: list[CaseResult], recipes: Mapping[str, Mapping[str, Any]]) -> Source:
    recipes = {case: recipe for case, recipe in recipes.items() if recipe}
    try:
        return Source(name, tuple(results), reference(results, name), recipes=recipes)
    except RecordError as error:  # it may still be compared with another source
        if not results:
            raise
        return Source(name, tuple(results), None, error.problem, recipes)


def _schema(path: Path) -> str:
    """Return the schema that a JSON file names; "" if unreadable, so that the baseline reader reports the error."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    return str(value.get("schema", "")) if isinstance(value, dict) else ""
