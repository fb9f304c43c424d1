"""Plan of a run: its cells, and what is measured for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from btlib.cases import CASES
from btlib.options import RunOptions
from btlib.protocol import Tier
from btlib.runs.cell import QUALITY, Cell
from btlib.splits import folds_of


@dataclass(frozen=True)
class RunPlan:
    """Plan of the measurements, made before any data are read.

    Attributes:
        tier: Protocol, recipe and settings of the measurements, with the user's options applied.
        options: Options of the user.
        cases: Case → what to measure in addition to its quality: names in `btlib.runs.measuring.MEASURES`.
    """

    tier: Tier
    options: RunOptions
    cases: Mapping[str, frozenset[str]]

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds of each case; with stages, a case may end before the last one."""
        return tuple(range(self.options.seed, self.options.seed + self.stages[-1]))

    @property
    def stages(self) -> tuple[int, ...]:
        """Numbers of seeds after which a case is judged; one number if all seeds are measured in any case."""
        return self.options.stages

    @property
    def ordered(self) -> tuple[str, ...]:
        """Cases in the order of execution: a case follows the cases that it needs."""
        return tuple(_ordered(self.cases))

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits: one split, or the folds that are pooled."""
        return folds_of(self.tier.protocol.split)

    @property
    def folded(self) -> bool:
        """Whether the splits are folds that are pooled. This includes a single fold given by the option folds."""
        return self.options.folds is not None or len(self.splits) > 1

    def cells(self, case: str | None = None, seeds: int | None = None) -> tuple[Cell, ...]:
        """Return the cells of one case or of all cases in the order of execution: a case follows the cases it needs.

        Measures in addition to the quality belong to the first cell of a case.

        Args:
            case: Name of the case; None for all cases.
            seeds: Number of seeds, for the cells up to the end of a stage; None for all seeds.
        """
        names = [case] if case is not None else self.ordered
        folds = self.splits if self.folded else (None,)
        return tuple(
            Cell(name, seed, fold, frozenset({QUALITY} | (self.cases.get(name, frozenset()) if not k else frozenset())))
            for name in names
            for k, (seed, fold) in enumerate((seed, fold) for seed in self.seeds[:seeds] for fold in folds)
        )


def _ordered(cases: Mapping[str, object]) -> list[str]:
    """Return the cases in the given order, but with the cases that a case needs before it."""
    found: dict[str, None] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        for needed in CASES[name].needs if name in CASES else ():
            if needed in cases and needed not in above:
                visit(needed, (*above, name))
        found.setdefault(name)

    for name in cases:
        visit(name, ())
    return list(found)
