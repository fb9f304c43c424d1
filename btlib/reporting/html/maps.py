"""Maps of what mattered for a slice, where the run has some: `maps/<case>/<number>.png`, drawn beside the slice."""

import base64
from urllib.parse import quote

from btlib.runs.folder import RunFolder

_MOST = 200_000  # bytes; more does not fit a page of many


def map_address(folder: RunFolder, case: str, number: int) -> str:
    """The map of a slice as a data address; empty where there is none."""
    path = folder.path / "maps" / quote(case, safe=" ") / f"{number}.png"
    if not path.is_file() or path.stat().st_size > _MOST:
        return ""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
