"""Planted faults: realistic faults are added to a case, and the gate must detect each of them.

    pytest benchmarks -m "controls and full" -k "planted and full-D" --bt-protocol cpu128 -s

The models are those of the tier, from their checkpoints; "half the epochs" is trained and stored like any other model.
`btlib.runs.measuring.planted` describes the faults.
"""

from dataclasses import replace

import pytest

from btlib.cases import load_cases
from btlib.errors import BaselineError
from btlib.evaluation.catalogue import METRICS
from btlib.gate import HOLDS, Verdict, judge
from btlib.plugin.run import Run
from btlib.runs import CaseRecord
from btlib.runs.measuring import PLANTED
from btlib.runs.measuring.planted import FAULTS
from btlib.runs.results import as_results

pytestmark = pytest.mark.controls


@pytest.mark.btlib_measures(PLANTED)
@pytest.mark.parametrize("fault", ["none", *FAULTS])
def test_planted(bt_run: Run, bt_case: str, fault: str) -> None:
    suffers = [metric for metric in load_cases()[bt_case].metrics if metric in FAULTS.get(fault, (metric,))]
    if not suffers:
        pytest.skip(f"the fault affects no prediction of {bt_case}")
    if isinstance(bt_run.baseline, BaselineError):
        raise bt_run.baseline
    record = bt_run.first_record(bt_case, [PLANTED])
    assert record.outcome == "done", record.error
    assert PLANTED not in record.problems, record.problems[PLANTED]
    if not record.planted:
        pytest.skip(f"{bt_case} has saved predictions")
    found = [v for v in verdicts(bt_run, record, fault) if v.metric in suffers]
    for v in found:
        numbers = f"{v.difference:+.4f} ({v.low:+.4f} … {v.high:+.4f})" if v.low is not None else v.reason
        print(f"\n{bt_case}, {fault}: {v.metric} {v.status} {numbers}, margin {v.margin:g}", end="")
    if fault == "none":
        assert not any(v.failed for v in found), "the case fails without a fault, so the planted faults show nothing"
    elif not any(v.status == "regressed" for v in found):
        assert not any(v.status in HOLDS and loss(v) > (v.margin or 0) for v in found), f"{fault} passes"
        small = [v for v in found if v.power is not None and loss(v) < v.power.detectable]
        assert len(small) == len(found), f"the gate did not detect the fault: {fault}"
        pytest.skip("the loss is smaller than what the gate finds with 80 %: more samples or seeds are needed")


def loss(verdict: Verdict) -> float:
    """Return the observed loss, 0 or more."""
    return max(0.0, -METRICS[verdict.metric].sign * (verdict.difference or 0.0))


def verdicts(run: Run, record: CaseRecord, fault: str) -> tuple[Verdict, ...]:
    """Return the verdicts on a case with a planted fault, or without one."""
    assert not isinstance(run.baseline, BaselineError)
    (sound,) = as_results([record])
    (seed_run,) = sound.runs
    if fault != "none":
        seed_run = seed_run.model_copy(update={"fingerprint": None, "samples": record.planted[fault]})
    return judge(replace(sound, runs=(seed_run,)), run.baseline)
