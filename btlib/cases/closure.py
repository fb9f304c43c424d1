"""The values that a function carries with it: two functions of the same lines are not the same where these differ."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import joblib

from btlib import fingerprint
from btlib.cases.case import Work
from btlib.data.dataset import Dataset
from btlib.errors import BtlibError


def closure_of(function: Callable[..., Any], *, where: str) -> dict[str, str]:
    """Fingerprints of the values that a function closes over, by name; defaults and bound arguments among them.

    Left out are a `Work`, whose parts have identities of their own, and what says where the work is done: modules,
    paths and devices of PyTorch.

    Args:
        function: A function, lambda, bound method, `functools.partial` or an object that can be called.
        where: Named in errors.

    Raises:
        BtlibError: No fingerprint can be taken of a value.
    """
    found = {}
    for name, value in _carried(function).items():
        try:
            identity = _identity(value, (id(function),))
        except Exception as error:  # whatever a foreign object raises when it is pickled
            raise BtlibError(
                f"it closes over {name!r}, a {type(value).__name__}, which cannot be pickled, so that it cannot be "
                "told whether a stored model is of the same value",
                where=where,
                mend="make the value inside fit, or give what decides the model in depends_on=",
            ) from error
        if identity is not None:
            found[name] = identity if isinstance(identity, str) else fingerprint.of(identity)
    return found


def _carried(function: Any) -> dict[str, Any]:
    """The values by name."""
    if isinstance(function, functools.partial):
        bound = {f"argument {k}": value for k, value in enumerate(function.args)} | dict(function.keywords)
        return {"function": function.func, **bound}
    if inspect.ismethod(function):
        return {"self": function.__self__, "function": function.__func__}
    code = getattr(function, "__code__", None)
    if code is None:  # an object that can be called, or something built in
        return {} if inspect.isroutine(function) or isinstance(function, type) else {"self": function}
    cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    closed = {name: cell.cell_contents for name, cell in cells.items() if _is_filled(cell)}
    named, defaults = code.co_varnames[: code.co_argcount], function.__defaults__ or ()
    by_name = dict(zip(named[len(named) - len(defaults) :], defaults, strict=True))
    return closed | by_name | (function.__kwdefaults__ or {})


def _identity(value: Any, around: tuple[int, ...]) -> Any:
    """A value as JSON; None for what is left out.

    Args:
        value: Any.
        around: Ids of the values that it is a part of, lest it contains itself.
    """
    if isinstance(value, Work | Path) or _is_place(value) or id(value) in around[1:]:
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if isinstance(value, Dataset):
        return [value.fingerprint, value.image_size, value.scaling]
    parts = _parts(value, is_outermost=id(value) == around[0])
    if parts is None:
        return joblib.hash(value)
    kind = getattr(value, "__qualname__", type(value).__qualname__)  # the code of a function is that of its file
    return [kind, {name: _identity(part, (*around, id(value))) for name, part in sorted(parts.items())}]


def _parts(value: Any, *, is_outermost: bool) -> dict[str, Any] | None:
    """What decides a value, by name; None where that is all of it."""
    if isinstance(value, type):
        return {}
    if inspect.isroutine(value) or isinstance(value, functools.partial) or hasattr(value, "__wrapped__"):
        return {} if is_outermost else _carried(inspect.unwrap(value))  # a function that calls itself
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {repr(key): part for key, part in value.items()}
    if isinstance(value, list | tuple):
        return {str(k): part for k, part in enumerate(value)}
    return None


def _is_place(value: Any) -> bool:
    return inspect.ismodule(value) or (type(value).__module__, type(value).__name__) == ("torch", "device")


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # raises where the name is not bound yet
    except ValueError:
        return False
    return True
