"""SIGTERM interrupts as Ctrl-C does, once, and never against a program's own handler."""

import os
import signal
import threading

import pytest

from btlib.interruption import interrupt_on_sigterm


def test_sigterm_interrupts_until_it_is_restored_and_only_once():
    before = signal.getsignal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        restore = interrupt_on_sigterm()
        with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
            os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)  # while the reports are written
        restore()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_handler_of_the_program_s_own_stays():
    before = signal.signal(signal.SIGTERM, own := lambda *_: None)
    try:
        restore = interrupt_on_sigterm()
        assert signal.getsignal(signal.SIGTERM) is own
        restore()
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_another_thread_nothing_is_changed():
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=interrupt_on_sigterm)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before
