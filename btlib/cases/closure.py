"""Fingerprints of the values that a function closes over. Two functions with the same code may differ in them."""

import dataclasses
import functools
import inspect
import sys
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType
from typing import Any

import joblib
import numpy as np

from btlib import fingerprint
from btlib.cases.case import Work
from btlib.data.checked_array import CheckedArray
from btlib.data.dataset import Samples
from btlib.data.lazy_rows import LazyRows
from btlib.errors import BtlibError

_LIBRARIES = tuple(
    str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_OF_EVERY_CLASS = {"__dict__", "__weakref__", "__doc__", "__module__", "__qualname__", "__annotations__"} | {
    *("__firstlineno__", "__static_attributes__", "__abstractmethods__", "_abc_impl", "__annotate_func__"),
    "__annotations_cache__",
}


def closure_of(function: Callable[..., Any], work: Work, *, where: str) -> dict[str, str]:
    """Return fingerprints of a function and of the values that it closes over, by name.

    Defaults and bound arguments are included. Functions and classes of the user are identified by their code, those of
    installed packages by their names, and files by their content. Ignored are globals that change while the program
    runs, environment variables, folders, and PyTorch devices.

    Args:
        function: A function, lambda, bound method, `functools.partial` or callable object.
        work: The `Work` of the case. It and its samples are ignored, because other ingredients identify them.
        where: Place to name in errors.

    Raises:
        BtlibError: No fingerprint can be computed for a value.
    """
    seen = _Seen(work)
    code = getattr(function, "__code__", None)
    found = {} if code is None else {"function": fingerprint.of(_code(code))}
    around = () if code is None else (id(function),)  # the function may close over itself
    for name, value in _carried(function).items():
        try:
            identity = seen.identity(value, around)
        except Exception as error:  # pickling a user's object may raise anything
            raise BtlibError(
                f"the function closes over {name!r}, a {type(value).__name__}, which cannot be pickled; without a "
                "fingerprint of this value, a stored model cannot be matched to it",
                where=where,
                hint="create the value inside fit, or pass the values that decide the model as depends_on=",
            ) from error
        if identity is not None:
            found[name] = identity if isinstance(identity, str) else fingerprint.of(identity)
    return found


@dataclasses.dataclass(frozen=True, eq=False)
class _Seen:
    """Computation of identities of values, which ignores one `Work` and its samples.

    Attributes:
        work: The `Work` of the case.
    """

    work: Work

    def identity(self, value: Any, around: tuple[int, ...]) -> Any:
        """Return a JSON value that identifies a value; None for an ignored value.

        Args:
            value: Any value.
            around: Ids of the values that contain it, so that a value that contains itself does not recurse forever.
        """
        if (
            value is self.work
            or value is self.work.train
            or value is self.work.val
            or _is_device(value)
            or id(value) in around
        ):
            return None
        if value is None or isinstance(value, bool | int | float | str):
            return repr(value)
        if isinstance(value, Path):
            return fingerprint.of_file(value) if value.is_file() else None
        if inspect.ismodule(value):
            return value.__name__
        parts = self._parts(value)
        if parts is None:
            return joblib.hash(value)
        inner = (*around, id(value))
        return [_name(value), {name: self.identity(part, inner) for name, part in sorted(parts.items())}]

    def _parts(self, value: Any) -> dict[str, Any] | None:
        """Return the parts that identify a value, by name; None if it has no known parts and is hashed itself."""
        if isinstance(value, CodeType):
            return {"code": _code(value)}
        if isinstance(value, Work):
            names = ("task", "data", "split", "protocol", "recipe", "seed", "precision")
            return {name: getattr(value, name) for name in names}
        if isinstance(value, Samples):
            return {name: getattr(value, name) for name in ("ids", "scaling", "images", "masks", "labels")}
        if isinstance(value, LazyRows | CheckedArray):
            return {"values": np.asarray(value).copy()}  # in C order, because joblib's hash depends on strides
        if isinstance(value, type):
            own = {name: part for name, part in vars(value).items() if name not in _OF_EVERY_CLASS}
            return {} if _is_installed(value) else own | {"its bases": value.__bases__}
        if _is_function(value):
            code = getattr(value, "__code__", None)
            return _carried(value) | ({} if code is None or _is_installed(value) else {"its code": code})
        if dataclasses.is_dataclass(value):
            return {field.name: getattr(value, field.name, None) for field in dataclasses.fields(value)}
        if isinstance(value, property | classmethod | staticmethod):
            return {name: getattr(value, name, None) for name in ("fget", "__func__")}
        if isinstance(value, Mapping):
            return {repr(key): part for key, part in value.items()}
        return {str(k): part for k, part in enumerate(value)} if isinstance(value, list | tuple) else None


def _carried(function: Any) -> dict[str, Any]:
    """Return the values that a function carries, by name: closure, defaults, bound arguments and attributes."""
    if isinstance(function, functools.partial):
        bound = {f"argument {k}": value for k, value in enumerate(function.args)} | dict(function.keywords)
        return {"function": function.func, **bound}
    if inspect.ismethod(function):
        return {"self": function.__self__, "function": function.__func__}
    code = getattr(function, "__code__", None)
    if code is None and hasattr(function, "__wrapped__"):  # such as a function with lru_cache
        return {"function": function.__wrapped__}
    if code is None:  # a callable object, or a built-in function or method
        owner = getattr(function, "__self__", None) if inspect.isroutine(function) else function
        return {} if owner is None or inspect.ismodule(owner) or isinstance(function, type) else {"self": owner}
    cells = dict(zip(code.co_freevars, function.__closure__ or (), strict=True))
    closed = {name: cell.cell_contents for name, cell in cells.items() if _is_filled(cell)}
    named, defaults = code.co_varnames[: code.co_argcount], function.__defaults__ or ()
    by_name = dict(zip(named[len(named) - len(defaults) :], defaults, strict=True))
    attributes: dict[str, Any] = vars(function)
    return closed | by_name | (function.__kwdefaults__ or {}) | attributes


def _is_function(value: Any) -> bool:
    wrapper = hasattr(value, "__wrapped__") and callable(value)
    return inspect.isroutine(value) or isinstance(value, functools.partial) or wrapper


def _name(value: Any) -> str:
    """Return module and name of a function or class, or of the class of any other value."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{getattr(named, '__module__', '')}.{named.__qualname__}"


def _is_installed(value: Any) -> bool:
    """Whether a function or class comes from an installed package or from Python."""
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    place = getattr(module, "__file__", None)
    if place is None:  # built in, or defined in a notebook
        return getattr(module, "__name__", "") in sys.builtin_module_names
    return str(Path(place).resolve()).startswith(_LIBRARIES)


def _code(code: CodeType) -> list[Any]:
    """Return the content of a code object without its file and lines. It may differ between versions of Python."""
    constants = [_code(part) if isinstance(part, CodeType) else repr(part) for part in code.co_consts]
    return [code.co_code.hex(), constants, [*code.co_names], [*code.co_varnames], [*code.co_freevars]]


def _is_device(value: Any) -> bool:
    return (type(value).__module__, type(value).__name__) == ("torch", "device")


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018  # raises if the name is not bound yet
    except ValueError:
        return False
    return True
