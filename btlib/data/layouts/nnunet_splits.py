"""`splits_final.json` of nnU-Net: the training and validation cases of each fold."""

import json
from collections.abc import Collection
from pathlib import Path

from btlib.errors import DataError

FILE = "splits_final.json"
_HINT = "correct or remove splits_final.json"


def validation_cases(folder: Path, train: Collection[str]) -> set[str]:
    """Return the validation cases of the first fold; empty if there is no `splits_final.json`.

    Args:
        folder: Folder of the data set.
        train: Names of all training cases.

    Raises:
        DataError: The file is damaged, names unknown cases, or a case trains and validates.
    """
    path = folder / FILE
    if not path.is_file():
        return set()
    try:
        folds = json.loads(path.read_bytes().decode("utf-8-sig"))
        first = {part: [str(name) for name in folds[0][part]] for part in ("train", "val")}
    except (OSError, ValueError, TypeError, LookupError, RecursionError) as error:
        problem = f"expected a list of folds, each with train and val: {type(error).__name__}: {error}"
        raise DataError(problem, where=path, hint=_HINT) from error
    both = set(first["train"]) & set(first["val"])
    if both:
        raise DataError(f"case {min(both)} trains and validates", where=path, hint=_HINT)
    strange = {*first["train"], *first["val"]} - set(train)
    missing = set(train) - {*first["train"], *first["val"]}
    for what, names in (("is no training case", strange), ("is in no part of the first fold", missing)):
        if names:
            raise DataError(f"{min(names)} {what} ({len(names)} in all)", where=path, hint=_HINT)
    return set(first["val"])
