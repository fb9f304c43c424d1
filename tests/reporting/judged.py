"""Records in memory, judged and put beside their baseline as a run's are."""

from collections.abc import Mapping, Sequence

from btlib import Baseline
from btlib.errors import BaselineError
from btlib.gate.judgement import Judgement, judgement_of
from btlib.reporting import Comparison, compare
from btlib.runs import CaseRecord, RunInfo, Speed


def judged(
    info: RunInfo, records: Sequence[CaseRecord], speeds: Mapping[str, Speed], baseline: Baseline | BaselineError
) -> Comparison:
    """The comparison of a run of which nothing was judged before."""
    nothing = Judgement(baseline=None, against=info.against, strict=info.strict)
    return compare(info, records, speeds, judgement_of(nothing, info, records, baseline), baseline)
