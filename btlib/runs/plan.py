"""The plan of a run: which cells it has, and how each is measured."""

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
    """What is measured, settled before anything is read.

    Attributes:
        tier: Protocol, recipe and settings of the measurements, with what the user asked for.
        options: What the user asked for.
        cases: Case → what to measure of it beside its quality, names in `btlib.runs.measuring.MEASURES`.
    """

    tier: Tier
    options: RunOptions
    cases: Mapping[str, frozenset[str]]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that each case is measured with."""
        return tuple(range(self.options.seed, self.options.seed + self.options.seeds))

    @cached_property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits: one, or the folds that are pooled."""
        return folds_of(self.tier.protocol.split)

    @property
    def folded(self) -> bool:
        """Whether its splits are folds of one result; named one by one, a single fold is one too."""
        return self.options.folds is not None or len(self.splits) > 1

    def cells(self, case: str | None = None) -> tuple[Cell, ...]:
        """The cells of a case, or of all, in the order in which they are to be executed: a case after those it needs.

        What is measured beside the quality is measured in the first cell of a case.
        """
        names = [case] if case is not None else _ordered(self.cases)
        folds = self.splits if self.folded else (None,)
        return tuple(
            Cell(name, seed, fold, frozenset({QUALITY} | (self.cases.get(name, frozenset()) if not k else frozenset())))
            for name in names
            for k, (seed, fold) in enumerate((seed, fold) for seed in self.seeds for fold in folds)
        )


def _ordered(cases: Mapping[str, object]) -> list[str]:
    """Cases with those that they need before them, else as they were given."""
    found: dict[str, None] = {}

    def visit(name: str, above: tuple[str, ...]) -> None:
        for needed in CASES[name].needs if name in CASES else ():
            if needed in cases and needed not in above:
                visit(needed, (*above, name))
        found.setdefault(name)

    for name in cases:
        visit(name, ())
    return list(found)
