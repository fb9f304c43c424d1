"""Scores of samples, and their conversion to what the gate judges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from btlib import fingerprint
from btlib.data.task import Score, Task
from btlib.errors import DataError, OptionError, warn
from btlib.ranges import described
from btlib.results import CaseResult, Conditions, SeedRun
from btlib.sample_table import TAKEN, SampleTable

TASK = "numbers"
"""Name of the task of every user's scores: their data are identified by ids and groups."""

SPLIT = "given"
"""Name of the split: the samples that the user gave."""

NO_TRAINING = fingerprint.of("numbers without a training")
"""Fingerprint in place of a model's. Equal fingerprints state that no training lies between two measurements."""


def define(name: str, **fields: Any) -> Score:
    """Return the definition of a score.

    Args:
        name: Name of the score.
        fields: Other fields of `Score`.

    Raises:
        OptionError: A field is out of range, or the name is reserved by btlib.
    """
    if name in TAKEN:
        raise OptionError(f"the name {name!r} is reserved by btlib", where="metric", hint="rename the column")
    try:
        return Score(name=name, **fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join([name, *(str(part) for part in first["loc"][:1])])
        raise OptionError(described(first), where=where, hint="docs/any-numbers.md lists the fields") from error


@dataclass(frozen=True, eq=False)
class SampleScores:
    """Scores of n samples, measured with one or several trainings.

    Attributes:
        ids: Unique ids of the samples [n].
        groups: Group of each sample [n], such as its speaker; None if the samples are independent of each other.
        group: What the samples are grouped by, such as "speaker".
        values: Seed → name of a score → its values, float64 [n], finite.
        seeded: Whether the user gave seeds; else `values` has the single seed 0.
    """

    ids: Sequence[str]
    groups: Sequence[str] | None
    group: str
    values: Mapping[int, Mapping[str, NDArray[np.float64]]]
    seeded: bool

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.ids)


def as_conditions(found: SampleScores, scores: Sequence[Score]) -> Conditions:
    """Return the conditions of a measurement; they identify the samples by ids and groups, in any order.

    Raises:
        DataError: A value is out of the range of its score.
    """
    _require_ranges(found, scores)
    identity = fingerprint.of(sorted(zip(found.ids, found.groups or found.ids, strict=True)), found.groups is None)
    return Conditions(
        task=Task(
            name=TASK, scores=tuple(scores), group=found.group, channels=(SPLIT,), independent=found.groups is None
        ),
        truth_fingerprint=identity,
        input_fingerprint=None,
        split_name=SPLIT,
        split_fingerprint=identity,
        n_test=found.n,
        test_class_counts=[],
        independent=found.groups is None,
    )


def as_runs(found: SampleScores, *, retrained: bool = False) -> tuple[SeedRun, ...]:
    """Return the scores by seed.

    Args:
        found: Scores of the samples.
        retrained: Whether the model was trained anew since the other measurement. Seeds always state this.
    """
    if found.seeded and retrained:
        warn("retrained changes nothing: the seeds state already that each value is of another training", stacklevel=2)
    model = None if found.seeded or retrained else NO_TRAINING
    patients: list[str | None] = [None] * found.n if found.groups is None else list(found.groups)
    return tuple(
        SeedRun(
            seed=seed,
            fingerprint=None,
            file_digest=model,
            samples=SampleTable(
                id=list(found.ids),
                patient=patients,
                columns={name: column.tolist() for name, column in columns.items()},
            ),
        )
        for seed, columns in found.values.items()
    )


def as_result(found: SampleScores, case: str, scores: Sequence[Score], *, retrained: bool = False) -> CaseResult:
    """Return the scores as the result of a case.

    Args:
        found: Scores of the samples.
        case: Name of the case.
        scores: Definitions of the scores to judge.
        retrained: As in `as_runs`.

    Raises:
        DataError: A value is out of the range of its score.
    """
    conditions = as_conditions(found, scores)
    versions = {score.name: score.version for score in scores}
    return CaseResult(case, case, conditions, versions, as_runs(found, retrained=retrained))


def _require_ranges(found: SampleScores, scores: Sequence[Score]) -> None:
    for seed, columns in found.values.items():
        for score in scores:
            low, high = score.limits
            values = columns[score.name]
            outside = np.flatnonzero((values < low) | (values > high))
            if len(outside):
                at = int(outside[0])
                of_seed = f", seed {seed}" if found.seeded else ""
                raise DataError(
                    f"expected values in {low:g}…{high:g}, got {values[at]:g} for id {found.ids[at]!r}{of_seed}",
                    where=score.name,
                    hint="correct the value or the range",
                )
