"""The values that a function carries with it: two functions of the same lines are not the same where these differ."""

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
        function: A function, lambda, bound method or `functools.partial`.
        where: Named in errors.

    Raises:
        BtlibError: No fingerprint can be taken of a value.
    """
    return _fingerprints(_values(function), where, frozenset({id(function)}))


def _values(function: Any) -> dict[str, Any]:
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
    named = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()
    return (
        closed | dict(zip(named[len(named) - len(defaults) :], defaults, strict=True)) | (function.__kwdefaults__ or {})
    )


def _fingerprints(values: Mapping[str, Any], where: str, seen: frozenset[int]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, Work | Path) or _is_place(value):
            continue
        if inspect.isroutine(value) or isinstance(value, functools.partial):
            if id(value) in seen:
                continue
            found[name] = getattr(value, "__qualname__", "partial")  # its code is that of its file
            inner = _fingerprints(_values(value), where, seen | {id(value)})
            found |= {f"{name}.{within}": what for within, what in inner.items()}
        else:
            found[name] = _fingerprint(value, name, where)
    return found


def _fingerprint(value: Any, name: str, where: str) -> str:
    if isinstance(value, Dataset):
        return fingerprint.of(value.fingerprint, value.image_size, value.scaling)
    if isinstance(value, type):
        return value.__qualname__
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    try:
        return str(joblib.hash(value))
    except Exception as error:  # whatever a foreign object raises when it is pickled
        raise BtlibError(
            f"it closes over {name!r}, a {type(value).__name__}, which cannot be pickled, so that it cannot be told "
            "whether a stored model is of the same value",
            where=where,
            mend="make the value inside fit, or give what decides the model in depends_on=",
        ) from error


def _is_place(value: Any) -> bool:
    return inspect.ismodule(value) or (type(value).__module__, type(value).__name__) == ("torch", "device")


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # raises where the name is not bound yet
    except ValueError:
        return False
    return True
