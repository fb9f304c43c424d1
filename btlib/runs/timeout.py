"""Time limit for a case."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from btlib.errors import BtlibError, Interruption, OptionError
from btlib.ranges import POSITIVE

AGAIN = 5.0
"""Seconds between interruptions. The block is interrupted again if its code caught the previous interruption."""


class CaseTimeoutError(BtlibError):
    """A case exceeded its time limit."""


class _Interruption(Interruption):
    """Interruption of the block. It is not an `Exception`, because other code may catch every `Exception`."""


@contextlib.contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Context that raises CaseTimeoutError if its block takes longer than `seconds`, whatever its code catches.

    A call into native code is not interrupted: the error is raised after the call returns.

    Args:
        seconds: Time limit in seconds, above 0; None for no limit.

    Raises:
        OptionError: The limit is not above 0, this platform has no alarm signal, or this is not the main thread.
        CaseTimeoutError: The block took longer.
    """
    if seconds is None:
        yield
        return
    POSITIVE.require(seconds, "--bt-timeout")
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        raise OptionError(
            "a time limit needs the alarm signal of Linux or macOS, and the main thread",
            where="--bt-timeout",
            hint="leave the option out, or limit the time of the complete command",
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
        over = True  # in case the alarm rang in the line above
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    if rang:
        problem = f"the case took longer than {seconds:g} s"
        raise CaseTimeoutError(problem, hint="increase the limit with --bt-timeout SECONDS") from late
