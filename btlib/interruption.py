"""SIGTERM ends a run as Ctrl-C does: with its reports. Schedulers of clusters send it before they kill a job."""

import signal
import threading
from collections.abc import Callable
from types import FrameType


def interrupt_on_sigterm() -> Callable[[], None]:
    """Raise KeyboardInterrupt on SIGTERM from now on.

    Nothing changes outside the main thread, or if the program has a handler of its own.

    Returns:
        A function that restores the default behaviour of SIGTERM.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        return lambda: None
    signal.signal(signal.SIGTERM, _interrupt)
    return _restore


def _restore() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second signal must not end the writing of reports
    raise KeyboardInterrupt(f"signal {signal.Signals(number).name}")
