"""Samples: reading and checking of the data set's files, phantoms, preprocessing, the cache and the `Dataset` class.

Public names are imported at their first use, so that `import btlib.data` loads neither h5py nor OpenCV.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from btlib.data.dataset import Dataset
    from btlib.data.load import load_dataset
    from btlib.data.sources.figshare.slice_file import list_slices, read_slice, write_slice
    from btlib.data.sources.phantom.files import phantom_folder, write_phantoms

__all__ = [
    "Dataset",
    "list_slices",
    "load_dataset",
    "phantom_folder",
    "read_slice",
    "write_phantoms",
    "write_slice",
]

_HOMES = {
    "Dataset": "dataset",
    "list_slices": "sources.figshare.slice_file",
    "load_dataset": "load",
    "phantom_folder": "sources.phantom.files",
    "read_slice": "sources.figshare.slice_file",
    "write_phantoms": "sources.phantom.files",
    "write_slice": "sources.figshare.slice_file",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'btlib.data' has no attribute {name!r}")
    return getattr(importlib.import_module(f"btlib.data.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
