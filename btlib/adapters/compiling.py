"""PyTorch's compiler, used so that what is called compiled was compiled."""

import itertools
import warnings
from collections.abc import Callable
from typing import Any

import torch

from btlib.adapters.torch import torchscript_is_old
from btlib.errors import ModelError

_numbers = itertools.count()


def compiled(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """A function that is run by compiled code, or raises one of `compiler_errors`, or ModelError; it never falls back.

    PyTorch counts how often a piece of code is compiled, and runs it uncompiled from the eighth time on. Functions made
    in one place share their code, and so does `forward` of all models of a class. Here each function has code of its
    own, so it has all eight times to itself, and what was compiled goes when the function goes.

    Args:
        function: A Python function.
        options: For `torch.compile`.
    """

    def run(*args: Any) -> Any:
        if not torch.compiler.is_compiling():  # settings of the user's may switch the compiler off
            raise ModelError("torch.compile is switched off", hint="unset TORCHDYNAMO_DISABLE and the like")
        return function(*args)

    run.__code__ = run.__code__.replace(co_name=f"compiled_{next(_numbers)}")
    found = torch.compile(run, fullgraph=True, **options)

    def call(*args: Any) -> Any:
        with torchscript_is_old():
            # torch 2.11 warns of what fp32 is asked for: that it does not round to TF32
            warnings.filterwarnings("ignore", "TensorFloat32 tensor cores", UserWarning)
            return found(*args)

    return call


def compiler_errors() -> tuple[type[Exception], ...]:
    """What calling a compiled function raises where it cannot be compiled; the compiler is imported for it."""
    from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException

    return TorchDynamoException, FailOnRecompileLimitHit
