"""A limit on time holds whatever the code under it catches."""

import contextlib
import ctypes
import signal
import sys
import threading
import time
from collections.abc import Callable

import pytest

from btlib.errors import ModelError, OptionError
from btlib.runs import timeout
from btlib.runs.timeout import CaseTimeoutError, time_limit

LIMIT, LONG = 0.1, 5.0


def sleeps() -> None:
    end = time.monotonic() + LONG
    while time.monotonic() < end:
        time.sleep(0.01)


def swallows() -> None:
    """As a converter that tries several ways does."""
    for _ in range(2):
        with contextlib.suppress(Exception):
            sleeps()


def wraps() -> None:
    try:
        sleeps()
    except BaseException as error:
        raise ModelError("cannot be compiled") from error


def forgets() -> None:
    """Python prints what is raised in a callback of native code, and goes on."""
    ctypes.CFUNCTYPE(None)(sleeps)()


def swallows_all_once() -> None:
    with contextlib.suppress(BaseException):
        sleeps()
    sleeps()


@pytest.mark.parametrize("code", [sleeps, swallows, wraps, forgets, swallows_all_once])
def test_whatever_the_code_catches(monkeypatch: pytest.MonkeyPatch, code: Callable[[], None]):
    monkeypatch.setattr(timeout, "AGAIN", LIMIT)
    monkeypatch.setattr(sys, "unraisablehook", lambda found: None)  # of a callback that was interrupted
    before = signal.getsignal(signal.SIGALRM)
    began = time.monotonic()
    with pytest.raises(CaseTimeoutError, match=r"took longer than 0\.1 s"), time_limit(LIMIT):
        code()
    assert time.monotonic() - began < LONG
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_what_the_code_made_of_it_is_the_cause(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(CaseTimeoutError) as caught, time_limit(LIMIT):
        wraps()
    assert isinstance(caught.value.__cause__, ModelError)
    assert "--bt-timeout" in str(caught.value.hint)
    with pytest.raises(CaseTimeoutError) as caught, time_limit(LIMIT):
        sleeps()
    assert caught.value.__cause__ is None


def test_code_that_catches_every_exception_is_ended_by_the_first_alarm(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(timeout, "AGAIN", LIMIT)
    tries: list[int] = []

    def stubborn() -> None:
        for number in range(3):
            with contextlib.suppress(Exception):
                tries.append(number)
                sleeps()

    with pytest.raises(CaseTimeoutError), time_limit(LIMIT):
        stubborn()
    assert tries == [0]


def test_what_is_in_time_comes_through():
    with time_limit(60):
        pass
    with pytest.raises(KeyError), time_limit(60):
        raise KeyError
    with pytest.raises(KeyboardInterrupt), time_limit(60):
        raise KeyboardInterrupt
    with time_limit(None):
        pass
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_the_alarm_rings_again_and_again():
    """Foreign code may swallow the first."""
    with time_limit(60):
        left, every = signal.getitimer(signal.ITIMER_REAL)
    assert 50 < left <= 60
    assert every == timeout.AGAIN == 5


def test_without_a_limit_no_alarm_is_needed():
    def limited(seconds: float | None, errors: list[BaseException]) -> None:
        try:
            with time_limit(seconds):
                pass
        except OptionError as error:
            errors.append(error)

    for seconds, count in ((None, 0), (60.0, 1)):
        errors: list[BaseException] = []
        thread = threading.Thread(target=limited, args=(seconds, errors))
        thread.start()
        thread.join()
        assert len(errors) == count
