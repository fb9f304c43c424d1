"""A pipe or a folder in the place of a file is refused at once: no reader waits for what never comes."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from btlib.errors import BtlibError
from btlib.explain.maps import Maps
from btlib.gate.schema import Baseline
from btlib.reporting.sources import load_source
from btlib.runs import CaseRecord
from btlib.runs.curves import load_curves
from btlib.runs.masks import Masks

READ: dict[str, Callable[[Path], object]] = {
    "baseline": Baseline.load,
    "source": lambda path: load_source(str(path), path.parent),
    "curves": load_curves,
    "record": CaseRecord.load,
    "masks": Masks.load,
    "maps": Maps.load,
}


@pytest.mark.parametrize("read", READ.values(), ids=READ)
def test_what_is_no_file_is_refused_at_once(read: Callable[[Path], object], tmp_path: Path):
    def waited(number: int, frame: FrameType | None) -> None:
        raise AssertionError("it waits")

    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    before = signal.signal(signal.SIGALRM, waited)
    signal.alarm(20)
    try:
        for name in ("pipe.json", "folder.json"):
            with pytest.raises(BtlibError):
                read(tmp_path / name)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
