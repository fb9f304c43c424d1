"""Check: exact duplicates and near-duplicates, within a part of the split and across parts."""

from collections.abc import Iterator, Sequence

from btlib.data.audit.checks import CHECKS
from btlib.data.audit.examine import Examined
from btlib.data.audit.finding import Finding, Item, Severity, counted

_ACROSS = "keep each image in one part only: numbers on the test part are too good otherwise"
_WITHIN = "remove the copies, unless the same image is meant to count more than once"


def check_duplicates(data: Examined) -> Iterator[Finding]:
    """Report groups of images with equal pixels, and pairs of near-duplicates."""
    exact = [(group, "equal pixels") for group in data.equal]
    near = [([pair.first, pair.second], _near_text(pair.change, pair.score)) for pair in data.near]
    for groups, kind in ((exact, "exact duplicates"), (near, "near-duplicates")):
        across = [one for one in groups if len(_parts(data, one[0])) > 1]
        within = [one for one in groups if len(_parts(data, one[0])) < 2]
        yield from _finding(data, across, f"{kind} across parts of the split", "error", _ACROSS)
        where = " within a part of the split" if data.parts is not None else ""
        yield from _finding(data, within, f"{kind}{where}", "warning", _WITHIN)


def _near_text(change: str, score: float) -> str:
    return f"{change or 'intensities, size or compression differ'} (similarity {abs(score):.3f})"


def _parts(data: Examined, group: Sequence[int]) -> set[str]:
    return {part for i in group if (part := data.part(i)) is not None}


def _finding(
    data: Examined, groups: Sequence[tuple[Sequence[int], str]], kind: str, severity: Severity, hint: str
) -> Iterator[Finding]:
    if not groups:
        return
    images = {i for group, _ in groups for i in group}
    noun = "group" if kind.startswith("exact") else "pair"
    yield Finding(
        check="duplicates",
        severity=severity,
        title=f"{counted(len(groups), noun)} of {kind}, {counted(len(images), 'image')}",
        items=tuple(_item(data, group, text) for group, text in groups),
        numbers={f"{noun}s": len(groups), "images": len(images)},
        hint=hint,
    )


def _item(data: Examined, group: Sequence[int], text: str) -> Item:
    parts = sorted(_parts(data, group))
    where = f"{' and '.join(parts)}: " if parts else ""
    return Item(samples=tuple(data.samples[i].id for i in group), message=f"{where}{text}")


CHECKS.add("duplicates", check_duplicates)
