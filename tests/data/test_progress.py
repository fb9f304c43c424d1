"""A bar on stderr where it was asked for, and none where it was not."""

from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest

from btlib.data import load_dataset, phantom_folder, write_phantoms
from btlib.data.download import _Bar
from btlib.data.scan import scan
from btlib.runs.migrate import old_fingerprints

LONG: dict[str, tuple[Callable[[Path, bool], object], str]] = {
    "loading": (lambda folder, progress: load_dataset(folder, 24, progress=progress), "Reading slices"),
    "scanning": (lambda folder, progress: scan(folder, progress=progress), "Checking slices"),
    "migrating": (lambda folder, progress: old_fingerprints(folder, progress=progress), "Checking slices"),
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


def test_the_bar_of_a_download_knows_its_total_when_pooch_does():
    drawn = Mock()
    bar = _Bar(drawn, "a.zip")
    drawn.add_task.assert_called_once_with("a.zip", total=None)
    bar.update(4)
    bar.total = 10
    bar.update(6)
    assert [call.kwargs for call in drawn.update.call_args_list] == [
        {"advance": 4, "total": None},
        {"advance": 6, "total": 10},
    ]
    bar.reset()
    bar.close()
    drawn.reset.assert_called_once_with(drawn.add_task.return_value)
    drawn.stop.assert_called_once_with()
