"""Maps of many samples, computed with the fastest engine that is precise enough for each map."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from btlib.evaluation.predictor import Predictor
from btlib.explain.occlusion import BATCH, Fill, OcclusionMap, drops, occlusion_maps
from btlib.explain.patches import PATCH, STRIDE, corners, positions
from btlib.explain.probability import probability_of

SHARE = 0.05
"""Largest accepted deviation of a map from plain fp32, as a share of its effect (the range of its drops)."""

SPREAD, STRONGEST = 12, 4
"""Numbers of positions that are scored again in plain fp32: evenly spaced ones, and those with the largest effects."""


@dataclass(frozen=True, eq=False)
class Runner:
    """Predictor with the engine and precision that it uses.

    Attributes:
        predictor: Predictor of class probabilities.
        engine: Name of the engine.
        precision: "fp32" or "bf16"; "as given" if btlib does not know it.
    """

    predictor: Predictor
    engine: str = "predictor"
    precision: str = "as given"


@dataclass(frozen=True, eq=False)
class Explanation:
    """Map of one sample, with its deviation from plain fp32.

    Attributes:
        map: The map.
        label: Class that the map explains.
        engine: Engine that ran the model.
        precision: Precision in which the map was computed.
        deviation: Largest difference of a drop from plain fp32 on the positions that were scored again; None if there
            is no plain fp32 model to compare with.
        notes: Reasons why the map was computed again; empty if it was not.
    """

    map: OcclusionMap
    label: int
    engine: str
    precision: str
    deviation: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def effect(self) -> float:
        """Range of the map's drops."""
        return self.map.effect

    @property
    def faithful(self) -> bool | None:
        """Whether the deviation is small compared with the effect; None if the deviation is unknown.

        A map that is not faithful even in fp32 shows only rounding errors.
        """
        return None if self.deviation is None else self.deviation <= SHARE * self.effect


@dataclass(frozen=True, eq=False)
class Explainer:
    """Explainer of samples. Its engines are built once.

    Attributes:
        fast: Runner that computes a map first, or always if `plain` is None.
        plain: Predictor in plain fp32, with which a map is compared.
        make_exact: Function that builds the fastest runner in fp32, called for the first map that needs it; None if
            `fast` is in fp32.
        patch: Side of the patch in pixels.
        stride: Distance from one patch to the next in pixels.
        fill: Fill of a hidden patch.
        batch_size: Number of samples per prediction call.
    """

    fast: Runner
    plain: Predictor | None = None
    make_exact: Callable[[], Runner] | None = None
    patch: int = PATCH
    stride: int = STRIDE
    fill: Fill = "zero"
    batch_size: int = BATCH

    @cached_property
    def exact(self) -> Runner | None:
        """Fastest runner in fp32, built on first use; None if `fast` is in fp32."""
        return None if self.make_exact is None else self.make_exact()

    def explain(self, image: NDArray[np.float32], label: int) -> Explanation:
        """Compute the map of one sample with `fast`, and again with `exact` if `fast` is not precise enough.

        Args:
            image: Sample, float32 [channels, h, w], preprocessed as for the model.
            label: Class to explain, from 0; the thesis explains the true class.

        Raises:
            OptionError: There is no such class, or patch, stride and sample size do not fit each other.
            UnknownNameError: There is no such fill.
            PredictionError: The predictor returns no class probabilities, or not one finite number per image.
        """
        found = self._map(self.fast, image, label)
        if self.plain is None:
            return Explanation(found, label, self.fast.engine, self.fast.precision)
        at = sample(found.drops)
        truth = self._drops(self.plain, image, label, at)
        first = _held(self.fast, found, label, at, truth)
        if first.faithful or self.exact is None:
            return first
        second = _held(self.exact, self._map(self.exact, image, label), label, at, truth)
        note = (
            f"computed again in fp32: engine {first.engine} in {first.precision} changes a drop by up to "
            f"{first.deviation:.2g}, more than {100 * SHARE:g} % of the drops' range of {first.effect:.2g}"
        )
        return replace(second, notes=(note,))

    def _map(self, runner: Runner, image: NDArray[np.float32], label: int) -> OcclusionMap:
        return occlusion_maps(
            probability_of(runner.predictor, label),
            image,
            patch=self.patch,
            stride=self.stride,
            fill=self.fill,
            batch_size=self.batch_size,
        )

    def _drops(
        self, predictor: Predictor, image: NDArray[np.float32], label: int, at: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Compute the drops at some positions, which are numbered row by row."""
        places = corners(*positions(image.shape[-2:], self.patch, self.stride))[at]
        score = probability_of(predictor, label)
        return drops(score, image, places, patch=self.patch, fill=self.fill, batch_size=self.batch_size)[1]


def sample(found: NDArray[np.float64]) -> NDArray[np.int64]:
    """Choose positions to score again, numbered row by row: evenly spaced ones and those with the largest changes."""
    spread = np.linspace(0, found.size - 1, SPREAD).round().astype(np.int64)
    strongest = np.argsort(np.abs(found), axis=None)[-STRONGEST:]
    return np.union1d(spread, strongest)


def _held(
    runner: Runner, found: OcclusionMap, label: int, at: NDArray[np.int64], truth: NDArray[np.float64]
) -> Explanation:
    """Compare a map with plain fp32 at some positions."""
    deviation = float(np.abs(found.drops.ravel()[at] - truth).max())
    return Explanation(found, label, runner.engine, runner.precision, deviation)
