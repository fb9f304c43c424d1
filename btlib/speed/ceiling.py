"""Ceiling of this machine: the highest measured rate of floating-point operations, with which models are compared."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from btlib.errors import OptionError
from btlib.ranges import POSITIVE

ROUNDS = 3
"""Number of rounds in which the products are timed in turn, so that a short disturbance does not affect only one."""


@dataclass(frozen=True)
class Ceiling:
    """Highest measured rate of several dense products.

    Attributes:
        flops: Highest rate in operations per second (a multiply-add counts as 2), above 0.
        by: Name of the fastest product, such as "torch packed 1024x512x512".
        measured: Rate of each product by name. Products that this machine does not support are left out.
    """

    flops: float
    by: str
    measured: Mapping[str, float]


def measure_ceiling(device: str = "cpu", precision: str = "fp32", seconds: float = 1.5) -> Ceiling:
    """Measure this machine's ceiling with matrix products and 1×1 convolutions of several sizes and libraries.

    The fastest of many runs is used, because a short product that fits the caches often runs without disturbance.

    Args:
        device: "cpu", "cuda" or "mps".
        precision: "fp32", "bf16", or on the CPU "int8" (with OpenVINO).
        seconds: Total measuring time above 0, without setup; each product runs at least `ROUNDS` times.

    Raises:
        MissingExtraError: torch is not installed.
        OptionError: The seconds are not above 0, or no product can be computed in this precision on this device.
    """
    from btlib.speed.products import products

    POSITIVE.require(seconds, "measure_ceiling: seconds")
    candidates = products(device, precision)
    if not candidates:
        raise OptionError(
            f"no product in {precision} can be measured on {device}",
            where="measure_ceiling",
            hint="choose fp32 or bf16; int8 needs the CPU and pip install 'btlib[openvino]'",
        )
    best = dict.fromkeys((product.name for product in candidates), 0.0)
    share = seconds / ROUNDS / len(candidates)
    for _ in range(ROUNDS):
        for product in candidates:
            best[product.name] = max(best[product.name], product.flop / fastest(product.run, share))
    by = max(best, key=best.__getitem__)
    return Ceiling(best[by], by, best)


def fastest(run: Callable[[], object], seconds: float) -> float:
    """Time a function repeatedly and return the shortest time in seconds.

    Args:
        run: Function to time. A first call is not counted.
        seconds: Period in which new calls are started; at least one call is timed.
    """
    run()
    end, best = time.perf_counter() + seconds, float("inf")
    while True:
        before = time.perf_counter()
        run()
        after = time.perf_counter()
        best = min(best, after - before)
        if after >= end:
            return best
