"""Short form of the audit at the start of a run. It uses digests and labels in the cache and reads no pixels."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from btlib.data.audit.classes import class_findings
from btlib.data.audit.finding import Finding, Item, Severity, counted, worst_first
from btlib.data.audit.patients import across
from btlib.data.dataset import Dataset
from btlib.data.digest import mask_digest

_LINES = 6


def short_audit(dataset: Dataset, parts: Sequence[str | None], split: str) -> tuple[Finding, ...]:
    """Return the findings on exact duplicates, their labels and masks, on patients and on classes.

    Args:
        dataset: Samples of the run, with their true labels.
        parts: Part of each sample in the split, "train", "val" or "test"; None for a sample in no part.
        split: Name of the split.
    """
    ids = dataset.ids.tolist()
    findings = [*_duplicates(dataset, parts), *_masks(dataset)]
    findings += across(dataset.task.group, dataset.patients, ids, parts, split)
    if dataset.labels is not None:
        findings += class_findings(dataset.task.classes, dataset.labels.tolist(), parts)
    return worst_first(findings)


def short_lines(findings: Sequence[Finding], n: int, place: str = "FOLDER") -> list[str]:
    """Return the lines that a run shows: errors and warnings, and how to make the whole audit.

    Args:
        findings: Findings of `short_audit`.
        n: Number of samples.
        place: Folder of the samples.
    """
    shown = [one for one in findings if one.severity != "info"]
    lines = [f"  {one.severity}: {one.title}" for one in shown[:_LINES]]
    if len(shown) > _LINES:
        lines.append(f"  … and {len(shown) - _LINES} more")
    found = f"{counted(len(shown), 'finding')}" if shown else "no errors or warnings"
    return [f"Short audit of {counted(n, 'sample')}: {found}; the whole audit: btlib data audit {place}", *lines]


def _duplicates(dataset: Dataset, parts: Sequence[str | None]) -> Iterator[Finding]:
    if dataset.image_digests is None:
        return
    groups = _equal(dataset.image_digests)
    crossing: list[list[int]] = []
    inside: list[list[int]] = []
    for group in groups:
        (crossing if len({parts[i] for i in group} - {None}) > 1 else inside).append(group)
    labels = dataset.strata
    two_labels = [group for group in groups if len({int(labels[i]) for i in group}) > 1]
    two_masks = [group for group in groups if len({int(dataset.truth_digests[i]) for i in group}) > 1]
    kinds: tuple[tuple[list[list[int]], str, Severity, str], ...] = (
        (crossing, "duplicates", "error", "of exact duplicates across parts of the split"),
        (inside, "duplicates", "warning", "of exact duplicates within a part of the split"),
        (two_labels, "conflicts", "error", "of exact duplicates with two labels"),
        (two_masks, "conflicts", "error", "of exact duplicates with two masks"),
    )
    for found, check, severity, text in kinds:
        if found:
            yield Finding(
                check=check,
                severity=severity,
                title=f"{counted(len(found), 'group')} {text}",
                items=tuple(Item(samples=tuple(str(dataset.ids[i]) for i in group)) for group in found),
                numbers={"groups": len(found)},
            )


def _masks(dataset: Dataset) -> Iterator[Finding]:
    k, side = len(dataset.task.structures), dataset.image_size
    if not k or dataset.mask_digests is None:
        return
    shape = (k, side, side)
    empty, full = (dataset.mask_digests == mask_digest(make(shape, bool)) for make in (np.zeros, np.ones))
    if empty.any():
        all_of_them = bool(empty.all())
        title = f"{int(empty.sum())} of {len(empty)} samples have empty masks at {side} × {side} pixels"
        yield Finding(check="masks", severity="error" if all_of_them else "info", title=title)
    if full.any():
        title = f"{counted(int(full.sum()), 'mask')} cover the whole image"
        yield Finding(check="masks", severity="error", title=title)


def _equal(digests: NDArray[np.uint64]) -> list[list[int]]:
    """Return groups of at least two positions with equal digests."""
    order = np.argsort(digests, kind="stable")
    ordered = digests[order]
    ends = np.flatnonzero(np.diff(ordered) != 0) + 1
    return [group.tolist() for group in np.split(order, ends) if len(group) > 1]
