"""Subgroups of the samples of a table: a class, or a third by true area. They are known without any prediction."""

import re
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from btlib.natural_order import natural
from btlib.sample_table import SampleTable

SIZES = ("small", "middle", "large")
"""Names of the thirds of a table's samples by true area, summed over all structures."""

_NAME = re.compile(r"(?P<metric>[^@]+)@(?P<kind>class|size):(?P<value>.+)", re.DOTALL)


@dataclass(frozen=True)
class Subgroup:
    """Subgroup of the samples of a table.

    Attributes:
        kind: "class" or "size".
        value: Name of the class, or of the third: "small", "middle" or "large".
    """

    kind: Literal["class", "size"]
    value: str

    @property
    def title(self) -> str:
        """Name for readers, such as "small third" or "class" and its name."""
        return f"class {self.value}" if self.kind == "class" else f"{self.value} third"

    @classmethod
    def parse(cls, name: str) -> "tuple[str, Self | None]":
        """Return the metric and the subgroup of a name such as "dice@size:small".

        The subgroup is None if the name has none, or an unknown one.
        """
        found = _NAME.fullmatch(name)
        if found is None or (found["kind"] == "size" and found["value"] not in SIZES):
            return name, None
        kind: Literal["class", "size"] = "class" if found["kind"] == "class" else "size"
        return found["metric"], cls(kind, found["value"])

    def exists(self, table: SampleTable) -> bool:
        """Whether the table has such a class, or true areas."""
        return self.value in table.classes if self.kind == "class" else bool(table.structures)

    def members(self, table: SampleTable) -> NDArray[np.bool_]:
        """Return which samples belong to the subgroup, bool [n]; only if it exists."""
        if self.kind == "class":
            return np.asarray(table.labels == table.classes.index(self.value))
        return np.asarray(size_of(table) == SIZES.index(self.value))


def subgroups_of(table: SampleTable) -> list[Subgroup]:
    """Return all subgroups of a table: its classes, and the thirds by true area if it has structures."""
    thirds = [Subgroup("size", name) for name in SIZES] if table.structures else []
    return [*(Subgroup("class", name) for name in table.classes), *thirds]


def size_of(table: SampleTable) -> NDArray[np.int64]:
    """Return the third by true area that each sample belongs to, int64 [n]: 0 small, 1 middle, 2 large.

    Samples of equal area are ordered by id, so that the thirds do not depend on the order of the table.
    """
    areas = table.truth_area.sum(axis=1).tolist()
    order = np.array(sorted(range(table.n), key=lambda i: (areas[i], natural(table.id[i]))))
    third = np.empty(table.n, dtype=np.int64)
    third[order] = np.arange(table.n) * len(SIZES) // table.n
    return third
