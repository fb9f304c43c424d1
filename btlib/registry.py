"""A plain, strict registry: duplicates raise, an unknown name lists the known ones and the nearest.

A registry may be open to other packages: they name a module in an entry point, and the module registers what it brings.
"""

import difflib
import functools
import importlib
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

from btlib.errors import BtlibError, UnknownNameError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

T = TypeVar("T")


def unknown_name(kind: str, name: str, known: Iterable[str], *, where: object = None) -> UnknownNameError:
    """The error for a name outside `known`, offering the nearest one."""
    names = sorted(known)
    lowered = {n.lower(): n for n in names}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=0.4)
    offer = f"did you mean {lowered[near[0]]!r}? " if near else ""
    listing = ", ".join(names) or "none"
    return UnknownNameError(f"unknown {kind} {name!r}", where=where, hint=f"{offer}known: {listing}")


def entry_points(group: str) -> "EntryPoints":
    """The entry points of what is installed on today's path."""
    return _entry_points(group, tuple(sys.path))


@functools.cache
def _entry_points(group: str, path: tuple[str, ...]) -> "EntryPoints":
    from importlib import metadata  # reading what is installed takes a while, and most registries are never asked

    return metadata.entry_points(group=group)


def import_entry_points(group: str) -> None:
    """Import the modules that installed packages name in a group of entry points, each once.

    Raises:
        BtlibError: One cannot be imported.
    """
    for point in entry_points(group):
        try:
            importlib.import_module(point.module)
        except ImportError as error:
            raise BtlibError(
                f"its entry point {point.name!r} in the group {group!r} cannot be imported: {error}",
                where=f"package {point.dist.name if point.dist else point.module}",
                hint="repair or uninstall that package",
            ) from error


class Registry(Generic[T]):
    """Named things of one kind, in order of registration.

    Args:
        kind: What they are, for messages.
        group: Entry points of packages that bring more, read when the registry is first asked; None for a closed one.
    """

    def __init__(self, kind: str, group: str | None = None) -> None:
        self.kind = kind
        self.group = group
        self._items: dict[str, T] = {}

    def add(self, name: str, item: T) -> T:
        """Register `item` under `name`; raises BtlibError if the name is taken."""
        if name in self._items:
            raise BtlibError(
                f"{self.kind} {name!r} is registered twice", hint=f"give one of the two {self.kind}s another name"
            )
        self._items[name] = item
        return item

    def __getitem__(self, name: str) -> T:
        known = self._known()
        if name not in known:
            raise unknown_name(self.kind, name, known)
        return known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._known()

    def __iter__(self) -> Iterator[str]:
        return iter(self._known())

    def __len__(self) -> int:
        return len(self._known())

    def _known(self) -> dict[str, T]:
        """All that is registered, that of other packages included."""
        if self.group is not None:
            group, self.group = self.group, None  # first, for a module that is imported may ask as well
            try:
                import_entry_points(group)
            except BtlibError:
                self.group = group
                raise
        return self._items
