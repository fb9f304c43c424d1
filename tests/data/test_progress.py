"""A bar on stderr where it was asked for, and none where it was not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from btlib.data import load_dataset, phantom_folder, write_phantoms
from btlib.data.sources.figshare.scan import scan
from btlib.gate.migrate import old_fingerprints

LONG: dict[str, tuple[Callable[[Path, bool], object], str]] = {
    "loading": (lambda folder, progress: load_dataset(folder, 24, progress=progress), "Reading samples"),
    "scanning": (lambda folder, progress: scan(folder, progress=progress), "Checking slices"),
    "migrating": (lambda folder, progress: old_fingerprints(folder, progress=progress), "Checking samples"),
    "drawing": (lambda folder, progress: write_phantoms(folder.parents[1] / "p", 1, 0, progress), "Drawing phantoms"),
    "a folder of phantoms": (
        lambda folder, progress: phantom_folder(folder.parents[1], 1, progress=progress),
        "Drawing phantoms",
    ),
}


@pytest.mark.parametrize("progress", [True, False])
@pytest.mark.parametrize(("work", "title"), LONG.values(), ids=LONG)
def test_what_takes_long_draws_a_bar_where_it_is_wanted(
    work: Callable[[Path, bool], object],
    title: str,
    progress: bool,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
):
    work(folder, progress)
    out, err = capsys.readouterr()
    assert out == ""
    assert (title in err) == progress
