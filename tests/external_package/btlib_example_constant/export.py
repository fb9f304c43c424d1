"""An export of one's own: a line for each verdict of a run, as a file in its folder."""

from btlib.gate.judgement import Judgement
from btlib.hooks import hookimpl
from btlib.runs import RunStore


@hookimpl
def btlib_run_judged(store: RunStore, judgement: Judgement) -> None:
    """Write `verdicts.txt`."""
    lines = [f"{one.case} {one.metric} {one.status}" for one in judgement.verdicts]
    with (store.path / "verdicts.txt").open("a", encoding="utf-8") as file:
        file.write("\n".join([*lines, ""]))
