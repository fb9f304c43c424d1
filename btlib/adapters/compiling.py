"""PyTorch's compiler without its silent fallback to uncompiled code."""

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import torch

from btlib.adapters.torch import torchscript_is_old
from btlib.errors import ModelError

_numbers = itertools.count()


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Return a function that always runs compiled code. It raises one of `compiler_errors` or ModelError otherwise.

    PyTorch counts how often a code object is compiled, and runs it uncompiled from the eighth time on. Functions
    created at the same place share a code object, and so does `forward` of all models of a class. Here each function
    gets its own code object. It therefore has its own count, and its compiled code is released together with it.

    Args:
        function: A Python function.
        options: Options for `torch.compile`.
    """

    def run(*args: Any) -> Any:
        if not torch.compiler.is_compiling():  # user settings may disable the compiler
            raise ModelError("torch.compile is switched off", hint="unset TORCHDYNAMO_DISABLE and similar settings")
        return function(*args)

    run.__code__ = run.__code__.replace(co_name=f"compiled_{next(_numbers)}")
    found = torch.compile(run, fullgraph=True, **options)

    def call(*args: Any) -> Any:
        with torchscript_is_old():
            # torch 2.11 warns that fp32 is not rounded to TF32; that is intended here
            warnings.filterwarnings("ignore", "TensorFloat32 tensor cores", UserWarning)
            return found(*args)

    return call


def compiler_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions raised by a function that cannot be compiled. This imports the compiler."""
    from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException

    return TorchDynamoException, FailOnRecompileLimitHit
