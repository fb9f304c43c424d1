"""A limit on the time that a case may take."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from btlib.errors import BtlibError, OptionError


class CaseTimeoutError(BtlibError):
    """A case took longer than it may."""


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise CaseTimeoutError in the block once it has lasted `seconds`.

    A call into native code is not cut short: the error comes when it returns.

    Args:
        seconds: None for no limit.

    Raises:
        OptionError: This platform has no alarm signal, or this is not the main thread.
    """
    if seconds is None:
        yield
        return
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        raise OptionError(
            "a time limit needs the alarm signal of Linux or macOS, and the main thread",
            where="--bt-timeout",
            mend="leave the option out, or limit the whole command instead",
        )

    def ring(number: int, frame: FrameType | None) -> None:
        raise CaseTimeoutError(f"took longer than {seconds:g} s", mend="give it more with --bt-timeout SECONDS")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
