"""Which slices to explain."""

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from btlib.data.dataset import Dataset
from btlib.errors import OptionError
from btlib.splits import Split
from btlib.types import N_CLASSES

PER_CLASS = "3 per class"
"""The thesis's choice."""

_WORST = 9


def select(
    text: str, dataset: Dataset, split: Split, sure: Callable[[NDArray[np.int64]], NDArray[np.floating]]
) -> NDArray[np.int64]:
    """Positions of slices in a dataset, int64.

    Args:
        text: "N per class" of the test slices, spread over the file order; "worst" or "worst N" of the test slices, by
            the probability of their true type; or slice numbers, "7,12".
        dataset: The slices.
        split: Says which are test slices.
        sure: Gives the probability of the true type of slices at some positions.

    Raises:
        OptionError: Neither of these, a number that no slice has or that has no tumour, or no test slice with a tumour.
    """
    test = np.sort(split.test)[dataset.masks[np.sort(split.test)].any(axis=(1, 2))]
    if found := re.fullmatch(r"([1-9]\d*) per class", text.strip()):
        at = per_class(dataset, test, [int(found[1])] * N_CLASSES)
    elif found := re.fullmatch(r"worst(?: ([1-9]\d*))?", text.strip()):
        at = test[np.argsort(sure(test), kind="stable")[: int(found[1] or _WORST)]]
    else:
        return _numbered(text, dataset)
    if not len(at):
        raise OptionError("no test slice has a tumour", where="--slices", mend="use more slices")
    return at


def per_class(dataset: Dataset, among: NDArray[np.int64], counts: list[int]) -> NDArray[np.int64]:
    """Of the positions `among`, so many of each type or all there are, spread evenly; by type, then in their order."""
    chosen = [among[:0]]
    for label, wanted in enumerate(counts):
        members = among[dataset.labels[among] == label]
        count = min(wanted, len(members))
        chosen.append(members[(np.arange(count) * len(members)) // max(count, 1)])
    return np.concatenate(chosen)


def _numbered(text: str, dataset: Dataset) -> NDArray[np.int64]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise OptionError(
            f"expected slice numbers, 'worst' or 'N per class', got {text!r}",
            where="--slices",
            mend="for example --slices 7,12 or --slices 'worst 5' or --slices '3 per class'",
        )
    place = {number: i for i, number in enumerate(dataset.numbers.tolist())}
    numbers = list(dict.fromkeys(map(int, parts)))
    unknown = [str(number) for number in numbers if number not in place]
    if unknown:
        raise OptionError(
            f"there is no slice {', '.join(unknown)}",
            where="--slices",
            mend=f"the {len(place)} slices are numbered {min(place)}…{max(place)}",
        )
    at = np.array([place[number] for number in numbers], dtype=np.int64)
    empty = dataset.numbers[at[~dataset.masks[at].any(axis=(1, 2))]]
    if len(empty):
        raise OptionError(
            f"slice {', '.join(map(str, empty))} has no tumour at {dataset.image_size} px: there is no inside",
            where="--slices",
            mend="choose others",
        )
    return at
