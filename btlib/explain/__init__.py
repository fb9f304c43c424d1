"""Occlusion maps: how much the probability of a class drops if a part of a sample is hidden.

A deep-learning framework is needed only to explain a PyTorch model.
"""

from btlib.explain.build import explainer
from btlib.explain.explainer import Explainer, Explanation, Runner
from btlib.explain.occlusion import OcclusionMap, occlusion_maps
from btlib.explain.patches import positions
from btlib.explain.probability import probability_of

__all__ = [
    "Explainer",
    "Explanation",
    "OcclusionMap",
    "Runner",
    "explainer",
    "occlusion_maps",
    "positions",
    "probability_of",
]
