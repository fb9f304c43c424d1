"""A plain, strict registry: duplicates raise, an unknown name lists the known ones and the nearest."""

import difflib
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

from btlib.errors import BtlibError, UnknownNameError

T = TypeVar("T")


def unknown_name(kind: str, name: str, known: Iterable[str], *, where: object = None) -> UnknownNameError:
    """The error for a name outside `known`, offering the nearest one."""
    names = sorted(known)
    lowered = {n.lower(): n for n in names}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.4)
    offer = f"did you mean {lowered[near[0]]!r}? " if near else ""
    listing = ", ".join(names) or "none"
    return UnknownNameError(f"unknown {kind} {name!r}", where=where, mend=f"{offer}known: {listing}")


class Registry(Generic[T]):
    """Named things of one kind, in order of registration."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._items: dict[str, T] = {}

    def add(self, name: str, item: T) -> T:
        """Register `item` under `name`; raises BtlibError if the name is taken."""
        if name in self._items:
            raise BtlibError(
                f"{self.kind} {name!r} is registered twice", mend=f"give one of the two {self.kind}s another name"
            )
        self._items[name] = item
        return item

    def __getitem__(self, name: str) -> T:
        if name not in self._items:
            raise unknown_name(self.kind, name, self._items)
        return self._items[name]

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)
