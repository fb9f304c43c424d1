"""A limit on the time that a case may take."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from btlib.errors import BtlibError, OptionError

AGAIN = 5.0
"""Seconds after which the block is interrupted once more, where foreign code swallowed the interruption."""


class CaseTimeoutError(BtlibError):
    """A case took longer than it may."""


class _Interruption(BaseException):
    """Ends the block. No `Exception`, for foreign code and converters catch every one of those."""


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise CaseTimeoutError once the block has lasted `seconds`, whatever its code catches.

    A call into native code is not cut short: the error comes when it returns.

    Args:
        seconds: None for no limit.

    Raises:
        OptionError: This platform has no alarm signal, or this is not the main thread.
        CaseTimeoutError: The block took longer.
    """
    if seconds is None:
        yield
        return
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        raise OptionError(
            "a time limit needs the alarm signal of Linux or macOS, and the main thread",
            where="--bt-timeout",
            hint="leave the option out, or limit the whole command instead",
        )
    rang = over = False

    def ring(number: int, frame: FrameType | None) -> None:
        nonlocal rang
        if not over:
            rang = True
            raise _Interruption

    before = signal.signal(signal.SIGALRM, ring)
    late: BaseException | None = None
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
            yield
        finally:
            over = True
    except (_Interruption, Exception) as error:
        if not rang:
            raise
        late = None if isinstance(error, _Interruption) else error
    finally:
        over = True  # whatever rang in the line above
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    if rang:
        problem = f"took longer than {seconds:g} s"
        raise CaseTimeoutError(problem, hint="give it more with --bt-timeout SECONDS") from late
