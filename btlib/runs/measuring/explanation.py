"""Measure: occlusion maps of a case."""

import time
from dataclasses import replace

import numpy as np

from btlib.data.quota import shares
from btlib.evaluation.saved import SavedPredictions
from btlib.explain.find import explainer_of
from btlib.explain.patches import scaled
from btlib.explain.select import per_class
from btlib.explain.study import Study
from btlib.runs.measuring.live import Live


def explain(live: Live) -> dict[str, object]:
    """Explain the tier's number of test samples, divided among the classes, and store maps and measures.

    Cases without classes are skipped, and so are saved predictions, because they cannot predict changed images.

    Raises:
        PredictionError: The predictor gives no class probabilities.
    """
    if not live.case.has_classes or isinstance(live.prepared.predictor, SavedPredictions):
        return {}
    tier, dataset, split = live.workspace.plan.tier, live.given, live.split
    test = np.sort(split.test)
    shared = shares([1] * len(dataset.task.classes), tier.explain_samples)
    at = per_class(dataset, test[dataset.has_structure(test)], shared)
    patch, stride = scaled(dataset.image_size, tier.explain_patches, tier.explain_steps)
    began = time.perf_counter()
    made = replace(explainer_of(live.prepared), patch=patch, stride=stride)
    built = time.perf_counter() - began
    report = live.workspace.progress.now_and_then()
    Study(live.case.name, made, dataset, split, live.prepared.fingerprint, report, built).run(
        at, live.store.explain_place
    )
    return {}
