import contextlib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from btlib.adapters.torch import TorchPredictor, fastest_kernels, resolve_device, resolve_precision
from btlib.errors import OptionError, UnknownNameError
from btlib.evaluation import Predictor
from btlib.thesis.models import VARIANTS, TumourModel, create

CPU = torch.device("cpu")


@pytest.fixture
def model() -> Callable[[str], TumourModel]:
    def make(variant: str) -> TumourModel:
        torch.manual_seed(0)
        return create(variant, backbone="tiny")

    return make


@pytest.mark.parametrize("width", [48, 32], ids=["oblong", "square"])
@pytest.mark.parametrize("variant", list(VARIANTS))
def test_what_it_says_is_what_the_model_says(variant: str, width: int, model: Callable[[str], TumourModel]):
    network = model(variant).eval()
    images = np.random.default_rng(0).random((3, 1, 32, width), dtype=np.float32)
    with torch.inference_mode():
        output = network(torch.from_numpy(images))
    predictor = TorchPredictor(network, CPU, "fp32")
    assert isinstance(predictor, Predictor)
    said = predictor.predict(images)
    assert (said.mask_prob is not None, said.class_prob is not None) == (
        VARIANTS[variant].has_mask,
        VARIANTS[variant].has_classes,
    )
    if said.mask_prob is not None:
        assert said.mask_prob.shape == (3, 32, width)
        assert said.mask_prob == pytest.approx(output.mask_prob[:, 0].numpy(), abs=1e-6)
        if variant != "C":  # C's are upsampled probabilities
            assert said.mask_prob == pytest.approx(torch.sigmoid(output.mask_logits)[:, 0].numpy(), abs=1e-6)
    if said.class_prob is not None:
        assert said.class_prob == pytest.approx(torch.softmax(output.class_logits, 1).numpy(), abs=1e-6)


def test_dropout_is_off_even_after_a_training_step(model: Callable[[str], TumourModel]):
    network = model("D")
    predictor = TorchPredictor(network, CPU, "fp32")
    images = np.random.default_rng(0).random((4, 1, 32, 32), dtype=np.float32)
    first = predictor.predict(images)
    network.train()
    again = predictor.predict(images)
    assert np.array_equal(first.class_prob, again.class_prob)
    assert np.array_equal(first.mask_prob, again.mask_prob)
    assert not network.training


def test_neighbours_in_the_batch_do_not_matter(model: Callable[[str], TumourModel]):
    predictor = TorchPredictor(model("F"), CPU, "fp32")
    images = np.random.default_rng(0).random((5, 1, 32, 32), dtype=np.float32)
    together, alone = predictor.predict(images), predictor.predict(images[3:4])
    assert together.class_prob[3] == pytest.approx(alone.class_prob[0], abs=1e-5)
    assert together.mask_prob[3] == pytest.approx(alone.mask_prob[0], abs=1e-5)


def test_bf16_stays_close_and_gives_float32(model: Callable[[str], TumourModel]):
    network = model("E")
    images = np.random.default_rng(0).random((2, 1, 32, 32), dtype=np.float32)
    exact = TorchPredictor(network, CPU, "fp32").predict(images)
    coarse = TorchPredictor(network, CPU, "bf16").predict(images)
    assert coarse.mask_prob.dtype == coarse.class_prob.dtype == np.float32
    assert coarse.mask_prob == pytest.approx(exact.mask_prob, abs=0.02)
    assert not np.array_equal(coarse.mask_prob, exact.mask_prob)
    assert coarse.class_prob.sum(axis=1) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_kernels_are_searched_for_on_cuda_and_only_while_asked(
    monkeypatch: pytest.MonkeyPatch, device: str, before: bool
):
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", before)
    with contextlib.suppress(KeyError), fastest_kernels(torch.device(device)):
        assert torch.backends.cudnn.benchmark is (before or device == "cuda")
        raise KeyError
    assert torch.backends.cudnn.benchmark is before


def test_devices_are_chosen_cuda_before_mps_before_cpu(monkeypatch: pytest.MonkeyPatch):
    for cuda, mps, expected in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda found=cuda: found)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda found=mps: found)
        assert resolve_device("auto").type == expected
        assert resolve_device("cpu").type == "cpu"


def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(OptionError, match=r"this machine has no cuda device(.|\n)*choose one of: auto, mps, cpu"):
        resolve_device("cuda")


def test_names_nobody_knows():
    with pytest.raises(UnknownNameError, match="did you mean 'cuda'"):
        resolve_device("cud")
    with pytest.raises(UnknownNameError, match="did you mean 'bf16'"):
        resolve_precision("bfl16", CPU)


def test_bf16_is_chosen_where_the_hardware_has_it(monkeypatch: pytest.MonkeyPatch):
    for found, expected in (({"amx_bf16": True}, "bf16"), ({"avx512_bf16": True}, "bf16"), ({"avx2": True}, "fp32")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=found: has)
        assert resolve_precision("auto", CPU) == expected
    assert resolve_precision("bf16", CPU) == "bf16"
    assert resolve_precision("auto", torch.device("mps")) == "fp32"


def test_bf16_is_not_chosen_where_onednn_may_not_use_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True, "avx512_bf16": True})
    for limit, expected in (("AVX512_CORE", "fp32"), ("AVX2", "fp32"), ("avx512_core_bf16", "bf16"), ("ALL", "bf16")):
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
        assert resolve_precision("auto", CPU) == expected


def test_any_module_with_the_output_type_serves():
    class Other(nn.Module):
        def forward(self, x: torch.Tensor):
            from btlib.thesis.models import ModelOutput

            return ModelOutput(x, x.sigmoid(), None)

    said = TorchPredictor(Other(), CPU, "fp32").predict(np.zeros((1, 1, 8, 9), np.float32))
    assert said.class_prob is None
    assert (said.mask_prob == 0.5).all()
