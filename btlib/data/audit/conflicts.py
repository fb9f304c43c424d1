"""Check: one image with two labels, two masks or two patients, also if the second image is a near-duplicate."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from btlib.data.audit.checks import CHECKS
from btlib.data.audit.examine import Examined
from btlib.data.audit.finding import Finding, Item, Severity, counted
from btlib.data.audit.similar import turned

_SAME_MASK, _OTHER_MASK = 0.9, 0.6
"""Dice of the masks of one image and of two near-duplicates below which they are different."""


def check_conflicts(data: Examined) -> Iterator[Finding]:
    """Report duplicates whose labels, masks or patients differ."""
    pairs = [(a, b, 0, True) for group in data.equal for a, b in pairwise(group)]
    pairs += [(pair.first, pair.second, pair.turn, False) for pair in data.near]
    labels, patients = [], []
    for a, b, _, _ in pairs:
        one, other = data.samples[a], data.samples[b]
        if one.label is not None and other.label is not None and one.label != other.label:
            names = f"{data.classes[one.label]} and {data.classes[other.label]}"
            labels.append(Item(samples=(one.id, other.id), message=names))
        known = data.patients[a], data.patients[b]
        if None not in known and known[0] != known[1]:
            patients.append(Item(samples=(one.id, other.id), message=f"{known[0]} and {known[1]}"))
    moved = {(pair.first, pair.second) for pair in data.near if "moved" in pair.change}
    masks = [item for pair in pairs if pair[:2] not in moved if (item := _masks(data, *pair)) is not None]
    yield from _finding(labels, "error", "with two labels", "correct the label of one of the two")
    yield from _finding(masks, "error", "with two masks", "keep the correct mask")
    hint = "a split by patient does not separate these images: correct the patient of one of them"
    yield from _finding(patients, "warning", "under two patients", hint)


def _masks(data: Examined, a: int, b: int, turn: int, exact: bool) -> Item | None:
    one, other = data.samples[a], data.samples[b]
    if exact and one.masks == other.masks:
        return None
    least, texts = _SAME_MASK if exact else _OTHER_MASK, []
    for k, name in enumerate(data.source.task.structures):
        first, second = (
            data.store.mask(data.rows[a], k),
            np.asarray(turned(data.store.mask(data.rows[b], k), turn), bool),
        )
        total = int(first.sum()) + int(second.sum())
        dice = 2 * int((first & second).sum()) / total if total else 1.0
        if dice < least:
            texts.append(f"{name}: Dice of the two masks {dice:.2f}")
    return Item(samples=(one.id, other.id), message="; ".join(texts)) if texts else None


def _finding(items: Sequence[Item], severity: Severity, what: str, hint: str) -> Iterator[Finding]:
    if items:
        title = f"{counted(len(items), 'image')} {what}"
        yield Finding(
            check="conflicts",
            severity=severity,
            title=title,
            items=tuple(items),
            numbers={"pairs": len(items)},
            hint=hint,
        )


CHECKS.add("conflicts", check_conflicts)
