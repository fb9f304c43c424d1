"""Where a model looks: maps of what hiding a part of a sample does to the probability of a class.

Nothing here needs a framework until a PyTorch model is explained.
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
