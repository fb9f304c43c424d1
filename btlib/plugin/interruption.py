"""Ctrl-C and SIGTERM: the session ends as after its last item, with its reports, and says how to go on.

Schedulers of clusters send SIGTERM before they kill; Python would end at once.
"""

import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from btlib.options import RunOptions


_BEFORE: pytest.StashKey[object] = pytest.StashKey()


def listen(config: pytest.Config) -> None:
    """From now on SIGTERM interrupts the session as Ctrl-C does; a program's own handler is left alone."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        config.stash[_BEFORE] = signal.signal(signal.SIGTERM, _interrupt)


def stop_listening(config: pytest.Config) -> None:
    """SIGTERM does again what it did before."""
    if _BEFORE in config.stash:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        del config.stash[_BEFORE]


def how_to_go_on(options: "RunOptions") -> str:
    """The line under an interrupted run."""
    anew = ", without --bt-retrain" if options.retrain else ""
    return (
        f"interrupted: the same command{anew} goes on: trained models are loaded from {options.checkpoints}, "
        "and a training goes on after its last stored epoch"
    )


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough: a second one must not end the writing of reports
    raise KeyboardInterrupt(f"signal {signal.Signals(number).name}")
