"""Problems of reading or drawing that the page reports; the page is made without the affected parts."""

from collections.abc import Callable
from typing import TypeVar

from btlib.errors import BtlibError

T = TypeVar("T")


class Problems:
    """Collects messages for the page, each once, in order."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}

    def add(self, *problems: str) -> None:
        """Add messages."""
        self._said |= dict.fromkeys(problems)

    def attempt(self, read: Callable[[], T]) -> T | None:
        """Return the result of `read`; if it raises a `BtlibError`, add its message and return None."""
        try:
            return read()
        except BtlibError as error:
            self.add(str(error))
            return None

    @property
    def said(self) -> tuple[str, ...]:
        """All messages."""
        return tuple(self._said)
