"""Occlusion maps of a case in a run."""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from btlib.cases import Prepared
from btlib.data.dataset import Dataset
from btlib.data.quota import shares
from btlib.explain.find import explainer_of
from btlib.explain.patches import scaled
from btlib.explain.select import per_class
from btlib.explain.study import Study
from btlib.protocol import Tier
from btlib.runs import Explained, RunFolder
from btlib.splits import Split


def explain_case(
    case: str,
    prepared: Prepared,
    dataset: Dataset,
    split: Split,
    tier: Tier,
    folder: RunFolder,
    say: Callable[[str], None],
) -> Explained:
    """Explain as many test samples as the tier wants, shared among the classes, and store maps and measures.

    Args:
        case: Name of the case.
        prepared: Its predictor, or its own explainer.
        dataset: The samples as it takes them.
        split: Says which of them test.
        tier: Says how many samples, and how fine their maps.
        folder: Of the run.
        say: Told of progress.

    Raises:
        PredictionError: The predictor gives no class probabilities.
    """
    test = np.sort(split.test)
    shared = shares([1] * len(dataset.task.classes), tier.explain_slices)
    at = per_class(dataset, test[dataset.has_structure(test)], shared)
    patch, stride = scaled(dataset.image_size, tier.explain_patches, tier.explain_steps)
    began = time.perf_counter()
    made = replace(explainer_of(prepared), patch=patch, stride=stride)
    built = time.perf_counter() - began
    return Study(case, made, dataset, split, prepared.fingerprint, say, built).run(at, folder)[0]
