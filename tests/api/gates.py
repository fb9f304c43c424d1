"""A gate whose verdicts a test chooses by the number of seeds. What is tested is when more seeds are measured."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from btlib.gate import Verdict
from btlib.gate.verdict import Status
from btlib.results import CaseResult

Chosen = Mapping[str, Mapping[str, list[Status]]]
"""Case → metric → its status with 1, 2, 3 … seeds; the last one holds for all larger numbers."""


class Known:
    """A baseline that knows some cases, all with the same gated metrics."""

    def __init__(self, *cases: str, gated: tuple[str, ...] = ("dice", "accuracy")) -> None:
        self.identity, self.name, self.metrics = "known", "known", gated
        self.cases: dict[str, Any] = dict.fromkeys(cases)

    def gated(self, case: str) -> list[str]:
        return list(self.metrics) if case in self.cases else []

    def provenance_of(self, case: str) -> SimpleNamespace:
        return SimpleNamespace(recipe=None)


def gate(chosen: Chosen, asked: list[tuple[str, int, int]]) -> Callable[..., tuple[Verdict, ...]]:
    """A replacement of `btlib.gate.judgement.verdicts`; it notes case, number of seeds and looks of each question."""

    def verdicts(result: CaseResult, baseline: Any, *args: Any, options: Any, **more: Any) -> tuple[Verdict, ...]:
        asked.append((result.case, len(result.runs), options.looks))
        metrics = dict.fromkeys([*result.metrics, *baseline.gated(result.case)])
        if result.failure is not None:
            return tuple(Verdict(result.case, metric, result.failure, result.message) for metric in metrics)
        by_metric = chosen.get(result.case, {})
        found = {metric: by_metric.get(metric, ["pass"]) for metric in metrics}
        return tuple(
            Verdict(result.case, metric, by_seeds[min(len(result.runs), len(by_seeds)) - 1])
            for metric, by_seeds in found.items()
        )

    return verdicts
