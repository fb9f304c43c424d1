"""Relevance maps of samples (`btlib explain`): red where hiding a region lowers the class probability."""

import base64
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from btlib.errors import BtlibError
from btlib.explain.maps import Maps
from btlib.explain.place import ExplainPlace
from btlib.reporting.html.problems import Problems


@dataclass(frozen=True)
class SliceMap:
    """The map of one sample.

    Attributes:
        address: The thesis's map as a data URL, PNG.
        mass: Share of the average map's positive relevance inside the true mask; None without measures.
        chance: Share of the sample's pixels inside the true mask; None without measures.
    """

    address: str
    mass: float | None
    chance: float | None


def maps_of(place: ExplainPlace, case: str, problems: Problems) -> dict[str, SliceMap]:
    """Return the occlusion maps of a case by id; empty if the case was not explained or its maps cannot be read."""
    arrays, measures = place.file(case, "npz"), place.file(case, "json")
    if not (arrays.exists() or measures.exists()):
        return {}
    maps = problems.attempt(partial(Maps.load, arrays))
    explained = problems.attempt(partial(place.at, measures))
    if maps is None:
        return {}
    rows = {row.id: row for row in explained.samples} if explained is not None else {}
    found = {}
    for name, total in zip(maps.ids.tolist(), maps.total, strict=True):
        mass, chance = (rows[name].average.mass, rows[name].chance) if name in rows else (None, None)
        found[name] = SliceMap(_address(total), mass, chance)
    return found


def _address(values: NDArray[np.float32]) -> str:
    """Return a map as a data URL; colours are centred at 0 and scaled to the map's largest absolute value."""
    import cv2
    from matplotlib import colormaps

    reach = max(float(np.nanmax(np.abs(values))), 1e-9)
    colours = (255 * colormaps["RdBu_r"]((_thinned(values) / reach + 1) / 2)[..., 2::-1]).astype(np.uint8)
    done, buffer = cv2.imencode(".png", colours)
    if not done:
        raise BtlibError("a map could not be encoded", where="report")
    return "data:image/png;base64," + base64.b64encode(buffer.tobytes()).decode()


def _thinned(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reduce squares of equal pixels to one pixel each, if possible; this saves about nine tenths of the bytes."""
    for side in range(min(values.shape), 1, -1):
        if any(length % side for length in values.shape):
            continue
        few = values[::side, ::side]
        if np.array_equal(few.repeat(side, axis=0).repeat(side, axis=1), values, equal_nan=True):
            return few
    return values
