"""One function over many files: in order, faults in their places, in other processes where it pays."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import joblib
import pytest

from btlib.data import workers
from btlib.data.workers import map_files, track
from btlib.errors import DataError, OptionError


class Pool:
    """In place of joblib's: notes its options, and works here."""

    made: list[dict[str, Any]]

    def __init__(self, **options: Any) -> None:
        self.made.append(options)

    def __call__(self, tasks: Iterator[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]) -> Iterator[Any]:
        return (function(*args, **named) for function, args, named in tasks)


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The options of every pool that was made, on a machine of twelve cores."""
    Pool.made = []
    monkeypatch.setattr(joblib, "Parallel", Pool)
    monkeypatch.setattr(joblib, "cpu_count", lambda: 12)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    monkeypatch.setattr("cv2.setNumThreads", lambda n: None)
    return Pool.made


def half(number: int) -> int:
    if number % 2:
        raise DataError(f"{number} is odd")
    return number // 2


@pytest.mark.parametrize(("n", "parallel"), [(2, False), (256, False), (257, True), (300, True)])
def test_processes_are_started_where_there_are_many_files(n: int, parallel: bool, pools: list[dict[str, Any]]):
    found = list(map_files(half, range(n), n, "Halving", progress=False))
    assert len(found) == n
    assert [one if isinstance(one, int) else one.problem for one in found[:4]] == [0, "1 is odd", 1, "3 is odd"][:n]
    assert [options["return_as"] for options in pools] == (["generator"] if parallel else []), "in order"
    assert [options["n_jobs"] for options in pools] == ([8] if parallel else []), "no more than eight"
    assert [options["pre_dispatch"] for options in pools] == (["4*n_jobs"] if parallel else []), "as they are needed"


@pytest.mark.parametrize(("cores", "jobs"), [(1, []), (None, []), (2, [2])])
def test_no_more_processes_than_cores(
    cores: int | None, jobs: list[int], pools: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(joblib, "cpu_count", lambda: cores)
    assert len(list(map_files(half, range(300), 300, "Halving", progress=False))) == 300
    assert [options["n_jobs"] for options in pools] == jobs


@pytest.mark.usefixtures("pools")
@pytest.mark.parametrize("n", [3, 300])
def test_an_error_that_is_no_fault_of_the_file_comes_through(n: int):
    def wrong(number: int) -> int:
        raise OptionError("not of the data")

    with pytest.raises(OptionError):
        list(map_files(wrong, range(n), n, "Failing", progress=False))


def test_a_worker_leaves_the_cores_to_its_siblings(monkeypatch: pytest.MonkeyPatch):
    threads: list[int] = []
    monkeypatch.setattr("cv2.setNumThreads", threads.append)
    assert workers._in_worker(half, 8) == 4
    assert threads == [1]


@pytest.mark.parametrize("progress", [True, False])
def test_a_bar_is_drawn_on_stderr_where_it_is_wanted(progress: bool, capsys: pytest.CaptureFixture[str]):
    assert list(track(iter("abc"), 3, "Counting", progress)) == ["a", "b", "c"]
    out, err = capsys.readouterr()
    assert out == ""
    assert ("Counting" in err) == progress
