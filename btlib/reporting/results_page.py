"""Tables of a Markdown file that are generated from baselines: the text between two markers is replaced.

    <!-- btlib: table thesis figshare-slice42 -->
    …
    <!-- btlib: end -->

The words after `btlib:` name the kind of table and its baselines. Text outside the markers is not changed.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate

from btlib.data.sources.figshare.patient_table import figshare_patients
from btlib.errors import OptionError
from btlib.evaluation.catalogue import METRICS
from btlib.gate import Baseline
from btlib.gate.baseline_case import Provenance
from btlib.registry import unknown_name
from btlib.reporting.leakage import leakage, leakage_table
from btlib.reporting.names import code, in_markdown
from btlib.reporting.numbers import interval, number, p_value
from btlib.reporting.significance import TESTED, PairTest, pair_tests
from btlib.reporting.sources import Source, load_source
from btlib.reporting.values import check_metrics, column
from btlib.splits import FOLDS, slice_seed42

_BLOCK = re.compile(r"(<!-- btlib: (?P<kind>[a-z]+)(?P<words>[^\n]*?) -->\n).*?(<!-- btlib: end -->)", re.DOTALL)
Ints = NDArray[np.int64]

_METRICS = ("dice", "accuracy")
_TITLES = ("Dice (95 %)", "accuracy (95 %)")
_NO_NUMBERS = re.compile(r" -k .*?(?= --| -s|$)| -s\b| -p no:cacheprovider| --bt-timeout \d+")


def fill(text: str, baselines: Path) -> str:
    """Return the Markdown text with every marked table generated again.

    Args:
        text: Text of the file.
        baselines: Folder in which names of baselines are looked up.

    Raises:
        UnknownNameError: The kind of table is unknown.
        OptionError: A marker is wrong or has no end marker.
        BaselineError: A baseline cannot be read.
        RecordError: The baselines of a marker cannot be compared.
    """
    starts = len(re.findall(r"<!-- btlib: (?!end)", text))
    if starts != len(_BLOCK.findall(text)):
        raise OptionError("a marker `<!-- btlib: … -->` has no `<!-- btlib: end -->`", where="the file", hint="add it")

    def replacement(match: re.Match[str]) -> str:
        kind = match["kind"]
        if kind not in _KINDS:
            raise unknown_name("kind of table", kind, list(_KINDS))
        return f"{match[1]}{_KINDS[kind](match['words'].split(), baselines)}\n{match[4]}"

    return _BLOCK.sub(replacement, text)


def _table(words: Sequence[str], baselines: Path) -> str:
    """Return the table of all cases of some baselines: n, patients, Dice and accuracy with intervals over patients."""
    if not words:
        raise _wrong_words("table", "table BASELINE …", words)
    rows = [row for name in words for row in _rows(name, load_source(name, baselines))]
    return tabulate(rows, "keys", "github", disable_numparse=True)


def _rows(name: str, source: Source) -> list[Mapping[str, str]]:
    baseline = _of(source)
    values, known = column(source, _METRICS).values, baseline.conditions.patients
    return [
        {
            "case": in_markdown(case),
            "baseline": name,
            "training": _training(baseline, case),
            "split": baseline.conditions.split_name,
            "n": str(baseline.conditions.n_test),
            "persons": "–" if known is None else str(known.n_test),
            **{title: str(values.get((case, metric), "–")) for metric, title in zip(_METRICS, _TITLES, strict=True)},
        }
        for case in baseline.cases
    ]


def _training(baseline: Baseline, case: str) -> str:
    """Return the recipe, its epochs, drifting batch norm and number of seeds; "published" without a recipe."""
    recipe = baseline.provenance_of(case).recipe
    seeds = len(baseline.cases[case].runs)
    if recipe is None:
        return "published"
    parts = [f"{recipe['name']}, {recipe['epochs']} epochs"]
    parts += ["drifting batch norm"] if recipe.get("drifting_batch_norm") else []
    parts += [f"{seeds} seeds"] if seeds > 1 else []
    return ", ".join(parts)


def _setup(words: Sequence[str], baselines: Path) -> str:
    """Return the table of how some baselines were measured: one row per command."""
    if not words:
        raise _wrong_words("setup", "setup BASELINE …", words)
    rows: list[Mapping[str, str]] = []
    for name in words:
        baseline = _of(load_source(name, baselines))
        provenances: dict[tuple[str, ...], list[str]] = {}
        for case in baseline.cases:
            provenances.setdefault(_provenance(baseline.provenance_of(case)), []).append(case)
        rows += [
            {
                "baseline": name,
                "cases": " ".join(map(in_markdown, cases)),
                "measured": created,
                "on": machine,
                "by": code(command).replace("|", r"\|"),
            }
            for (created, machine, command), cases in provenances.items()
        ]
    return tabulate(rows, "keys", "github", disable_numparse=True)


def _provenance(made: Provenance) -> tuple[str, ...]:
    """Return date, machine and command, without the options that select cases or do not change numbers."""
    facts = made.environment
    machine = facts.get("gpu") or f"{facts.get('cpu', '–')}, {(facts.get('simd') or '–').split()[0]}"
    return made.created, f"{machine}, torch {facts.get('torch', '–')}", _NO_NUMBERS.sub("", made.source)


def _pairs(words: Sequence[str], baselines: Path) -> str:
    """Return the table of selected pairs of cases: `pairs BASELINE … : dice E/A F/E : accuracy F/B`.

    Each cell has the mean of first − second, its interval, and p, Holm-corrected over all pairs of the baseline.
    """
    names, *groups = [part.split() for part in " ".join(words).split(" : ")]
    wanted = [(*pair.split("/"), metric) for metric, *pairs in filter(None, groups) for pair in pairs]
    if not names or not wanted or any(len(key) != 3 for key in wanted):
        raise _wrong_words("pairs", "pairs BASELINE … : METRIC FIRST/SECOND …", words)
    check_metrics([metric for *_, metric in wanted], TESTED, f"pairs {' '.join(names)}")
    found = {name: _tests(load_source(name, baselines)) for name in names}
    rows = []
    for first, second, metric in wanted:
        tests = [known.get((first, second, metric)) for known in found.values()]
        if not any(tests):
            raise OptionError(
                f"unknown pair {first}/{second} for {metric}",
                where=f"pairs {' '.join(names)}",
                hint="name two cases of a baseline in the order of `btlib show --pairs`, and dice or accuracy",
            )
        cells = zip(found, map(_difference, tests), strict=True)
        rows.append(
            {"pair": f"{in_markdown(first)} − {in_markdown(second)}", "metric": METRICS[metric].title, **dict(cells)}
        )
    return tabulate(rows, "keys", "github", disable_numparse=True)


def _wrong_words(kind: str, expected: str, words: Sequence[str]) -> OptionError:
    return OptionError(
        f"expected `{expected}`, got {' '.join(words) or 'nothing'}", where=kind, hint="correct the marker"
    )


def _tests(source: Source) -> Mapping[tuple[str, str, str], PairTest]:
    tests = pair_tests(source.results) if source.results else ()
    return {(test.first, test.second, test.metric): test for test in tests if test.family == "all pairs"}


def _difference(test: PairTest | None) -> str:
    """Return text such as "+0.01 (−0.01 … +0.03), p 0.4"; "p ≤" marks the least p that random flips can give."""
    if test is None:
        return "–"
    same = ", within ±0.02" if test.equivalent else ""
    shown = p_value(test.p_holm, test.p_holm_is_bound)
    return f"{number(test.difference, '+.4f')} ({interval(test.low, test.high)}), p {shown}{same}"


def _leakage(words: Sequence[str], baselines: Path) -> str:
    """Return the leakage table of the same cases on a split by sample and a split by patient."""
    if len(words) != 2:
        raise _wrong_words("leakage", "leakage BY_SLICE BY_PATIENT", words)
    near, apart = (load_source(word, baselines) for word in words)
    return leakage_table(leakage(near, apart), "github")


def _splits(words: Sequence[str], baselines: Path) -> str:
    """Return the table of Figshare's built-in splits: test samples, persons, and persons who are also in training."""
    table = figshare_patients()
    folds, persons = table.folds[table.persons - 1], table.persons
    by_slice = slice_seed42(len(persons))
    by_patient = [
        _seen(persons, np.flatnonzero((folds != k) & (folds != k % FOLDS + 1)), np.flatnonzero(folds == k))
        for k in range(1, FOLDS + 1)
    ]
    rows = {
        "slice-seed42": [_seen(persons, by_slice.train, by_slice.test)],
        f"patient-{FOLDS}fold-1 … -{FOLDS}": by_patient,
    }
    head = ["split", "test samples", "of persons", "test samples whose person is also in training"]
    spans = [[name, *map(_span, zip(*found, strict=True))] for name, found in rows.items()]
    return tabulate(spans, head, "github", disable_numparse=True)


def _seen(persons: Ints, train: Ints, test: Ints) -> tuple[int, int, int]:
    seen = np.isin(persons[test], persons[train])
    return len(test), len(np.unique(persons[test])), int(seen.sum())


def _span(values: Sequence[int]) -> str:
    return str(min(values)) if min(values) == max(values) else f"{min(values)} … {max(values)}"


def _of(source: Source) -> Baseline:
    assert source.baseline is not None  # markers name baselines, not runs
    return source.baseline


_KINDS: Mapping[str, Callable[[Sequence[str], Path], str]] = {
    "table": _table,
    "setup": _setup,
    "pairs": _pairs,
    "leakage": _leakage,
    "splits": _splits,
}
"""Kind of table → function that generates it from the words of the marker."""
