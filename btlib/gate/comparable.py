"""Whether a measured case can be compared with its baseline: conditions, samples, truth and definitions."""

import numpy as np

from btlib.evaluation.catalogue import Metric
from btlib.gate.baseline_case import BaselineCase, ReferenceValue
from btlib.natural_order import natural
from btlib.results import CaseResult, Conditions
from btlib.sample_table import SampleTable

_IDENTITY = ("truth_fingerprint", "split_fingerprint", "n_test")


def unlike(measured: Conditions, baseline: Conditions) -> list[str]:
    """Return the differences between two sets of conditions; fields that are None in the baseline are not compared.

    The patients and the fingerprints of the images and of their spacing are not compared here. The fingerprint of the
    truth is compared if both sides have it. The true labels and areas of the test samples are compared elsewhere, if
    the baseline has them.
    """
    pairs = [
        ("task", measured.task.name, baseline.task.name),
        ("classes", measured.task.classes, baseline.task.classes),
        ("structures", measured.task.structures, baseline.task.structures),
        ("synthetic", measured.task.synthetic, baseline.task.synthetic),
    ]
    pairs += [
        (name, getattr(measured, name), getattr(baseline, name))
        for name in Conditions.model_fields
        if name not in ("task", "input_fingerprint", "patients", "independent", "spacing_fingerprint")
    ]
    if not measured.task.has_images and not baseline.task.has_images:  # `other_truth` names the samples that differ
        pairs = [pair for pair in pairs if pair[0] not in _IDENTITY]
    return [
        f"{name}: measured {ours!r}, baseline {theirs!r}"
        for name, ours, theirs in pairs
        if theirs is not None and theirs != ours and (ours is not None or name != "truth_fingerprint")
    ]


def other_rendering(measured: Conditions, baseline: Conditions) -> str:
    """Return a message if the images differ, for example 8-bit and 16-bit copies of the same samples; else ""."""
    ours, theirs = measured.input_fingerprint, baseline.input_fingerprint
    if ours == theirs:
        return ""
    if ours is None or theirs is None:
        side = "the measured result" if ours is None else "the baseline"
        return f"inputs: {side} has no fingerprint of its images, so they may be another rendering"
    return f"inputs: another rendering of the samples (images measured {ours!r}, baseline {theirs!r})"


def other_truth(result: CaseResult, case: BaselineCase) -> list[str]:
    """Return a message on the first sample whose true label or areas differ from the baseline's; else an empty list."""
    known = _truth(result.samples)
    for theirs in (_truth(run.samples) for run in case.runs):
        if theirs.keys() != known.keys():
            apart = sorted(theirs.keys() ^ known.keys(), key=natural)
            return [f"samples: {len(apart)} are on one side only, the first one is {apart[0]}"]
        for name, (label, areas) in theirs.items():
            ours = known[name]
            if ours != (label, areas):
                return [f"sample {name}: measured {_describe_truth(*ours)}, baseline {_describe_truth(label, areas)}"]
    return []


def other_score(measured: Conditions, baseline: Conditions, metric: str) -> list[str]:
    """Return the differences between the definitions of a score; an empty list for a registered metric."""
    score = measured.task.score(metric)
    return [] if score is None else score.differences(baseline.task.score(metric))


def other_spacing(measured: Conditions, baseline: Conditions, metric: Metric) -> list[str]:
    """Return a difference in the sizes of the images or their pixels; an empty list for metrics that are not in mm."""
    ours, theirs = measured.spacing_fingerprint, baseline.spacing_fingerprint
    if metric.needs != "millimetres" or theirs is None or ours == theirs:
        return []
    return [f"spacing_fingerprint (sizes of the images and of their pixels): measured {ours!r}, baseline {theirs!r}"]


def _truth(table: SampleTable) -> dict[str, tuple[int | str | None, list[int]]]:
    """Return the label and true areas of every sample by its id; without classes and structures, its group."""
    labels: list[int | str | None] = [None] * table.n if table.label is None else list(table.label)
    if not (table.classes or table.structures):
        labels = list(table.patient)
    return dict(zip(table.id, zip(labels, table.truth_area.tolist(), strict=True), strict=True))


def _describe_truth(label: int | str | None, areas: list[int]) -> str:
    parts = [] if label is None else [f"{'group' if isinstance(label, str) else 'label'} {label}"]
    return " and ".join([*parts, *([f"{', '.join(map(str, areas))} true pixels"] if areas else [])])


def undefined(result: CaseResult, metric: str, figure: ReferenceValue) -> list[str]:
    """Return other obstacles to the comparison: another version of the metric, a missing column, an undefined value."""
    found = result.definitions[metric]
    problems = []
    if found.version != figure.version:
        problems.append(f"version of {metric}: measured {found.version}, baseline {figure.version}")
    for run in result.runs:
        if not found.available(run.samples):
            problems.append(f"{metric}: not measured (seed {run.seed}); measure the case again")
        elif not (inside := found.members(run.samples)).any():
            problems.append(f"{metric}: no sample belongs to this subgroup (seed {run.seed})")
        elif not np.isfinite(found.of(run.samples)[inside if found.level == "sample" else ...]).all():
            problems.append(f"{metric}: undefined for some samples (seed {run.seed})")
    return problems
