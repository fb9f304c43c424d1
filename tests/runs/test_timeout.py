"""A limit on time holds whatever the code under it catches."""

import contextlib
import ctypes
import sys
import time
from collections.abc import Callable

import pytest

from btlib.errors import ModelError
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
    began = time.monotonic()
    with pytest.raises(CaseTimeoutError, match=r"took longer than 0\.1 s"), time_limit(LIMIT):
        code()
    assert time.monotonic() - began < LONG


def test_what_is_in_time_comes_through():
    with time_limit(60):
        pass
    with pytest.raises(KeyError), time_limit(60):
        raise KeyError
    with pytest.raises(KeyboardInterrupt), time_limit(60):
        raise KeyboardInterrupt
    with time_limit(None):
        pass
    with time_limit(LIMIT):
        pass
    time.sleep(2 * LIMIT)  # the alarm is off
