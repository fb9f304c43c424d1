"""Cell of a run: the unit of execution. It is one case with one seed, on one fold if the run has several folds."""

from dataclasses import dataclass, field

QUALITY = "quality"
"""Measure of every cell: the scores of the predictions for the test samples."""


@dataclass(frozen=True)
class Cell:
    """Combination of one case, one seed and one fold.

    Attributes:
        case: Name of the case.
        seed: Seed of the training.
        fold: Name of the split if the run has several folds; None if the run has one split.
        measures: What to measure while the predictor is loaded: names in `btlib.runs.measuring.MEASURES`.
    """

    case: str
    seed: int
    fold: str | None = None
    measures: frozenset[str] = field(default=frozenset({QUALITY}), compare=False)

    def __str__(self) -> str:
        """Return a label such as "D, seed 42" or "D, patient-5fold-1, seed 42"."""
        return ", ".join([self.case, *([self.fold] if self.fold else []), f"seed {self.seed}"])
