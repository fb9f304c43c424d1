"""Tables of a Markdown file that are made from baselines: what stands between two marks is replaced.

    <!-- btlib: table thesis figshare-slice42 -->
    …
    <!-- btlib: end -->

The words after `btlib:` name the kind of table and its baselines. What stands outside the marks stays as it is.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from tabulate import tabulate

from btlib.baselines import Baseline
from btlib.baselines.figure import Making
from btlib.data.patient_table import figshare_patients
from btlib.errors import OptionError
from btlib.evaluation.catalogue import METRICS
from btlib.registry import unknown_name
from btlib.reporting.leakage import leakage, leakage_table
from btlib.reporting.numbers import interval, number
from btlib.reporting.significance import PairTest, pair_tests
from btlib.reporting.sources import Source, load_source
from btlib.reporting.values import column
from btlib.splits import FOLDS, slice_seed42

_BLOCK = re.compile(r"(<!-- btlib: (?P<kind>[a-z]+)(?P<words>[^\n]*?) -->\n).*?(<!-- btlib: end -->)", re.DOTALL)
_METRICS = ("dice", "accuracy")
_TITLES = ("Dice (95 %)", "accuracy (95 %)")
_NO_NUMBERS = re.compile(r" -k .*?(?= --| -s|$)| -s\b| -p no:cacheprovider| --bt-timeout \d+")


def fill(text: str, baselines: Path) -> str:
    """The same Markdown with every marked table made anew.

    Args:
        text: Of the file.
        baselines: Folder in which names of baselines are looked up.

    Raises:
        UnknownNameError: There is no such kind of table.
        OptionError: A mark has no end.
        BaselineError: A baseline cannot be read.
        RecordError: Two baselines cannot be compared as the mark asks.
    """
    starts = len(re.findall(r"<!-- btlib: (?!end)", text))
    if starts != len(_BLOCK.findall(text)):
        raise OptionError("a mark `<!-- btlib: … -->` has no `<!-- btlib: end -->`", where="the file", mend="add it")

    def made(match: re.Match[str]) -> str:
        kind = match["kind"]
        if kind not in _KINDS:
            raise unknown_name("kind of table", kind, list(_KINDS))
        return f"{match[1]}\n{_KINDS[kind](match['words'].split(), baselines)}\n\n{match[4]}"

    return _BLOCK.sub(made, text)


def _table(words: Sequence[str], baselines: Path) -> str:
    """Every case of some baselines: n, patients, Dice and accuracy with intervals over patients."""
    rows = [row for name in words for row in _rows(name, load_source(name, baselines))]
    return tabulate(rows, "keys", "github", disable_numparse=True)


def _rows(name: str, source: Source) -> list[Mapping[str, str]]:
    baseline = _of(source)
    values, known = column(source, _METRICS).values, baseline.conditions.patients
    return [
        {
            "case": case,
            "baseline": name,
            "training": _training(baseline, case),
            "n": str(baseline.conditions.n_test),
            "persons": "–" if known is None else str(known.n_test),
            **{title: str(values.get((case, metric), "–")) for metric, title in zip(_METRICS, _TITLES, strict=True)},
        }
        for case in baseline.cases
    ]


def _training(baseline: Baseline, case: str) -> str:
    """The recipe and its epochs, or where it was published."""
    recipe = baseline.made(case).recipe
    seeds = len(baseline.cases[case].runs)
    if recipe is None:
        return "published"
    return f"{recipe['name']}, {recipe['epochs']} epochs" + (f", {seeds} seeds" if seeds > 1 else "")


def _setup(words: Sequence[str], baselines: Path) -> str:
    """How the numbers of some baselines came about: one line a command."""
    rows: list[Mapping[str, str]] = []
    for name in words:
        baseline = _of(load_source(name, baselines))
        makings: dict[tuple[str, ...], list[str]] = {}
        for case in baseline.cases:
            makings.setdefault(_making(baseline.made(case)), []).append(case)
        rows += [
            {"baseline": name, "cases": " ".join(cases), "measured": created, "on": machine, "by": f"`{command}`"}
            for (created, machine, command), cases in makings.items()
        ]
    return tabulate(rows, "keys", "github", disable_numparse=True)


def _making(made: Making) -> tuple[str, ...]:
    """Date, machine and command, without what chose the case and what changes no number."""
    facts = made.environment
    machine = facts.get("gpu") or f"{facts.get('cpu', '–')}, {(facts.get('simd') or '–').split()[0]}"
    return made.created, f"{machine}, torch {facts.get('torch', '–')}", _NO_NUMBERS.sub("", made.source)


def _pairs(words: Sequence[str], baselines: Path) -> str:
    """Chosen pairs of cases (`E-A`) in some baselines: difference, interval and Holm p among all pairs of each."""
    names = [word for word in words if not re.fullmatch(r"[^-]+-[^-]+", word) or (baselines / f"{word}.json").exists()]
    wanted = [word.split("-") for word in words if word not in names]
    found = {name: _tests(load_source(name, baselines)) for name in names}
    rows = [
        {
            "pair": f"{first} − {second}",
            "metric": METRICS[metric].title,
            **{name: _difference(tests.get((first, second, metric))) for name, tests in found.items()},
        }
        for first, second in wanted
        for metric in _METRICS
        if any((first, second, metric) in tests for tests in found.values())
    ]
    return tabulate(rows, "keys", "github", disable_numparse=True)


def _tests(source: Source) -> Mapping[tuple[str, str, str], PairTest]:
    found: dict[tuple[str, str, str], PairTest] = {}
    for test in pair_tests(source.results):
        if test.family == "all pairs":
            found[test.first, test.second, test.metric] = test
    return found


def _difference(test: PairTest | None) -> str:
    if test is None:
        return "–"
    same = ", within ±0.02" if test.equivalent else ""
    return f"{number(test.difference, '+.4f')} ({interval(test.low, test.high)}), p {test.p_holm:.2g}{same}"


def _leakage(words: Sequence[str], baselines: Path) -> str:
    """The same cases on two splits, one of which keeps patients apart."""
    near, apart = (load_source(word, baselines) for word in words)
    return leakage_table(leakage(near, apart), "github")


def _splits(words: Sequence[str], baselines: Path) -> str:
    """Of the built-in splits of Figshare: test slices and persons, and how many of them are trained on."""
    table = figshare_patients()
    folds, persons = table.folds[table.persons - 1], table.persons
    rows = [_split_row("slice-seed42", persons, slice_seed42(len(persons)).train, slice_seed42(len(persons)).test)]
    for k in range(1, FOLDS + 1):
        test, train = np.flatnonzero(folds == k), np.flatnonzero((folds != k) & (folds != k % FOLDS + 1))
        rows.append(_split_row(f"patient-5fold-{k}", persons, train, test))
    return tabulate(rows, "keys", "github", disable_numparse=True)


def _split_row(name: str, persons: np.ndarray, train: np.ndarray, test: np.ndarray) -> Mapping[str, str]:
    seen = np.isin(persons[test], persons[train])
    return {
        "split": name,
        "test slices": str(len(test)),
        "of persons": str(len(np.unique(persons[test]))),
        "test slices whose person is also in training": f"{int(seen.sum())} of {len(test)}",
    }


def _of(source: Source) -> Baseline:
    assert source.baseline is not None  # a mark names baselines, not runs
    return source.baseline


_KINDS: Mapping[str, Callable[[Sequence[str], Path], str]] = {
    "table": _table,
    "setup": _setup,
    "pairs": _pairs,
    "leakage": _leakage,
    "splits": _splits,
}
"""Kind of table → what makes it of the words behind it."""
