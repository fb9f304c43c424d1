"""Comparison of two data sets: the images that both contain."""

from collections import Counter
from collections.abc import Iterator, Sequence

from btlib.data.audit.examine import Examined
from btlib.data.audit.finding import Finding, Item, Severity, counted
from btlib.data.audit.similar import Pair, find_shared


def shared_findings(first: Examined, second: Examined) -> Iterator[Finding]:
    """Yield the exact and near-duplicates between two data sets, with the parts that they are in."""
    equal = _equal(first, second)
    twins = {(pair.first, pair.second) for pair in equal}
    near = [pair for pair in find_shared(first, second) if (pair.first, pair.second) not in twins]
    yield from _finding(first, second, equal, "equal pixels")
    yield from _finding(first, second, near, "near-duplicates")
    pairs = [*equal, *near]
    shares = [
        (len({pair[side] for pair in pairs}), len(data.samples), data.source.place)
        for side, data in enumerate((first, second))
    ]
    title = "; ".join(f"{n} of {total} images of {place} are in the other set" for n, total, place in shares)
    numbers = {"shared of the first": float(shares[0][0]), "shared of the second": float(shares[1][0])}
    yield Finding(check="shared", severity="info", title=title, numbers=numbers)


def _equal(first: Examined, second: Examined) -> list[Pair]:
    found: dict[int, list[int]] = {}
    for j, one in enumerate(second.samples):
        found.setdefault(one.image, []).append(j)
    return [
        Pair(i, j, 1.0, "", 0)
        for i, one in enumerate(first.samples)
        if not one.constant
        for j in found.get(one.image, ())
    ]


def _finding(first: Examined, second: Examined, pairs: Sequence[Pair], kind: str) -> Iterator[Finding]:
    if not pairs:
        return
    where = Counter((first.part(pair.first), second.part(pair.second)) for pair in pairs)
    parts = ", ".join(
        f"{count} {one or 'no part'} – {other or 'no part'}" for (one, other), count in where.most_common()
    )
    held_out = any(("test" in places) and places != ("test", "test") for places in where)
    severity: Severity = "error" if held_out else "warning"
    numbers = {f"{one or 'no part'} – {other or 'no part'}": float(count) for (one, other), count in where.items()}
    yield Finding(
        check="shared",
        severity=severity,
        title=f"{counted(len(pairs), 'pair')} of images in both sets, {kind} (part in the first – in the second: "
        f"{parts})",
        items=tuple(_item(first, second, pair) for pair in pairs),
        numbers={"pairs": float(len(pairs)), **numbers},
        hint="the second set is no independent test of a model that was trained on the first one",
    )


def _item(first: Examined, second: Examined, pair: Pair) -> Item:
    labels = [
        data.classes[label] if (label := data.samples[i].label) is not None else ""
        for data, i in ((first, pair.first), (second, pair.second))
    ]
    text = [pair.change, " and ".join(filter(None, labels)), f"similarity {abs(pair.score):.3f}"]
    ids = (first.samples[pair.first].id,), (second.samples[pair.second].id,)
    return Item(samples=ids[0], others=ids[1], message=", ".join(filter(None, text)))
