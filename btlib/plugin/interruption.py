"""Handle Ctrl-C and SIGTERM: the session ends as after its last item, writes its reports, and prints how to resume.

Cluster schedulers send SIGTERM before they kill a process. Without a handler Python would end at once.
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
    """Make SIGTERM interrupt the session like Ctrl-C, unless another handler is installed."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        config.stash[_BEFORE] = signal.signal(signal.SIGTERM, _interrupt)


def stop_listening(config: pytest.Config) -> None:
    """Restore the default handler of SIGTERM."""
    if _BEFORE in config.stash:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        del config.stash[_BEFORE]


def how_to_go_on(options: "RunOptions") -> str:
    """Return the message on how to resume an interrupted run."""
    without = " without --bt-retrain" if options.retrain else ""
    return (
        f"interrupted. To resume, run the same command{without}: trained models are loaded from "
        f"{options.checkpoints}, and an unfinished training continues after its last stored epoch"
    )


def _interrupt(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # a second signal must not interrupt the writing of reports
    raise KeyboardInterrupt(f"signal {signal.Signals(number).name}")
