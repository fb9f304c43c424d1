"""The unit of a run that is executed: one case with one seed, on one fold where there are several."""

from dataclasses import dataclass, field

QUALITY = "quality"
"""The measure that every cell has: the predictions of the test samples, scored."""


@dataclass(frozen=True)
class Cell:
    """One case, one seed, one fold.

    Attributes:
        case: Name of the case.
        seed: Of its training.
        fold: Name of the split, where the run has several folds; None where it has one split.
        measures: What to measure while the predictor is there, names in `btlib.runs.measuring.MEASURES`.
    """

    case: str
    seed: int
    fold: str | None = None
    measures: frozenset[str] = field(default=frozenset({QUALITY}), compare=False)

    def __str__(self) -> str:
        """Such as "D, seed 42" or "D, patient-5fold-1, seed 42"."""
        return ", ".join([self.case, *([self.fold] if self.fold else []), f"seed {self.seed}"])
