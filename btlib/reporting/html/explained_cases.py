"""Where the models look: what the maps of each case say, beside what knows nothing of the sample."""

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
        label: Its label.
        group: Its measures over all samples.
        fill: What a patch was hidden with.
        destroyed: Rank correlation with the maps of the same model with random weights throughout; None where the
            sanity check was not made.
    """

    label: str
    group: Group
    fill: str
    destroyed: float | None


def explained_cases(entries: Sequence[Entry]) -> list[ExplainedCase]:
    """Every case that was explained; of measures that cannot be read, the gallery tells."""
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
