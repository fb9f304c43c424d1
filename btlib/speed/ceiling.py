"""The most floating-point operations a second that this machine was seen to do: what a model's speed is a share of."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from btlib.errors import OptionError

ROUNDS = 3
"""Times that each product is looked at, in turn: what disturbs the machine for a moment does not hit one alone."""


@dataclass(frozen=True)
class Ceiling:
    """The fastest of some dense products.

    Attributes:
        flops: Operations a second (multiply-add is 2), above 0.
        by: The product that gave it, such as "torch packed 1024x512x512".
        measured: What each product gave. One that this machine cannot do is not here.
    """

    flops: float
    by: str
    measured: Mapping[str, float]


def measure_ceiling(device: str = "cpu", precision: str = "fp32", seconds: float = 1.5) -> Ceiling:
    """Measure this machine's ceiling with matrix products and 1×1 convolutions of several sizes and libraries.

    A short product that fits the caches runs undisturbed more often than a long one, so the best of many is taken.

    Args:
        device: "cpu", "cuda" or "mps".
        precision: "fp32", "bf16", or on the CPU "int8" (with OpenVINO).
        seconds: To spend in all, beside setting up; each product runs at least `ROUNDS` times.

    Raises:
        MissingExtraError: torch is not installed.
        OptionError: Nothing here computes in this precision on this device.
    """
    from btlib.speed.products import products

    candidates = products(device, precision)
    if not candidates:
        raise OptionError(
            f"no product in {precision} can be measured on {device}",
            where="measure_ceiling",
            hint="choose fp32 or bf16; int8 takes the CPU and pip install 'btlib[openvino]'",
        )
    best = dict.fromkeys((product.name for product in candidates), 0.0)
    share = seconds / ROUNDS / len(candidates)
    for _ in range(ROUNDS):
        for product in candidates:
            best[product.name] = max(best[product.name], product.flop / fastest(product.run, share))
    by = max(best, key=best.__getitem__)
    return Ceiling(best[by], by, best)


def fastest(run: Callable[[], object], seconds: float) -> float:
    """Seconds of the fastest of the runs that begin within a time, after one that does not count."""
    run()
    end, best = time.perf_counter() + seconds, float("inf")
    while True:
        before = time.perf_counter()
        run()
        after = time.perf_counter()
        best = min(best, after - before)
        if after >= end:
            return best
