"""Checks of a case and of what its `prepare` returns. A run and `btlib check` both make them."""

import json
from typing import get_args

from btlib.cases.case import Case, Prepared, Source
from btlib.data.task import Task
from btlib.errors import ModelError
from btlib.ranges import NOT_NEGATIVE, SHARE


def check_asked(case: Case, task: Task) -> None:
    """Check before training that the task has the masks or classes that the case predicts.

    Raises:
        ModelError: The task has none.
    """
    for name, has, asked in (
        ("masks", case.has_mask, task.structures),
        ("classes", case.has_classes, task.classes),
    ):
        if has and not asked:
            raise ModelError(
                f"the case predicts {name}, but the task {task.name!r} has none",
                where=f"case {case.name}",
                hint="measure the case on another task, or correct has_mask and has_classes",
            )


def check_prepared(case: Case, prepared: object) -> None:
    """Check the type of the object that `prepare` returned, and that its fields can be written into a record.

    Raises:
        ModelError: It is not `Prepared`, or a field is invalid: a threshold outside 0…1, details that are not JSON …
    """
    if not isinstance(prepared, Prepared):
        raise ModelError(
            f"expected prepare to return a Prepared, got {type(prepared).__name__}",
            where=f"case {case.name}",
            hint='end prepare with: return Prepared(predictor, "given")',
        )
    _check_fields(case, prepared)
    if "threshold" in prepared.details:
        raise ModelError(
            "details: the name threshold is reserved for the field threshold of Prepared",
            where=f"case {case.name}",
            hint="use Prepared(…, threshold=…), or rename the detail",
        )


def _check_fields(case: Case, prepared: Prepared) -> None:
    try:
        json.dumps(dict(prepared.details), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"details: expected plain JSON values, {error}",
            where=f"case {case.name}",
            hint="convert NumPy numbers with float(…) or int(…)",
        ) from error
    threshold = prepared.threshold
    if threshold is not None and threshold not in SHARE:
        raise ModelError(
            f"threshold: expected 0…1 or None, got {threshold!r}",
            where=f"case {case.name}",
            hint="give the probability above which a pixel belongs to the mask: 127 of 255 is 0.5, a logit of 0 is 0.5",
        )
    if prepared.source not in get_args(Source):
        expected = ", ".join(get_args(Source))
        raise ModelError(f"source: expected one of {expected}, got {prepared.source!r}", where=f"case {case.name}")
    if prepared.seconds not in NOT_NEGATIVE:
        problem = f"seconds: expected a number from 0, got {prepared.seconds!r}"
        raise ModelError(problem, where=f"case {case.name}")
