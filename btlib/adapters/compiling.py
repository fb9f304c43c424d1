"""PyTorch's compiler, used so that what is called compiled was compiled."""

import itertools
import types
from collections.abc import Callable
from typing import Any

import torch

_numbers = itertools.count()


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A function that is run by compiled code, or raises one of `compiler_errors`; it never falls back.

    PyTorch counts how often a piece of code is compiled, and runs it uncompiled from the eighth time on. Functions made
    in one place share their code, and so does `forward` of all models of a class. Here each function has code of its
    own, so it has all eight times to itself, and what was compiled goes when the function goes.

    Args:
        function: A Python function.
        options: For `torch.compile`.
    """
    assert isinstance(function, types.FunctionType)
    own = types.FunctionType(
        function.__code__.replace(co_name=f"compiled_{next(_numbers)}"),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    run: Callable[..., Any] = torch.compile(own, fullgraph=True, **options)
    return run


def compiler_errors() -> tuple[type[Exception], ...]:
    """What calling a compiled function raises where it cannot be compiled; the compiler is imported for it."""
    from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException

    return TorchDynamoException, FailOnRecompileLimitHit
