"""Values of the masks of a folder, and the structures that they stand for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from btlib.data.faults import joined
from btlib.data.layouts.volumes import read_volume
from btlib.data.sources.figshare.recognise import mask_signature
from btlib.data.sources.table.image_files import kind_of, read_mask, values_of
from btlib.data.workers import map_files
from btlib.errors import DataError

_WHITE = ({1}, {255}, {2**16 - 1})
_MOST = 32  # structures; a mask with more values is an image, or was stored as JPEG


@dataclass(frozen=True)
class MaskFacts:
    """Facts of a mask file.

    Attributes:
        values: Its different values.
        signature: Signature of what is not 0, and its area (`btlib.data.sources.figshare.recognise`); 0 for volumes.
        area: Pixels that are not 0, at 256×256.
    """

    values: frozenset[int]
    signature: int = 0
    area: int = 0


def scan_masks(names: Sequence[str], folder: Path, progress: bool = False) -> dict[str, MaskFacts]:
    """Read all masks.

    Raises:
        DataError: Masks cannot be read; one error names all of them.
    """
    found = map_files(partial(_look, folder), names, len(names), "Reading masks", progress)
    facts = dict(zip(names, found, strict=True))
    if faults := [fact for fact in facts.values() if isinstance(fact, DataError)]:
        raise joined(faults, folder, "repair or remove these masks", what="faults")
    return {name: fact for name, fact in facts.items() if isinstance(fact, MaskFacts)}


def _look(folder: Path, name: str) -> MaskFacts:
    try:
        if kind_of(name) == "nifti":
            return MaskFacts(frozenset(np.unique(read_volume(folder / name)).tolist()))
        mask = read_mask(folder / name, None, None)
        return MaskFacts(frozenset(values_of(mask).tolist()), *mask_signature(mask != 0))
    except DataError as error:
        raise DataError(f"{name}: {error.problem}", where=folder, hint=error.hint) from error


def structures_by_value(facts: Mapping[str, MaskFacts], names: Sequence[str], folder: Path) -> dict[str, int]:
    """Return the value of each structure; empty if the masks have the values that `task.toml` expects by default.

    Args:
        facts: Facts of each mask file.
        names: Names of the structures in the order of their values, as the user gave them; may be empty.
        folder: Folder that errors name.

    Raises:
        DataError: There are too many values, or other values than the user named structures for.
    """
    own = [set(fact.values) - {0} for fact in facts.values()]
    values = sorted(set().union(*own))
    if len(values) > _MOST or (values and values[0] < 0):
        most = max(facts, key=lambda name: len(facts[name].values))
        problem = f"the masks have {len(values)} different values, {values[0]} to {values[-1]}, most in {most}"
        hint = "a JPEG file cannot store the numbers of structures exactly: use PNG, or --mask-threshold 128"
        raise DataError(problem, where=folder, hint=hint)
    if len(names) < 2 and all(one in ({*()}, *_WHITE) for one in own):
        return {}
    if names and values and values[-1] <= len(names):
        return {}
    if names and len(names) != len(values):
        found, given = ", ".join(map(str, values)), ", ".join(names)
        problem = f"the masks have the values {found}, got {len(names)} names of structures: {given}"
        raise DataError(problem, where=folder, hint="name one structure for each value, with --structures")
    if names or len(values) == 1:
        return dict(zip(names or ["lesion"], values, strict=True))
    return {f"structure {value}": value for value in values}
