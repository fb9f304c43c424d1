"""Check: whether the class or the part of the split can be told from a fact that says nothing about the disease."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from btlib.data.audit.checks import CHECKS
from btlib.data.audit.examine import Examined
from btlib.data.audit.fact_accuracy import FactAccuracy, fact_accuracy, p_value
from btlib.data.audit.finding import Finding, Severity

_CLEAR = 0.05  # balanced accuracy above chance from which a shortcut is reported
_LEVEL = 0.05  # probability that sound data have any finding
_LEAST = 20  # samples
_PURE = 0.95  # share of samples with a value that are of one class, and the reverse, from which it gives the class away
_SOFT = ("mean intensity", "padding")
"""Facts that the disease may change too; they are never errors."""


def check_shortcuts(data: Examined) -> Iterator[Finding]:
    """Report each fact that tells the class or the part better than chance, by a margin and by a permutation test."""
    if len(data.samples) < _LEAST:
        return
    facts = facts_of(data)
    if len(data.classes) > 1:
        labels = np.array([one.label for one in data.samples], np.int64)
        yield from _findings(facts, labels, data.classes, data.groups, "class")
    if data.parts is not None:
        names = [one for one in ("train", "val", "test") if one in data.parts.values()]
        parts = [data.part(i) for i in range(len(data.samples))]
        if None not in parts and len(set(parts)) > 1:
            codes = np.array([names.index(str(part)) for part in parts], np.int64)
            yield from _findings(facts, codes, names, data.groups, "part of the split")


def facts_of(data: Examined) -> Mapping[str, Sequence[str] | Sequence[float]]:
    """Return the facts of the files by name, and the padding and mean intensity of the images."""
    known = dict.fromkeys(name for one in data.samples for name in one.file)
    facts: dict[str, Sequence[str] | Sequence[float]] = {
        name: [one.file.get(name, "unknown") for one in data.samples] for name in known
    }
    facts["padding"] = [float(sum(one.padding)) for one in data.samples]
    facts["mean intensity"] = [one.mean for one in data.samples]
    return facts


def _findings(
    facts: Mapping[str, Sequence[str] | Sequence[float]],
    target: NDArray[np.int64],
    names: Sequence[str],
    groups: NDArray[np.int64],
    what: str,
) -> Iterator[Finding]:
    if len(np.unique(target)) < 2:
        return
    level = _LEVEL / (2 * len(facts))  # each fact may tell the class or the part
    for fact, values in facts.items():
        found = fact_accuracy(values, target, groups)
        pure = _pure(values, target, names) if fact not in _SOFT and what == "class" else ()
        clear = found.low > found.chance and found.accuracy >= found.chance + _CLEAR
        if pure or (clear and p_value(values, target, groups) <= level):
            yield _finding(fact, found, what, pure)


def _pure(values: Sequence[str] | Sequence[float], target: NDArray[np.int64], names: Sequence[str]) -> tuple[str, ...]:
    """Return texts about values that only one class has, and that most of its samples have."""
    texts, codes = [], np.asarray(values, str)
    for value in np.unique(codes):
        has = codes == value
        counts = np.bincount(target[has], minlength=len(names))
        c = int(counts.argmax())
        of_class = int((target == c).sum())
        if has.sum() < len(codes) and counts[c] >= _PURE * has.sum() and counts[c] >= _PURE * of_class:
            text = f"{counts[c]} of {of_class} samples of {names[c]} have {value}"
            texts.append(f"{text}, and {has.sum() - counts[c]} others")
    return tuple(texts)


def _finding(fact: str, found: FactAccuracy, what: str, pure: Sequence[str]) -> Finding:
    severity: Severity = "error" if pure else "warning"
    numbers = {"balanced accuracy": found.accuracy, "low": found.low, "high": found.high, "chance": found.chance}
    soft = "the disease may change it too; " if fact in _SOFT else ""
    return Finding(
        check="shortcuts",
        severity=severity,
        title=f"the {fact} alone tells the {what}: balanced accuracy {found.accuracy:.2f} "
        f"[{found.low:.2f}, {found.high:.2f}], chance {found.chance:.2f}" + "".join(f"; {text}" for text in pure),
        numbers={name: round(value, 4) for name, value in numbers.items()},
        hint=f"{soft}store all images in the same way, or a model may learn this instead of the disease",
    )


CHECKS.add("shortcuts", check_shortcuts)
