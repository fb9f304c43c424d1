"""Settings of the gate that a run fixes before it starts."""

from dataclasses import dataclass

from btlib.ranges import COUNT, ERROR_RATE

ALPHA = 0.05
"""Default probability that an unchanged suite has any regression."""

LEVEL = 0.025
"""One-sided level of a single metric: of the bound of a pass, and of a suspected loss."""


@dataclass(frozen=True)
class GateOptions:
    """Settings of the gate.

    Attributes:
        strict: Whether another rendering of the same samples is "not-comparable".
        alpha: Probability that an unchanged suite has any regression, between 0 and 1.
        looks: Number of stages after which a case is judged, three for `--bt-seeds 1..5`; levels are divided by it.
        rescore: Whether the models are the same on both sides, so that trainings are not random.
    """

    strict: bool = False
    alpha: float = ALPHA
    looks: int = 1
    rescore: bool = False

    def __post_init__(self) -> None:
        ERROR_RATE.require(self.alpha, "alpha", hint="0.05 is usual")
        COUNT.require(self.looks, "looks", hint="give 1")

    @property
    def level(self) -> float:
        """One-sided level of the bound of a pass, and of a suspected loss."""
        return LEVEL / self.looks

    def red(self, family: int) -> float:
        """Return the largest one-sided p of a regression, if a baseline has `family` gated metrics."""
        return self.alpha / (max(1, family) * self.looks)
