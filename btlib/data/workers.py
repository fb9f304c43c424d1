"""Doing one thing with many files: in worker processes where it pays, with a progress bar where it is wanted.

Results are pickled on their way back, so a function that makes pixels should store them and return what is small.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from btlib.errors import DataError

T = TypeVar("T")
P = TypeVar("P")

_PARALLEL_FROM = 257  # below, starting processes costs more than it saves
_MOST = 8  # processes: each holds 50 MB, and so many read 3000 samples in about two seconds


def map_files(
    function: Callable[[P], T], files: Iterable[P], n: int, title: str, progress: bool
) -> Iterator[T | DataError]:
    """`function(file)` for each file, in order; a DataError it raises is yielded in the place of its result.

    Args:
        function: Picklable, since it may run in another process.
        files: Paths, or what else the function takes for one file; drawn as they are needed.
        n: How many there are.
        title: Shown beside the progress bar.
        progress: Draw a bar on stderr.
    """
    results: Iterable[T | DataError]
    if n < _PARALLEL_FROM or (os.cpu_count() or 1) == 1:
        results = (attempt(function, file) for file in files)
    else:
        from joblib import Parallel, cpu_count, delayed

        # joblib already limits each worker to its share of the cores; threads inside cv2 would only get in the way
        pool = Parallel(n_jobs=min(cpu_count(), _MOST), return_as="generator", batch_size=16, pre_dispatch="4*n_jobs")
        results = pool(delayed(_in_worker)(function, file) for file in files)
    return track(results, n, title, progress)


def attempt(function: Callable[[P], T], file: P) -> T | DataError:
    """The result, or the DataError in its place."""
    try:
        return function(file)
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


def _in_worker(function: Callable[[P], T], file: P) -> T | DataError:
    import cv2

    cv2.setNumThreads(1)
    return attempt(function, file)
