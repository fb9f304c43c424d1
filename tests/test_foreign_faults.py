"""Which exceptions are failures of user code."""

import contextlib

import pytest

from btlib.errors import Interruption, foreign_faults


class Own(BaseException):
    """Exception of a library that is no `Exception`."""


OUTCOMES = (pytest.skip.Exception, pytest.xfail.Exception, pytest.exit.Exception)


@pytest.mark.parametrize("error", [ValueError, SystemExit, GeneratorExit, *OUTCOMES, Own])
def test_failures_of_user_code(error: type[BaseException]):
    with pytest.raises(AssertionError, match="it was caught"):
        _caught(error)


@pytest.mark.parametrize("error", [KeyboardInterrupt, Interruption])
def test_what_ends_a_run_is_not_caught(error: type[BaseException]):
    with pytest.raises(error), contextlib.suppress(*foreign_faults()):
        _caught(error)


def _caught(error: type[BaseException]) -> None:
    with contextlib.suppress(ValueError):
        try:
            raise error("x")
        except foreign_faults() as found:
            raise AssertionError("it was caught") from found
