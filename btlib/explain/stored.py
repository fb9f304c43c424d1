"""Files of a study: writing them, and reading them again to resume the study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import files
from btlib.csv_text import csv_text
from btlib.errors import RecordError
from btlib.explain.explained import Explained, ExplainedSample
from btlib.explain.maps import Maps
from btlib.explain.measured import flat
from btlib.explain.place import ExplainPlace
from btlib.explain.summary import summarise


@dataclass(frozen=True, eq=False)
class Done:
    """One explained sample with its maps.

    Attributes:
        row: Measures of the sample.
        total: The thesis's map, float32 [h, w].
        average: Average map, float32 [h, w].
    """

    row: ExplainedSample
    total: NDArray[np.float32]
    average: NDArray[np.float32]


def store(
    place: ExplainPlace, about: Mapping[str, Any], done: Sequence[Done], seconds: float
) -> tuple[Explained, Maps]:
    """Write `explain/<case>.{npz,json,csv}`.

    Args:
        place: Folder to write to.
        about: Fields of `Explained` that do not depend on the samples.
        done: Explained samples, at least one.
        seconds: Time for their maps in seconds.
    """
    rows = [one.row for one in done]
    explained = Explained(
        **about,
        samples=rows,
        summary=summarise(rows, about["task"].classes),
        seconds=seconds,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    maps = Maps(
        ids=np.array([row.id for row in rows]),
        label=np.array([row.label for row in rows]),
        base=np.array([row.base for row in rows]),
        total=np.stack([one.total for one in done]),
        average=np.stack([one.average for one in done]),
        identity=explained.identity or "",
    )
    maps.save(place.file(explained.case, "npz"))
    explained.save(place.file(explained.case, "json"))
    files.write_text(place.file(explained.case, "csv"), csv_text([flat(row) for row in rows]))
    return explained, maps


def known(place: ExplainPlace, case: str, identity: str | None) -> dict[str, Done]:
    """Return the samples of an earlier study with the same identity, by id; empty if there is none or it is damaged."""
    path = place.file(case, "json")
    if identity is None or not path.exists():
        return {}
    try:
        before, maps = place.at(path), Maps.load(place.file(case, "npz"))
    except RecordError:
        return {}
    if not before.identity == maps.identity == identity:
        return {}
    at = {name: i for i, name in enumerate(maps.ids.tolist())}
    return {
        row.id: Done(row, maps.total[at[row.id]], maps.average[at[row.id]]) for row in before.samples if row.id in at
    }
