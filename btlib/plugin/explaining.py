"""Occlusion maps of a case in a run."""

import time
from dataclasses import replace

import numpy as np

from btlib.cases import Prepared, Work
from btlib.data.quota import shares
from btlib.explain.find import explainer_of
from btlib.explain.patches import scaled
from btlib.explain.select import per_class
from btlib.explain.study import Study
from btlib.protocol import Tier
from btlib.runs import Explained, RunFolder
from btlib.types import N_CLASSES


def explain_case(case: str, prepared: Prepared, work: Work, tier: Tier, folder: RunFolder) -> Explained:
    """Explain as many test slices as the tier wants, shared among the types, and keep maps and measures.

    Args:
        case: Name of the case.
        prepared: Its predictor, or its own explainer.
        work: What it was given.
        tier: Says how many slices, and how fine their maps.
        folder: Of the run.

    Raises:
        PredictionError: The predictor gives no class probabilities.
    """
    dataset, split = work.dataset, work.split
    test = np.sort(split.test)
    at = per_class(dataset, test[dataset.masks[test].any(axis=(1, 2))], shares([1] * N_CLASSES, tier.explain_slices))
    patch, stride = scaled(dataset.image_size, tier.explain_patches, tier.explain_steps)
    began = time.perf_counter()
    made = replace(explainer_of(prepared), patch=patch, stride=stride)
    built = time.perf_counter() - began
    return Study(case, made, dataset, split, prepared.fingerprint, work.say, built).run(at, folder)[0]
