"""What could not be read or shown: the page goes on without it, and says so."""

from collections.abc import Callable
from typing import TypeVar

from btlib.errors import BtlibError

T = TypeVar("T")


class Problems:
    """Collects what is to be said, each thing once, in order."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}

    def add(self, *problems: str) -> None:
        """Say something."""
        self._said |= dict.fromkeys(problems)

    def attempt(self, read: Callable[[], T]) -> T | None:
        """What `read` returns; None where it raises a deliberate error, which is then said."""
        try:
            return read()
        except BtlibError as error:
            self.add(str(error))
            return None

    @property
    def said(self) -> tuple[str, ...]:
        """All of it."""
        return tuple(self._said)
