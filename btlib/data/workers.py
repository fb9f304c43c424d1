"""Doing one thing with many files: in worker processes where it pays, with a progress bar where it is wanted."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from btlib.errors import DataError

T = TypeVar("T")

_PARALLEL_FROM = 257  # below, starting processes costs more than it saves


def map_files(
    function: Callable[[Path], T], paths: Sequence[Path], title: str, progress: bool
) -> Iterator[T | DataError]:
    """`function(path)` for each path, in order; a DataError it raises is yielded in the place of its result.

    Args:
        function: Picklable, since it may run in another process.
        paths: The files.
        title: Shown beside the progress bar.
        progress: Draw a bar on stderr.
    """
    results: Iterable[T | DataError]
    if len(paths) < _PARALLEL_FROM or (os.cpu_count() or 1) == 1:
        results = (attempt(function, path) for path in paths)
    else:
        from joblib import Parallel, delayed

        # joblib already limits each worker to its share of the cores; threads inside cv2 would only get in the way
        pool = Parallel(n_jobs=-1, return_as="generator", batch_size=16, pre_dispatch="4*n_jobs")
        results = pool(delayed(_in_worker)(function, path) for path in paths)
    return track(results, len(paths), title, progress)


def attempt(function: Callable[[Path], T], path: Path) -> T | DataError:
    """The result, or the DataError in its place."""
    try:
        return function(path)
    except DataError as fault:
        return fault


def track(items: Iterable[T], total: int, title: str, progress: bool) -> Iterator[T]:
    """The same items, with a progress bar on stderr if wanted."""
    if not progress:
        yield from items
        return
    from rich.console import Console
    from rich.progress import track as bar

    yield from bar(items, title, total=total, console=Console(stderr=True))


def _in_worker(function: Callable[[Path], T], path: Path) -> T | DataError:
    import cv2

    cv2.setNumThreads(1)
    return attempt(function, path)
