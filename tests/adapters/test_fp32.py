"""fp32 is IEEE fp32 wherever it is asked for, and what the user has set is afterwards as it was."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from btlib.adapters.devices import autocast, fastest_kernels
from btlib.adapters.outputs import Outputs
from btlib.adapters.torch import TorchPredictor
from btlib.speed.ieee import ieee_fp32

BACKENDS = torch.backends


def switches() -> dict[str, str]:
    found = {
        f"{backend}.{name}": getattr(getattr(BACKENDS, backend), name).fp32_precision
        for backend, names in {"cuda": ["matmul"], "cudnn": ["conv", "rnn"], "mkldnn": ["matmul", "conv"]}.items()
        for name in names
    }
    older = {
        "cudnn.allow_tf32": lambda: BACKENDS.cudnn.allow_tf32,
        "cuda.matmul.allow_tf32": lambda: BACKENDS.cuda.matmul.allow_tf32,
        "products": torch.get_float32_matmul_precision,
    }
    return found | {name: _read(value) for name, value in older.items()}


def _read(value: Callable[[], object]) -> str:
    try:
        return str(value())
    except RuntimeError:
        return "contradicts"


def conv_in_tf32() -> None:
    BACKENDS.cudnn.conv.fp32_precision = "tf32"


def older_conv() -> None:
    BACKENDS.cudnn.allow_tf32 = False


def everything_in_tf32() -> None:
    BACKENDS.fp32_precision = "tf32"


def older_products() -> None:
    torch.set_float32_matmul_precision("medium")


@pytest.fixture(params=[None, conv_in_tf32, older_conv, everything_in_tf32, older_products])
def asked(request: pytest.FixtureRequest) -> dict[str, str]:
    """What a user may have set; undone by the context itself, which is what is tested here."""
    with ieee_fp32():
        pass
    before = switches()
    whole = BACKENDS.fp32_precision
    with ieee_fp32():
        if request.param:
            request.param()
        yield switches()
        BACKENDS.fp32_precision = whole
    assert switches() == before


def ieee() -> bool:
    return {value for name, value in switches().items() if "allow" not in name} <= {"ieee", "highest"}


def test_inside_all_is_ieee_and_after_it_all_is_as_it_was(asked: dict[str, str]):
    with ieee_fp32():
        assert ieee()
    assert switches() == asked
    with pytest.raises(KeyError), ieee_fp32():
        raise KeyError
    assert switches() == asked


@pytest.mark.parametrize(("precision", "exact"), [("fp32", True), ("bf16", False)])
def test_a_predictor_computes_as_it_is_called(precision: str, exact: bool):
    seen: list[bool] = []

    def model(images: torch.Tensor) -> torch.Tensor:
        seen.append(ieee())
        return images

    before = switches()
    predictor = TorchPredictor(model, "cpu", precision, Outputs(mask=0))
    predictor.predict(np.zeros((2, 5, 7), np.float32))
    assert seen == [exact]
    assert switches() == before


def test_the_context_of_a_precision(asked: dict[str, str]):
    with autocast(torch.device("cpu"), "fp32"):
        assert ieee()
        assert not torch.is_autocast_enabled("cpu")
    with autocast(torch.device("cpu"), "bf16"):
        assert switches() == asked
        assert torch.is_autocast_enabled("cpu")


def test_predicting_takes_no_kernels_that_a_training_found():
    """Their keys in PyTorch's store differ in whether kernels are deterministic; a search is for training alone."""
    cudnn, seen = torch.backends.cudnn, []

    def model(images: torch.Tensor) -> torch.Tensor:
        seen.append((cudnn.benchmark, cudnn.deterministic))
        return images

    with fastest_kernels(torch.device("cuda")):
        assert (cudnn.benchmark, cudnn.deterministic) == (True, False)
        TorchPredictor(model, "cpu", "fp32", Outputs(mask=0)).predict(np.zeros((2, 5, 7), np.float32))
        assert (cudnn.benchmark, cudnn.deterministic) == (True, False)
    assert seen == [(False, True)]
    assert (cudnn.benchmark, cudnn.deterministic) == (False, False)
