"""What a proposed baseline would change, in lines: old, new, and why it would be refused."""

from collections.abc import Callable

from btlib import Baseline
from btlib.gate import Verdict
from btlib.gate.acceptance import Proposal
from btlib.reporting.proposal import proposal_lines
from btlib.sample_table import SampleTable


def test_old_and_new_and_what_changes(make_table: Callable[..., SampleTable], baseline_of: Callable[..., Baseline]):
    old = baseline_of(make_table(), "A", "kept")
    new = baseline_of(make_table(wrong=6), "A", "B")
    worse = Verdict("A", "accuracy", "regressed", "fell", 0.9, 1.0, 0.02, -0.1, -0.2, -0.05)
    unknown = Verdict("A", "dice", "error", "lost")
    changes, refusals = ("epochs: 8 → 4", "torch: 2 → 3"), ("the checkout is dirty",)

    def lines(cases: dict[str, object]) -> list[str]:
        replaced = new.model_copy(update={"cases": cases})
        return proposal_lines(Proposal(replaced, old, (unknown, worse), changes, refusals, (worse, unknown)))

    found = lines({name: new.cases[name] for name in "AB"})
    dice = f"{new.cases['A'].figures[0].value:.4f}"
    assert [line.split() for line in found[2:6]] == [
        ["A", "dice", "–", dice, "–", "error"],
        ["A", "accuracy", "1.0000", "0.9000", "-0.2000", "…", "-0.0500", "regressed"],
        ["B", "dice", "–", dice, "–", "new"],
        ["B", "accuracy", "–", "0.9000", "–", "new"],
    ]
    assert found[0].split("  ")[0] == "case"
    assert found[6:] == [
        *("", "change: epochs: 8 → 4", "change: torch: 2 → 3"),
        *("refused: the checkout is dirty", "worse: A accuracy -0.1000 (regressed)", "worse: A dice – (error)"),
    ]
    added = lines({"A": new.cases["A"], "kept": old.cases["kept"]})
    assert [line.split()[0] for line in added[2:4]] == ["A", "A"], "what stays is not shown"
    assert "different from the baseline: epochs: 8 → 4" in added
