"""Maps of what mattered for a slice (`btlib explain`), drawn beside it: red where the model needs what is there."""

import base64

import numpy as np
from numpy.typing import NDArray

from btlib.errors import BtlibError
from btlib.runs import Maps, RunFolder


def maps_of(folder: RunFolder, case: str) -> Maps | None:
    """The occlusion maps of a case; None where the run has none.

    Raises:
        RecordError: They cannot be read.
    """
    path = folder.explain_path(case, "npz")
    return Maps.load(path) if path.exists() else None


def map_address(maps: Maps | None, number: int) -> str:
    """The thesis's map of a slice as a data address, PNG; empty where there is none."""
    if maps is None or number not in maps.number:
        return ""
    return _address(maps.total[maps.number.tolist().index(number)])


def _address(values: NDArray[np.float32]) -> str:
    """Colours are centred at 0 and reach as far as the map's largest value; a constant map is white."""
    import cv2
    from matplotlib import colormaps

    reach = max(float(np.nanmax(np.abs(values))), 1e-9)
    colours = (255 * colormaps["RdBu_r"]((values / reach + 1) / 2)[..., 2::-1]).astype(np.uint8)
    done, buffer = cv2.imencode(".png", colours)
    if not done:
        raise BtlibError("a map could not be encoded", where="report")
    return "data:image/png;base64," + base64.b64encode(buffer.tobytes()).decode()
