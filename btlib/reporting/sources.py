"""Where numbers to compare may come from: the folder of a run, a record, a baseline file, or a baseline's name."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from btlib.errors import BaselineError, RecordError
from btlib.gate import Baseline, Verdict, judge, judge_new
from btlib.gate.from_results import reference
from btlib.gate.measured import with_value
from btlib.gate.ranking import Ranking, rankings
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
        name: What the user called it.
        results: Its cases; empty for published numbers.
        baseline: It as something to hold others against; None where it cannot be.
        problem: Why it cannot.
        recipes: How each case was trained; lacks those of which that is unknown.
    """

    name: str
    results: tuple[CaseResult, ...]
    baseline: Baseline | None
    problem: str = ""
    recipes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def load_source(text: str, baselines: Path) -> Source:
    """Read what the user named.

    Args:
        text: Folder of a run or its name, a record, a baseline file, or the name of a baseline (see `btlib.paths`).
        baselines: The user's own baselines.

    Raises:
        RecordError: A record cannot be read, or the file is of no known kind.
        BaselineError: A baseline cannot be read.
        UnknownNameError: There is nothing of this name; the nearest run or baseline is offered.
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
    recipes = {case: recipe for case in baseline.cases if (recipe := baseline.made(case).recipe)}
    return Source(text, tuple(result for result in found if result is not None), baseline, recipes=recipes)


def load_sources(texts: Sequence[str], baselines: Path, titles: Sequence[str] = ()) -> list[Source]:
    """Read all that the user named.

    Args:
        texts: As in `load_source`.
        baselines: The user's own baselines.
        titles: What they are called, in their order; none for what the user named them by.

    Raises:
        OptionError: There are more or fewer titles than sources, or two of them look the same; nothing was read.
        BtlibError: As in `load_source`.
    """
    check_titles(titles, texts)
    loaded = [load_source(text, baselines) for text in texts]
    return [replace(source, name=title) for source, title in zip(loaded, titles or texts, strict=True)]


def hold(source: Source, against: Source, *, strict: bool = False, independent: bool = False) -> list[Verdict]:
    """Every case of a source held against another one; where each has one case, their names need not agree.

    A case that the other lacks is held against all of the other's cases, as in a run (`judge_new`; each of them is in
    `beside`). Those that only the other has are in `left_out`.

    Args:
        source: What is judged.
        against: What it is held against.
        strict: Another rendering of the same samples is "not-comparable".
        independent: Samples without patient id are independent of each other.

    Raises:
        BaselineError: The other cannot be held against.
        RecordError: The source holds no measured numbers.
    """
    if against.baseline is None:
        raise BaselineError(f"nothing can be held against it: {against.problem}", where=against.name)
    if not source.results:
        raise RecordError("holds no measured numbers", where=source.name, hint="name a run, a record or a measured one")
    known, results = against.baseline.cases, source.results
    if len(known) == len(results) == 1:
        results = (replace(results[0], case=next(iter(known))),)
    if independent:
        results = tuple(map(_independent, results))
    return [
        with_value(verdict, result)
        for result in results
        for verdict in (judge if result.case in known else judge_new)(result, against.baseline, strict=strict)
    ]


def beside(source: Source, against: Source, *, strict: bool = False, independent: bool = False) -> list[Ranking]:
    """The cases of a source that another one lacks, beside each of the other's; arguments as in `hold`."""
    assert against.baseline is not None
    known = against.baseline.cases
    new = [] if len(known) == len(source.results) == 1 else [r for r in source.results if r.case not in known]
    results = [_independent(result) if independent else result for result in new if result.failure is None]
    return [one for result in results for one in rankings(result, against.baseline, strict=strict)]


def _independent(result: CaseResult) -> CaseResult:
    return replace(result, conditions=result.conditions.model_copy(update={"independent": True}))


def left_out(source: Source, against: Source) -> list[str]:
    """Cases that another source has and this one does not."""
    assert against.baseline is not None
    known = against.baseline.cases
    return [] if len(known) == len(source.results) == 1 else sorted(known.keys() - {r.case for r in source.results})


def _measured(name: str, results: list[CaseResult], recipes: Mapping[str, Mapping[str, Any]]) -> Source:
    recipes = {case: recipe for case, recipe in recipes.items() if recipe}
    try:
        return Source(name, tuple(results), reference(results, name), recipes=recipes)
    except RecordError as error:  # it may still be held against another
        if not results:
            raise
        return Source(name, tuple(results), None, error.problem, recipes)


def _schema(path: Path) -> str:
    """The schema a JSON file names; empty where that cannot be told, so that the baseline's reader says why."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    return str(value.get("schema", "")) if isinstance(value, dict) else ""
