"""Check: masks that do not fit their images, and pairs of samples whose masks seem to be swapped."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from btlib.data.audit.checks import CHECKS
from btlib.data.audit.examine import Examined
from btlib.data.audit.finding import Finding, Item, Severity
from btlib.data.audit.fit_model import LEAST, FitModel

_INFORMATIVE = 0.8  # area under the ROC curve from which the model may judge
_BAD = -2.5  # log odds below which a mask does not fit
_SWAPPED = 15.0  # gain in log odds if two masks are exchanged; 12.8 is the highest chance finding in 3064 slices
_MAYBE = 8.5
_SUSPECTS = 100  # samples whose masks are exchanged with each other
_WORST, _OTHERS = 30, 300  # the worst are exchanged with more samples


class _Swap(NamedTuple):
    first: int
    second: int
    gain: float


def check_swapped(data: Examined) -> Iterator[Finding]:
    """Report masks of each structure that do not fit, if fitting and other masks can be told apart in this data set."""
    for k, name in enumerate(data.source.task.structures):
        at = np.array([i for i, one in enumerate(data.samples) if one.fits[k]], np.int64)
        if len(at) < LEAST or len(set(data.groups[at].tolist())) < 2:
            continue
        model = FitModel(data, k, at)
        if not model.learnable or model.discrimination < _INFORMATIVE:
            continue
        swaps = _swaps(model)
        yield from _swapped(data, swaps, name, model.discrimination)
        named = {i for swap in swaps for i in swap[:2]}
        bad = [(float(model.own[r]), int(at[r])) for r in np.argsort(model.own) if model.own[r] < _BAD]
        yield from _unfitting(data, [(odds, i) for odds, i in bad if i not in named], name, model.discrimination)


def _swaps(model: FitModel) -> list[_Swap]:
    """Return pairs of samples whose masks fit much better after an exchange, the clearest first; each sample once."""
    order = np.argsort(model.own)
    at = model.at[order].tolist()
    own = dict(zip(at, model.own[order].tolist(), strict=True))
    pairs = {(min(i, j), max(i, j)) for i in at[:_SUSPECTS] for j in at[:_SUSPECTS] if i != j and own[i] < 0}
    pairs |= {(min(i, j), max(i, j)) for i in at[:_WORST] for j in at[:_OTHERS] if i != j and own[i] < 0}
    found = []
    for i, j in sorted(pairs):
        if min(own[i], own[j]) < 0 and (one := model.log_odds(i, j)) > -0.5 and (other := model.log_odds(j, i)) > -0.5:
            found.append(_Swap(i, j, one + other - own[i] - own[j]))
    chosen, used = [], set[int]()
    for swap in sorted(found, key=lambda swap: -swap.gain):
        if swap.gain >= _MAYBE and not used & {swap.first, swap.second}:
            chosen.append(swap)
            used |= {swap.first, swap.second}
    return chosen


def _swapped(data: Examined, swaps: Sequence[_Swap], name: str, area: float) -> Iterator[Finding]:
    clear = [swap for swap in swaps if swap.gain >= _SWAPPED]
    unclear = [swap for swap in swaps if swap.gain < _SWAPPED]
    if clear:
        yield _finding(data, clear, "error", f"masks of {name} that seem to be swapped", area)
    if unclear:
        yield _finding(data, unclear, "warning", f"masks of {name} that may be swapped", area)


def _finding(data: Examined, swaps: Sequence[_Swap], severity: Severity, what: str, area: float) -> Finding:
    return Finding(
        check="swapped",
        severity=severity,
        title=f"{len(swaps)} {'pair' if len(swaps) == 1 else 'pairs'} of {what}",
        items=tuple(
            Item(
                samples=(data.samples[swap.first].id, data.samples[swap.second].id),
                message=f"exchanged, both masks fit better (log odds +{swap.gain:.1f})",
            )
            for swap in swaps
        ),
        numbers={"pairs": len(swaps), "area under the ROC curve": round(area, 4)},
        hint="look at these samples and exchange their masks if necessary",
    )


def _unfitting(data: Examined, bad: Sequence[tuple[float, int]], name: str, area: float) -> Iterator[Finding]:
    if bad:
        yield Finding(
            check="swapped",
            severity="warning",
            title=f"{len(bad)} of {len(data.samples)} masks of {name} fit their images no better than masks of others",
            items=tuple(Item(samples=(data.samples[i].id,), message=f"log odds {odds:.1f}") for odds, i in bad),
            numbers={"masks": len(bad), "area under the ROC curve": round(area, 4)},
            hint="look at the first of them; hard cases are among them too",
        )


CHECKS.add("swapped", check_swapped)
