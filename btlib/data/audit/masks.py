"""Check: masks that are empty, full, off the object, lost by resizing, or equal to the mask of another image."""

from collections.abc import Iterator, Sequence

import numpy as np

from btlib.data.audit.checks import CHECKS
from btlib.data.audit.examine import Examined
from btlib.data.audit.finding import Finding, Item, Severity, counted

_FULL = 0.98  # share of the image
_OFF, _USUALLY_ON = 0.25, 0.5
"""A mask is off the object if less of it lies on bright pixels, in data whose masks usually do (5th percentile)."""

_SMALL = 5  # pixels at the chosen size
_COMMON = 0.02  # share of samples; a mask that more of them have is a constant region


def check_masks(data: Examined) -> Iterator[Finding]:
    """Report conspicuous masks of each structure."""
    for k, name in enumerate(data.source.task.structures):
        yield from _areas(data, k, name)
        yield from _off_object(data, k, name)
        yield from _resized(data, k, name)
        yield from _equal(data, k, name)


def _areas(data: Examined, k: int, name: str) -> Iterator[Finding]:
    areas = np.array([one.areas[k] for one in data.samples])
    empty, full = np.flatnonzero(areas == 0), np.flatnonzero(areas >= _FULL)
    if len(empty):
        all_empty = len(empty) == len(areas)
        yield _finding(
            data,
            empty,
            "error" if all_empty else "info",
            f"{len(empty)} of {len(areas)} masks of {name} are empty",
            "" if not all_empty else "there is nothing to segment: check the mask files",
        )
        yield from _empty_by_class(data, empty, name)
    if len(full):
        yield _finding(
            data, full, "error", f"{counted(len(full), 'mask')} of {name} cover the whole image", "correct these masks"
        )


def _empty_by_class(data: Examined, empty: np.ndarray, name: str) -> Iterator[Finding]:
    """Report the few empty masks of a class whose other masks are not empty, and the reverse."""
    if not data.classes:
        return
    labels = np.array([one.label for one in data.samples])
    blank = np.isin(np.arange(len(labels)), empty)
    for c, title in enumerate(data.classes):
        members = np.flatnonzero(labels == c)
        for rare, what in ((blank, "empty"), (~blank, "not empty")):
            odd = members[rare[members]]
            if 0 < len(odd) <= 0.1 * len(members):
                title_ = f"{len(odd)} of {len(members)} masks of {name} in class {title} are {what}, the others are not"
                yield _finding(data, odd, "warning", title_, "check the label and the mask of these samples")


def _off_object(data: Examined, k: int, name: str) -> Iterator[Finding]:
    shares = np.array([one.on_object[k] for one in data.samples])
    filled = np.array([one.areas[k] > 0 for one in data.samples])
    if filled.any() and np.percentile(shares[filled], 5) > _USUALLY_ON:
        off = np.flatnonzero(filled & (shares < _OFF))
        if len(off):
            title = f"{counted(len(off), 'mask')} of {name} on the dark background"
            yield _finding(data, off, "error", title, "check whether these masks belong to their images")


def _resized(data: Examined, k: int, name: str) -> Iterator[Finding]:
    sizes = np.array([one.small_areas[k] for one in data.samples])
    filled = np.array([one.areas[k] > 0 for one in data.samples])
    at = f"at {data.image_size} × {data.image_size} pixels"
    lost, small = np.flatnonzero(filled & (sizes == 0)), np.flatnonzero(filled & (sizes > 0) & (sizes < _SMALL))
    if len(lost):
        title = f"{counted(len(lost), 'mask')} of {name} vanish {at}"
        yield _finding(data, lost, "error", title, "choose a larger size (--size here, image_size of the protocol)")
    if len(small):
        title = f"{counted(len(small), 'mask')} of {name} with less than {_SMALL} pixels {at}"
        yield _finding(data, small, "warning", title, "choose a larger size")


def _equal(data: Examined, k: int, name: str) -> Iterator[Finding]:
    """Report masks that are equal although the images are no duplicates."""
    copies: dict[int, int] = {i: group[0] for group in data.equal for i in group}
    copies |= {pair.second: copies.get(pair.first, pair.first) for pair in data.near}
    found: dict[int, list[int]] = {}
    for i, one in enumerate(data.samples):
        if 0 < one.areas[k] < _FULL:
            found.setdefault(one.masks[k], []).append(i)
    groups = [group for group in found.values() if len({copies.get(i, i) for i in group}) > 1]
    common = max(3, _COMMON * len(data.samples))
    rare = [group for group in groups if len(group) <= common]
    if rare:
        yield Finding(
            check="masks",
            severity="warning",
            title=f"{counted(len(rare), 'mask')} of {name} that several different images share",
            items=tuple(Item(samples=tuple(data.samples[i].id for i in group)) for group in rare),
            numbers={"groups": len(rare)},
            hint="one of the images may have got the mask of the other",
        )


def _finding(data: Examined, at: np.ndarray | Sequence[int], severity: Severity, title: str, hint: str = "") -> Finding:
    ids = [data.samples[i].id for i in at]
    items = tuple(Item(samples=(name,)) for name in ids)
    return Finding(
        check="masks", severity=severity, title=title, items=items, numbers={"masks": len(ids)}, hint=hint or None
    )


CHECKS.add("masks", check_masks)
