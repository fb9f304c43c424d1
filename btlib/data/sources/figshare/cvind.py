"""Cross-validation folds of the data set's authors, `cvind.mat`: fold 1…5 of every slice, in file order."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib.data.sources.figshare.folder import CVIND
from btlib.errors import SplitError


def read_cvind(folder: Path | None, where: str = "cvind") -> NDArray[np.int64]:
    """Read the folds of slices 1, 2 … as int64 [n], from `cvind.mat` in the slices' folder or in the parent of `data/`.

    Args:
        folder: Folder of the slices; None if the data set has no files.
        where: Place that error messages name.

    Raises:
        SplitError: There is no `cvind.mat`, or it does not contain whole numbers.
    """
    homes = [] if folder is None else [folder, *([folder.parent] if folder.name == "data" else [])]
    path = next((home / CVIND for home in homes if (home / CVIND).is_file()), None)
    if path is None:
        looked = f"not found in {' or '.join(map(str, homes))}" if homes else "the data set has no folder"
        raise SplitError(
            f"needs {CVIND}: {looked}",
            where=where,
            hint="download it with `btlib data download`, or use the split slice-seed42 or patient-5fold-1",
        )
    folds = np.asarray(_read(path)).ravel()
    if folds.size == 0 or folds.dtype.kind not in "iuf" or not (np.mod(folds, 1) == 0).all():
        raise SplitError(f"expected whole numbers, got {folds.dtype} {folds.shape}", where=path, hint=_AGAIN)
    return folds.astype(np.int64)


_LARGEST = 2**26
_AGAIN = "download this file again (`btlib data download`)"


def _read(path: Path) -> Any:
    """Read the folds from either kind of MATLAB file: v7.3 (HDF5) or v5. Copies of both kinds exist."""
    import h5py

    from btlib import hdf5
    from btlib.files import DamagedFileError

    try:
        if path.stat().st_size > _LARGEST:
            raise DamagedFileError(f"expected at most {_LARGEST} bytes, got {path.stat().st_size}")
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
    except Exception as error:  # on a damaged file SciPy may raise any exception
        raise SplitError(f"cannot read the folds: {error}", where=path, hint=_AGAIN) from error
