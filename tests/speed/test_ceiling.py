"""The ceiling is the fastest product, and each product does the FLOPs it says. No time is asserted."""

import importlib
import sys

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from btlib.errors import MissingExtraError, OptionError
from btlib.speed import ceiling
from btlib.speed.ceiling import measure_ceiling
from btlib.speed.products import Product, products


@pytest.mark.parametrize(
    "precision",
    ["fp32", pytest.param("bf16", marks=pytest.mark.nightly), "int8"],  # bf16 is slow where no processor helps it
)
def test_this_machine_has_a_ceiling(precision: str):
    found = measure_ceiling("cpu", precision, seconds=0.05)
    assert found.flops == max(found.measured.values()) == found.measured[found.by]
    assert min(found.measured.values()) > 1e6
    libraries = {name.partition(" ")[0] for name in found.measured}
    assert libraries == ({"openvino"} if precision == "int8" else {"torch", "openvino"})


def test_the_best_run_of_the_fastest_product_is_taken(monkeypatch: pytest.MonkeyPatch):
    """By a clock that stands still but for what the products do to it."""
    now = [0.0]
    costs = {"slow": iter([9.0, *[4.0, 5.0] * 500]), "fast": iter([9.0, *[3.0, 2.0, 6.0] * 500])}

    def product(name: str, flop: int) -> Product:
        return Product(name, flop, lambda: now.__setitem__(0, now[0] + next(costs[name])))

    monkeypatch.setattr(ceiling.time, "perf_counter", lambda: now[0])
    module = importlib.import_module("btlib.speed.products")
    monkeypatch.setattr(module, "products", lambda device, precision: [product("slow", 100), product("fast", 60)])
    found = measure_ceiling(seconds=60)
    assert (found.flops, found.by, found.measured) == (30.0, "fast", {"slow": 25.0, "fast": 30.0})


def test_the_first_run_does_not_count(monkeypatch: pytest.MonkeyPatch):
    now, costs = [0.0], iter([1.0, 7.0, 5.0])
    monkeypatch.setattr(ceiling.time, "perf_counter", lambda: now[0])
    assert ceiling.fastest(lambda: now.__setitem__(0, now[0] + next(costs)), 10) == 5


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_products_of_torch_do_the_flops_they_say(precision: str):
    counted = 0
    for product in products("cpu", precision):
        if product.name.startswith(("torch matmul", "torch conv")):
            with FlopCounterMode(display=False) as counter:
                product.run()
            assert counter.get_total_flops() == product.flop
            counted += 1
    assert counted == 4


def test_products_of_openvino_do_the_flops_they_say():
    flops = {product.name: product.flop for product in products("cpu", "int8")}
    assert flops["openvino 4 matmul 1024x512x512"] == 4 * 2 * 1024 * 512 * 512
    assert flops["openvino 4 conv 1x1 1x512x32x32"] == 4 * 2 * 32 * 32 * 512 * 512


def test_packed_products_multiply():
    """The operators are torch's own: a version in which they mean something else is found here."""
    x, w = torch.randn(5, 3), torch.randn(4, 3)
    laid_out = torch.ops.mkldnn._reorder_linear_weight(w, 5)
    assert torch.allclose(torch.ops.mkldnn._linear_pointwise(x, laid_out, None, "none", [], ""), x @ w.T, atol=1e-5)


@pytest.mark.parametrize(("device", "precision"), [("cpu", "fp8"), ("meta", "int8")])
def test_what_cannot_be_measured(device: str, precision: str):
    with pytest.raises(OptionError, match=f"no product in {precision} can be measured on {device}"):
        measure_ceiling(device, precision)


def test_without_openvino_or_torch(monkeypatch: pytest.MonkeyPatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert {product.name.partition(" ")[0] for product in products("cpu", "fp32")} == {"torch"}
    monkeypatch.delitem(sys.modules, "btlib.speed.products")
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'btlib\[torch\]'"):
        measure_ceiling()
