"""One error for many faulty samples."""

from collections.abc import Sequence
from pathlib import Path

from btlib.errors import DataError


class ManyFaultsError(DataError):
    """Faults of several samples in one message.

    Attributes:
        faults: Every fault, also those that the message leaves out.
    """

    faults: tuple[DataError, ...] = ()


def faults_of(error: DataError) -> tuple[DataError, ...]:
    """Return every fault of an error: those that `joined` combined, or else the error itself."""
    return error.faults if isinstance(error, ManyFaultsError) else (error,)


def joined(
    faults: Sequence[DataError], where: object, hint: str, show: int = 20, what: str = "faulty files"
) -> DataError:
    """Combine the errors of faulty samples into one error, which lists the first `show` of them and the hint.

    If all faults have the same hint, the error has this hint.
    """
    if len(faults) == 1:
        return faults[0]
    lines = [f"  {Path(fault.where or '?').name}: {fault.problem}" for fault in faults[:show]]
    if len(faults) > show:
        lines.append(f"  … and {len(faults) - show} more")
    own = {fault.hint for fault in faults}
    error = ManyFaultsError(
        "\n".join([f"{len(faults)} {what}", *lines]),
        where=where,
        hint=own.pop() if len(own) == 1 and None not in own else hint,
    )
    error.faults = tuple(faults)
    return error
