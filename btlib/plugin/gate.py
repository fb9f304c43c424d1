"""The fixture `bt_gate`: judge numbers of a user's own test against the stored baseline."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import pytest

from btlib.plugin.reports import ENDED, fail
from btlib.plugin.session import SESSION

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from btlib.gate import Verdict

_SHOWN = ("case", "metric", "status", "measured", "baseline", "low", "high")


class Gate:
    """Checks of one test.

    Args:
        request: Request of the fixture.
    """

    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._request = request
        self._began = time.perf_counter()
        self._cases: set[str] = set()
        self._checked = False

    def check(
        self,
        metric: str,
        *,
        ids: Sequence[object],
        values: "ArrayLike | Mapping[int, ArrayLike]",
        margin: float,
        groups: Sequence[object] | None = None,
        independent: bool = False,
        group: str = "group",
        lower_is_better: bool = False,
        unit: str = "1",
        range: tuple[float | None, float | None] = (None, None),
        version: int = 1,
        retrained: bool = False,
        case: str | None = None,
    ) -> "Verdict":
        """Judge one number per sample against the stored baseline, by the rule of btlib's gate.

        The test fails if the numbers are worse than the baseline's (`regressed`) or cannot be judged
        (`missing-baseline`, `not-comparable`, `error`). An unclear verdict is a warning, or a failure with
        `--bt-strict`. The numbers are stored in the folder of the run, from which they can be accepted as a baseline.

        Args:
            metric: Name of the score, such as "wer".
            ids: Unique ids of the samples, text or whole numbers [n].
            values: One finite number per sample [n]; for several trainings [r, n], or seed → [n].
            margin: Largest loss of the mean to tolerate, in `unit`, above 0.
            groups: Group of each sample [n], such as its speaker: samples of one group are not independent.
            independent: The samples are independent of each other; give this or `groups`.
            group: What the samples are grouped by, for messages.
            lower_is_better: Whether lower values are better.
            unit: Unit of the values; "1" for none.
            range: Lowest and highest possible value; None for no limit.
            version: Version of the score's definition; other versions are not comparable.
            retrained: Whether the model was trained anew since the baseline. Only for values without seeds, which
                always state this.
            case: Name of the check in reports and the baseline; the metric's name by default. Each check of a session
                needs its own.

        Returns:
            The verdict, if the test does not fail.
        """
        from btlib.api.score_run import Check
        from btlib.errors import BtlibError, warn
        from btlib.gate.verdict import UNCLEAR
        from btlib.numbers import define, from_arrays

        self._checked = True
        session, node = self._request.config.stash[SESSION], self._request.node
        name = metric if case is None else case
        try:
            _require_kinds(
                {"case": name, "group": group},
                {"lower_is_better": lower_is_better, "independent": independent, "retrained": retrained},
            )
            direction = "lower" if lower_is_better else "higher"
            score = define(metric, direction=direction, unit=unit, range=range, version=version, margin=margin)
            found = from_arrays(metric, ids, values, groups, group=group, independent=independent)
            run = session.score_run
            self._register(name)
            check = Check(name, score, node.nodeid, retrained, time.perf_counter() - self._began)
            verdict = run.judge(check, found)
        except BtlibError as error:
            fail(f"bt_gate.check({metric!r}): {error}", "error")
        node.user_properties += [(key, value) for key in _SHOWN if (value := getattr(verdict, key)) is not None]
        lines = [verdict.describe(), f"records    {run.store.path}", run.hint(verdict, self._request.config.rootpath)]
        message = "\n  ".join(filter(None, lines))
        if verdict.failed or (verdict.status in UNCLEAR and session.options.strict):
            fail(message, verdict.status)
        if verdict.status in UNCLEAR:
            warn(message, stacklevel=2)
        return verdict

    def close(self) -> None:
        """Warn if the test ended without a check and did not fail; with `--bt-strict` this is an error."""
        if self._checked or not self._request.node.stash.get(ENDED, False):
            return
        message = (
            f"{self._request.node.nodeid} has the fixture bt_gate and checked nothing, so no number was judged. "
            "Hint: call bt_gate.check(…), or remove the fixture"
        )
        if self._request.config.stash[SESSION].options.strict:
            fail(message, "error")
        from btlib.errors import warn

        warn(message)

    def _register(self, case: str) -> None:
        from btlib.errors import OptionError

        if case in self._cases:
            raise OptionError(
                "this test has two checks of this name", where=f"case {case}", hint="name one of them: case=…"
            )
        self._cases.add(case)


def _require_kinds(names: Mapping[str, object], switches: Mapping[str, object]) -> None:
    """Require names that are text and switches that are truth values: the text "no" would mean yes."""
    from btlib.errors import OptionError

    for name, value in names.items():
        if not isinstance(value, str) or not value.strip():
            raise OptionError(f"expected a name, got {value!r}", where=name, hint="give text")
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise OptionError(f"expected True or False, got {value!r}", where=name, hint="give a bool")


@pytest.fixture
def bt_gate(request: pytest.FixtureRequest) -> Iterator[Gate]:
    """Gate for numbers of this test: `bt_gate.check("wer", ids=…, values=…, groups=…, margin=0.01)`."""
    gate = Gate(request)
    yield gate
    gate.close()
