"""Where numbers to compare may come from: the folder of a run, a record, a baseline file, or a baseline's name."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from btlib.baselines import Baseline, Verdict, judge, judge_new
from btlib.errors import BaselineError, RecordError
from btlib.reporting.standing import Standing, standings
from btlib.results import CaseResult
from btlib.runs.folder import RunFolder
from btlib.runs.making import reference
from btlib.runs.record import CaseRecord
from btlib.runs.results import as_results, run_results


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
        text: A folder of a run, a record, a baseline file, or the name of a baseline.
        baselines: Folder in which names are looked up.

    Raises:
        RecordError: A record cannot be read, or the file is of no known kind.
        BaselineError: There is no such file, or a baseline cannot be read.
    """
    path = Path(text)
    if path.is_dir():
        folder = RunFolder(path)
        return _measured(text, run_results(folder), folder.info().recipe)
    if not path.exists():
        path = baselines / (text if text.endswith(".json") else f"{text}.json")
    if _schema(path).startswith("btlib-record/"):
        return _measured(text, as_results([CaseRecord.load(path)]), {})
    baseline = Baseline.load(path)
    found = (baseline.result(case) for case in baseline.cases)
    recipes = {case: recipe for case in baseline.cases if (recipe := baseline.made(case).recipe)}
    return Source(text, tuple(result for result in found if result is not None), baseline, recipes=recipes)


def hold(source: Source, against: Source, *, strict: bool = False, independent: bool = False) -> list[Verdict]:
    """Every case of a source held against another one; where each has one case, their names need not agree.

    A case that the other lacks is held against all of the other's cases, as in a run (`judge_new`; each of them is in
    `beside`). Those that only the other has are in `left_out`.

    Args:
        source: What is judged.
        against: What it is held against.
        strict: Another rendering of the same slices is "not-comparable".
        independent: Slices without patient id are independent of each other.

    Raises:
        BaselineError: The other cannot be held against.
        RecordError: The source holds no measured numbers.
    """
    if against.baseline is None:
        raise BaselineError(f"nothing can be held against it: {against.problem}", where=against.name)
    if not source.results:
        raise RecordError("holds no measured numbers", where=source.name, mend="name a run, a record or a measured one")
    known, results = against.baseline.cases, source.results
    if len(known) == len(results) == 1:
        results = (replace(results[0], case=next(iter(known))),)
    if independent:
        results = tuple(map(_independent, results))
    return [
        verdict
        for result in results
        for verdict in (judge if result.case in known else judge_new)(result, against.baseline, strict=strict)
    ]


def beside(source: Source, against: Source, *, strict: bool = False, independent: bool = False) -> list[Standing]:
    """The cases of a source that another one lacks, beside each of the other's; arguments as in `hold`."""
    assert against.baseline is not None
    known = against.baseline.cases
    new = [] if len(known) == len(source.results) == 1 else [r for r in source.results if r.case not in known]
    results = [_independent(result) if independent else result for result in new if result.failure is None]
    return [one for result in results for one in standings(result, against.baseline, strict=strict)]


def _independent(result: CaseResult) -> CaseResult:
    return replace(result, conditions=result.conditions.model_copy(update={"independent": True}))


def left_out(source: Source, against: Source) -> list[str]:
    """Cases that another source has and this one does not."""
    assert against.baseline is not None
    known = against.baseline.cases
    return [] if len(known) == len(source.results) == 1 else sorted(known.keys() - {r.case for r in source.results})


def _measured(name: str, results: list[CaseResult], recipe: Mapping[str, Any]) -> Source:
    recipes = {result.case: recipe for result in results if recipe}
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
