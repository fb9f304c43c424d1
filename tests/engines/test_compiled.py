"""What is called compiled was computed by compiled code, for every variant and every size of batch."""

import dataclasses
import gc
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from btlib.adapters.torch import torchscript_is_old
from btlib.engines import Subject, compiled
from btlib.engines.compiled import CompiledPredictor
from btlib.errors import ModelError
from btlib.thesis.models.variants import VARIANTS

with torchscript_is_old():
    from torch._inductor import compile_fx

Make = Callable[..., Subject]


class Backend:
    """In inductor's place: counts how often it compiles, and how often what it compiled is run."""

    def __init__(self) -> None:
        self.compiled = 0
        self.runs = 0
        self.warns: str | None = None

    def __call__(self, graph: torch.fx.GraphModule, inputs: Any, **more: Any) -> Callable[..., Any]:
        self.compiled += 1
        if self.warns:
            warnings.warn(self.warns, stacklevel=1)

        def run(*args: Any) -> Any:
            self.runs += 1
            return graph(*args)

        return run


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    found = Backend()
    monkeypatch.setattr(compile_fx, "compile_fx", found)
    return found


def images(n: int, height: int = 32, width: int = 32) -> np.ndarray:
    return np.random.default_rng(n).random((n, 1, height, width), dtype=np.float32)


@pytest.mark.parametrize("variants", ["AF", pytest.param("".join(VARIANTS), marks=pytest.mark.nightly)])
def test_every_variant_is_run_by_compiled_code(subject: Make, backend: Backend, variants: str):
    """One model after the other in one process, each with batches of several sizes."""
    predictors = {}
    for name in variants:
        predictor = predictors[name] = compiled.build(subject(name))
        for n in (5, 1, 2):
            before = backend.runs
            predictor.predict(images(n))
            assert backend.runs == before + 1, (name, n)
    before = backend.compiled
    for predictor in predictors.values():
        predictor.predict(images(3))
    assert backend.compiled == before, "each keeps what was compiled for it"


def test_a_model_that_goes_takes_its_code_with_it(subject: Make, backend: Backend):
    predictor = compiled.build(subject("D"))
    gone = weakref.ref(predictor)
    del predictor
    gc.collect()
    assert gone() is None


def test_at_the_limit_it_raises(subject: Make, backend: Backend):
    """As where guards fail for another reason with every batch."""
    predictor = compiled.build(subject("D"))
    with (
        torch._dynamo.config.patch(recompile_limit=1),
        pytest.raises(ModelError, match=r"compiled for \[3, 1, 32, 32\]"),
    ):
        predictor.predict(images(3))


class Branches(torch.nn.Module):
    """What a compiler cannot follow: a branch on a value."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images + 1 if images.sum() > 0 else images


def test_a_model_that_cannot_be_compiled_whole_is_refused(subject: Make, backend: Backend):
    with pytest.raises(ModelError, match="engine compile: the model cannot be compiled for"):
        compiled.build(dataclasses.replace(subject(), model=Branches().eval()))


def test_that_fp32_does_not_round_to_tf32_is_no_error(subject: Make, backend: Backend):
    """Torch 2.11 warns where the user asked for just that."""
    backend.warns = "TensorFloat32 tensor cores for float32 matrix multiplication available but not enabled."
    compiled.build(subject("D"))
    backend.warns = "something else"
    with pytest.raises(ModelError, match="something else"):
        compiled.build(subject("D"))


def test_a_single_slice_is_one_graph_on_cuda(subject: Make, monkeypatch: pytest.MonkeyPatch):
    asked: list[dict[str, Any]] = []

    def spy(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        asked.append(options)
        return lambda batch: function(batch)._replace(class_logits=torch.full((len(batch), 3), float(len(asked))))

    monkeypatch.setattr(torch, "compile", spy)
    monkeypatch.setattr(compiled, "folded", lambda subject: subject.model)
    cuda = Subject(subject("D").model, subject("D").outputs, torch.device("cuda"), "fp32", 32)
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *_, **__: self)
    CompiledPredictor(cuda)
    assert [options.get("mode") for options in asked] == [None, "reduce-overhead"]
    assert asked[1]["dynamic"] is False


def test_a_compiler_that_is_switched_off_is_told(subject: Make, backend: Backend):
    """Then PyTorch would run the code as it is."""
    with torch.compiler.set_stance("force_eager"), pytest.raises(ModelError, match="switched off"):
        compiled.build(subject("D"))
