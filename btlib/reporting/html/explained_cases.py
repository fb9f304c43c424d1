"""Measures of the relevance maps of each explained case, with the measures of control maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from btlib.explain.explained import Group
from btlib.reporting.html.entries import Entry
from btlib.reporting.html.problems import Problems


@dataclass(frozen=True)
class ExplainedCase:
    """One case that was explained.

    Attributes:
        label: Label of the case.
        group: Measures over all samples.
        fill: Fill of a hidden patch.
        destroyed: Rank correlation with the maps of the same model after all weights were replaced by random ones;
            None if the sanity check was not made.
    """

    label: str
    group: Group
    fill: str
    destroyed: float | None


def explained_cases(entries: Sequence[Entry]) -> list[ExplainedCase]:
    """Return every explained case; the gallery reports measures that cannot be read."""
    unread = Problems()
    found = []
    for entry in entries:
        place = entry.view.store.explain_place
        path = place.file(entry.row.case, "json")
        explained = unread.attempt(partial(place.at, path)) if path.exists() else None
        if explained is not None:
            steps = explained.sanity.steps if explained.sanity else []
            last = steps[-1].correlation if steps else None
            found.append(ExplainedCase(entry.label, explained.summary["all"], explained.fill, last))
    return found
