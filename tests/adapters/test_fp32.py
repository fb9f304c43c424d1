"""fp32 is IEEE fp32 wherever it is asked for, and what the user has set is afterwards as it was."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from btlib.adapters.devices import autocast, fastest_kernels
from btlib.adapters.outputs import Outputs
from btlib.adapters.torch import TorchPredictor

BACKENDS = torch.backends


SETTINGS = (
    "pass",
    "b.fp32_precision = 'tf32'",
    "b.cudnn.fp32_precision = 'ieee'",
    "b.cudnn.conv.fp32_precision = 'tf32'",
    "b.cuda.matmul.fp32_precision = 'tf32'",
    "b.cudnn.allow_tf32 = False",
    "b.cudnn.allow_tf32 = True",
    "b.cuda.matmul.allow_tf32 = True",
    "torch.set_float32_matmul_precision('medium')",
    "torch.set_float32_matmul_precision('highest')",
)
"""What a user may have set, by the switches of today and by those from before torch 2.9."""

LATER = (
    "b.fp32_precision = 'ieee'",
    "b.cudnn.fp32_precision = 'tf32'",
    "b.fp32_precision = 'none'",
    "b.cudnn.allow_tf32 = False",
    "torch.set_float32_matmul_precision('high')",
)
"""What a user may set afterwards: it must do what it would have done."""

PROGRAM = """
import json, os, sys, torch
from btlib.speed.ieee import ieee_fp32
b = torch.backends

def state():
    new = [b.cuda.matmul, b.cudnn.conv, b.cudnn.rnn, b.mkldnn.matmul, b.mkldnn.conv]
    found = [switch.fp32_precision for switch in new]
    for old in (lambda: b.cudnn.allow_tf32, lambda: b.cuda.matmul.allow_tf32, torch.get_float32_matmul_precision):
        try:
            found.append(old())
        except RuntimeError:
            found.append("contradicts")
    return found

def child(setting, inside):
    exec(setting)
    found = [state()]
    if inside:
        try:
            with ieee_fp32():
                seen = state()[:5]
                raise KeyError
        except KeyError:
            assert set(seen) == {"ieee"}, seen
    found.append(state())
    for later in LATER:
        exec(later)
        found.append(state())
    print(json.dumps([setting, inside, found]), flush=True)

for setting in SETTINGS:
    for inside in (False, True):
        if os.fork() == 0:  # each in a process of its own, for the switches cannot be unset
            child(setting, inside)
            os._exit(0)
        assert os.wait()[1] == 0
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_what_the_user_has_set_is_as_if_it_had_never_been_touched():
    program = f"SETTINGS = {SETTINGS}\nLATER = {LATER}\n{PROGRAM}"
    lines = subprocess.check_output([sys.executable, "-W", "error", "-c", program], text=True).splitlines()
    found = {(setting, inside): states for setting, inside, states in map(json.loads, lines)}
    assert len(found) == 2 * len(SETTINGS)
    for setting in SETTINGS:
        assert found[setting, True] == found[setting, False], setting


def ieee() -> bool:
    return {BACKENDS.cudnn.conv.fp32_precision, BACKENDS.cuda.matmul.fp32_precision} == {"ieee"}


@pytest.mark.parametrize(("precision", "exact"), [("fp32", True), ("bf16", False)])
def test_a_predictor_computes_as_it_is_called(precision: str, exact: bool):
    seen: list[bool] = []

    def model(images: torch.Tensor) -> torch.Tensor:
        seen.append(ieee())
        return images

    predictor = TorchPredictor(model, "cpu", precision, Outputs(mask=0))
    predictor.predict(np.zeros((2, 1, 5, 7), np.float32))
    assert seen == [exact]


def test_the_context_of_a_precision():
    before = ieee()
    with autocast(torch.device("cpu"), "fp32"):
        assert ieee()
        assert not torch.is_autocast_enabled("cpu")
    with autocast(torch.device("cpu"), "bf16"):
        assert ieee() is before
        assert torch.is_autocast_enabled("cpu")
    assert ieee() is before


def test_predicting_takes_no_kernels_that_a_training_found():
    """Their keys in PyTorch's store differ in whether kernels are deterministic; a search is for training alone."""
    cudnn, seen = torch.backends.cudnn, []

    def model(images: torch.Tensor) -> torch.Tensor:
        seen.append((cudnn.benchmark, cudnn.deterministic))
        return images

    with fastest_kernels(torch.device("cuda")):
        assert (cudnn.benchmark, cudnn.deterministic) == (True, False)
        TorchPredictor(model, "cpu", "fp32", Outputs(mask=0)).predict(np.zeros((2, 1, 5, 7), np.float32))
        assert (cudnn.benchmark, cudnn.deterministic) == (True, False)
    assert seen == [(False, True)]
    assert (cudnn.benchmark, cudnn.deterministic) == (False, False)
