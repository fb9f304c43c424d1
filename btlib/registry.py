"""Strict registry of named items: duplicates are errors, and the error of an unknown name lists the known names.

A registry may be open to other packages: their entry point names a module, and the module registers its items.
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


def unknown_name(
    kind: str, name: str, known: Iterable[str], *, where: object = None, alike: float = 0.4
) -> UnknownNameError:
    """Return the error for a name that is not in `known`; its hint lists the known names and the most similar one.

    Args:
        kind: What the name names.
        name: The unknown name.
        known: Known names.
        where: Option, file or line of the name.
        alike: Least similarity of a name to be suggested, 0…1 (`difflib`).
    """
    names = sorted(known)
    lowered = {n.lower(): n for n in names}
    near = difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=alike)
    offer = f"did you mean {lowered[near[0]]!r}? " if near else ""
    listing = ", ".join(names) or "none"
    return UnknownNameError(f"unknown {kind} {name!r}", where=where, hint=f"{offer}known: {listing}")


def entry_points(group: str) -> "EntryPoints":
    """Entry points of the packages that are installed on the current `sys.path`."""
    return _entry_points(group, tuple(sys.path))


@functools.cache
def _entry_points(group: str, path: tuple[str, ...]) -> "EntryPoints":
    from importlib import metadata  # imported late: the search for packages is slow, and most registries are never used

    return metadata.entry_points(group=group)


def import_entry_points(group: str) -> None:
    """Import the modules that installed packages name in a group of entry points, each once.

    Raises:
        BtlibError: A module cannot be imported.
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
    """Named items of one kind, in order of registration.

    Args:
        kind: Kind of the items, for messages.
        group: Group of entry points with which other packages add items, imported at the first use of the registry;
            None for a closed registry.
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
        """All registered items, including those of other packages."""
        if self.group is not None:
            group, self.group = self.group, None  # set first: an imported module may use the registry as well
            try:
                import_entry_points(group)
            except BtlibError:
                self.group = group
                raise
        return self._items
