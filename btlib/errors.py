"""Errors of btlib. They have one base class, and their messages contain the place, the problem and a hint."""

import sys
import warnings


class BtlibError(Exception):
    """Base class of all errors that btlib raises on purpose.

    Args:
        problem: Problem: what was expected and what was found.
        where: File, field, option or case that has the problem.
        hint: Hint for the user how to solve the problem.
    """

    def __init__(self, problem: str, *, where: object = None, hint: str | None = None) -> None:
        self.problem = problem
        self.where = None if where is None else str(where)
        self.hint = hint
        parts = [problem if self.where is None else f"{self.where}: {problem}"]
        if hint:
            parts.append(f"Hint: {hint}")
        super().__init__("\n".join(parts))


class DataError(BtlibError):
    """A sample file, a data folder or the cache is missing, damaged or invalid."""


class SplitError(BtlibError):
    """A split cannot be made from these samples, or is invalid."""


class ModelError(BtlibError):
    """A model, its weights or its output does not match the declaration of the case."""


class CheckpointError(ModelError):
    """A checkpoint is damaged, or belongs to another variant."""


class PredictionError(BtlibError):
    """A predictor returned an output that cannot be scored."""


class StatsError(BtlibError):
    """A statistic is not defined for these numbers."""


class BaselineError(BtlibError):
    """A baseline file cannot be read, or does not follow its schema."""


class RecordError(BtlibError):
    """A run's record cannot be read, or does not follow its schema."""


class OptionError(BtlibError):
    """A command-line option, or a combination of options, is invalid."""


class UnknownNameError(BtlibError):
    """A name is not registered; the message names the most similar one."""


class MissingExtraError(BtlibError):
    """An optional dependency is not installed; the message names the extra."""


class BtlibWarning(UserWarning):
    """Warning about a problem that does not stop the run: see `warn`."""


def warn(text: str, stacklevel: int = 1) -> None:
    """Issue a BtlibWarning, which never becomes an exception.

    An "inconclusive" verdict, a rebuilt cache or a slower engine is told to the user and changes no result. Under
    `-W error` or `filterwarnings = error` Python would raise it, and a benchmark would end with a traceback in place of
    its verdict. All other filters apply. `--bt-strict` makes inconclusive verdicts fail.

    Args:
        text: Text of the warning.
        stacklevel: Whose line the warning names: 1 that of the caller, 2 that of the caller's caller, and so on.
    """
    try:
        warnings.warn(text, BtlibWarning, stacklevel=stacklevel + 1)
    except BtlibWarning:
        with warnings.catch_warnings():
            warnings.simplefilter("always", BtlibWarning)
            warnings.warn(text, BtlibWarning, stacklevel=stacklevel + 1)


class Interruption(BaseException):
    """Base class of exceptions that end a computation from outside, such as a time limit: no user code causes them."""


def foreign_faults() -> tuple[type[BaseException], ...]:
    """Return the exceptions that are failures of user code, such as a case: for an `except` clause.

    They are every `Exception`, `SystemExit`, `GeneratorExit`, and pytest's skip, xfail and fail: a case that skips
    itself was not measured. In an `except` clause, the exception that is being handled is among them too, whatever its
    class. `KeyboardInterrupt` and an `Interruption` never are.
    """
    pytest = sys.modules.get("pytest")
    outcomes = () if pytest is None else (pytest.skip.Exception, pytest.fail.Exception)  # xfail's is a fail
    handled = sys.exc_info()[1]  # Python evaluates an `except` clause while it handles the exception
    own = () if handled is None or isinstance(handled, KeyboardInterrupt | Interruption) else (type(handled),)
    return (Exception, SystemExit, GeneratorExit, *outcomes, *own)
