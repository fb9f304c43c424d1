"""Selection of the samples to explain."""

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from btlib.data.dataset import Dataset
from btlib.errors import OptionError
from btlib.splits import Split

PER_CLASS = "3 per class"
"""Selection of the thesis."""

_WORST = 9


def select(
    text: str, dataset: Dataset, split: Split, sure: Callable[[NDArray[np.int64]], NDArray[np.floating]]
) -> NDArray[np.int64]:
    """Return the positions of the selected samples in a data set, int64.

    Args:
        text: "N per class", evenly spaced in the order of the test samples; "worst" or "worst N", the test samples with
            the lowest probability of their true class; or ids, such as "7,12".
        dataset: The samples.
        split: Split that defines the test samples.
        sure: Function that returns the probability of the true class for the samples at some positions.

    Raises:
        OptionError: There is no sample with one of the ids, its mask is empty, or no test sample has a mask.
    """
    test = np.sort(split.test)
    test = test[dataset.has_structure(test)]
    if found := re.fullmatch(r"([1-9]\d*) per class", text.strip()):
        at = per_class(dataset, test, [int(found[1])] * len(dataset.task.classes))
    elif found := re.fullmatch(r"worst(?: ([1-9]\d*))?", text.strip()):
        at = test[np.argsort(sure(test), kind="stable")[: int(found[1] or _WORST)]]
    else:
        return _positions_of(text, dataset)
    if not len(at):
        raise OptionError("all test samples have empty masks", where="--samples", hint="use more samples")
    return at


def per_class(dataset: Dataset, among: NDArray[np.int64], counts: list[int]) -> NDArray[np.int64]:
    """Choose evenly spaced positions of each class.

    Args:
        dataset: The samples.
        among: Positions to choose from, int64 [n].
        counts: Number of positions for each class; all positions of a class are chosen if it has fewer.

    Returns:
        Positions sorted by class, then in the order of `among`.
    """
    chosen = [among[:0]]
    for label, wanted in enumerate(counts):
        members = among[dataset.strata[among] == label]
        count = min(wanted, len(members))
        chosen.append(members[(np.arange(count) * len(members)) // max(count, 1)])
    return np.concatenate(chosen)


def _positions_of(text: str, dataset: Dataset) -> NDArray[np.int64]:
    place = {name: i for i, name in enumerate(dataset.ids.tolist())}
    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    unknown = [name for name in names if name not in place]
    if unknown:
        raise OptionError(
            f"there is no sample {', '.join(map(repr, unknown))}",
            where="--samples",
            hint=f"the {len(place)} ids are {dataset.ids[0]} … {dataset.ids[-1]}; or give 'worst 5' or '3 per class'",
        )
    at = np.array([place[name] for name in names], dtype=np.int64)
    empty = dataset.ids[at[~dataset.has_structure(at)]]
    if len(empty):
        raise OptionError(
            f"sample {', '.join(empty)} has an empty mask at {dataset.image_size} px",
            where="--samples",
            hint="choose samples with a mask",
        )
    return at
