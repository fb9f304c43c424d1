"""The dataset's own cross-validation folds, `cvind.mat`: fold 1…5 of every slice, in file order."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib.data.sources.figshare.folder import CVIND
from btlib.errors import SplitError


def read_cvind(folder: Path | None, where: str = "cvind") -> NDArray[np.int64]:
    """Folds of slices 1, 2 … as int64 [n], from `cvind.mat` beside the slices or above their `data/`.

    Args:
        folder: Where the slices lie; None where the dataset has no files.
        where: Named in error messages.

    Raises:
        SplitError: There is no `cvind.mat`, or it does not hold one whole number a slice.
    """
    homes = [] if folder is None else [folder, *([folder.parent] if folder.name == "data" else [])]
    path = next((home / CVIND for home in homes if (home / CVIND).is_file()), None)
    if path is None:
        looked = " and ".join(map(str, homes)) or "nowhere: the dataset has no folder"
        raise SplitError(
            f"needs {CVIND}; looked in {looked}",
            where=where,
            hint="get it with `btlib data download`, or use the split slice-seed42 or patient-5fold-1",
        )
    folds = np.asarray(_read(path)).ravel()
    if folds.size == 0 or folds.dtype.kind not in "iuf" or not (np.mod(folds, 1) == 0).all():
        raise SplitError(f"expected whole numbers, got {folds.dtype} {folds.shape}", where=path, hint=_AGAIN)
    return folds.astype(np.int64)


_LARGEST = 2**26
_AGAIN = "get this file again (`btlib data download`)"


def _read(path: Path) -> Any:
    """Both kinds of MATLAB file are about: v7.3 (HDF5) and v5."""
    import h5py

    from btlib import hdf5
    from btlib.files import DamagedFileError

    try:
        if path.stat().st_size > _LARGEST:
            raise DamagedFileError(f"it has {path.stat().st_size} bytes; folds take fewer than {_LARGEST}")
        if h5py.is_hdf5(path):
            with hdf5.reading(path) as file:
                folds = hdf5.dataset(file, "cvind")
                if folds is None:
                    raise DamagedFileError(f"expected a dataset cvind, found {', '.join(file) or 'nothing'}")
                return hdf5.values(folds)
        from scipy.io import loadmat

        return loadmat(path, variable_names=["cvind"])["cvind"]
    except MemoryError:
        raise
    except Exception as error:  # a damaged file makes SciPy raise almost anything
        raise SplitError(f"cannot read the folds: {error}", where=path, hint=_AGAIN) from error
