"""Applying a function to many files, in worker processes if this is faster, with an optional progress bar.

Results of workers are pickled, so a function that creates pixels should store them and return small values.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from btlib.errors import DataError

T = TypeVar("T")
P = TypeVar("P")

_PARALLEL_FROM = 257  # for fewer files, starting processes takes longer than it saves
_MOST = 8  # processes: each needs 50 MB, and 8 of them read 3000 samples in about two seconds


def map_files(
    function: Callable[[P], T], files: Iterable[P], n: int, title: str, progress: bool
) -> Iterator[T | DataError]:
    """Yield `function(file)` for each file, in order. If it raises a DataError, yield the error instead of a result.

    Args:
        function: Picklable function, since it may run in another process.
        files: Paths, or other arguments of the function, one per file; consumed on demand.
        n: Number of files.
        title: Text next to the progress bar.
        progress: Draw a progress bar on stderr.
    """
    results: Iterable[T | DataError]
    if n < _PARALLEL_FROM or (os.cpu_count() or 1) == 1:
        results = (attempt(function, file) for file in files)
    else:
        from joblib import Parallel, cpu_count, delayed

        # joblib limits each worker to its share of the cores; threads inside cv2 would compete with the workers
        pool = Parallel(n_jobs=min(cpu_count(), _MOST), return_as="generator", batch_size=16, pre_dispatch="4*n_jobs")
        results = pool(delayed(_in_worker)(function, file) for file in files)
    return track(results, n, title, progress)


def attempt(function: Callable[[P], T], file: P) -> T | DataError:
    """Return the result of the function, or the DataError that it raises."""
    try:
        return function(file)
    except DataError as fault:
        return fault


def track(items: Iterable[T], total: int, title: str, progress: bool) -> Iterator[T]:
    """Yield the same items, with a progress bar on stderr if `progress` is true."""
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
