"""Which samples to explain."""

import re
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from btlib.data.dataset import Dataset
from btlib.errors import OptionError
from btlib.splits import Split

PER_CLASS = "3 per class"
"""The thesis's choice."""

_WORST = 9


def select(
    text: str, dataset: Dataset, split: Split, sure: Callable[[NDArray[np.int64]], NDArray[np.floating]]
) -> NDArray[np.int64]:
    """Positions of samples in a dataset, int64.

    Args:
        text: "N per class", spread over the order of the test samples; "worst" or "worst N" of the test samples, by
            the probability of their true type; or ids, "7,12".
        dataset: The samples.
        split: Says which are test samples.
        sure: Gives the probability of the true type of samples at some positions.

    Raises:
        OptionError: Neither of these, an id that no sample has or of an empty mask, or no test sample with a mask.
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
        raise OptionError("no test sample has a structure", where="--samples", hint="use more samples")
    return at


def per_class(dataset: Dataset, among: NDArray[np.int64], counts: list[int]) -> NDArray[np.int64]:
    """Of the positions `among`, so many of each type or all there are, spread evenly; by type, then in their order."""
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
            hint=f"the {len(place)} ids are {dataset.ids[0]} … {dataset.ids[-1]}; or say 'worst 5' or '3 per class'",
        )
    at = np.array([place[name] for name in names], dtype=np.int64)
    empty = dataset.ids[at[~dataset.has_structure(at)]]
    if len(empty):
        raise OptionError(
            f"sample {', '.join(empty)} has an empty mask at {dataset.image_size} px: there is no inside",
            where="--samples",
            hint="choose others",
        )
    return at
