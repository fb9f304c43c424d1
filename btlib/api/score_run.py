"""Run of the scores that a user's own tests compute: each check is a case of the run, with one record per seed."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from btlib import hooks
from btlib.api.opening import command_line, require_writable
from btlib.api.own_task import Compared
from btlib.data.task import Score, Task
from btlib.errors import BaselineError, OptionError
from btlib.evaluation.aggregate import summarise
from btlib.evaluation.catalogue import metrics_of
from btlib.gate import Verdict
from btlib.gate.judgement import judge_case
from btlib.numbers import SampleScores, as_conditions, as_runs
from btlib.options import RunOptions
from btlib.results import Conditions, SeedRun
from btlib.runs.environment import environment
from btlib.runs.provenance import checkout
from btlib.runs.record import CaseRecord, ModelInfo, RunInfo
from btlib.runs.store import RunStore

TIER = "gate"
"""Name of the tier of these runs, and of their baseline if the user names no other."""

_TEST = "test"


@dataclass(frozen=True)
class Check:
    """One check of a user's test.

    Attributes:
        case: Name of the case.
        score: Definition of the score.
        test: Node id of the test.
        retrained: Whether the model was trained anew since the baseline.
        seconds: Time from the start of the test to the check.
    """

    case: str
    score: Score
    test: str
    retrained: bool
    seconds: float


@dataclass(frozen=True, eq=False)
class ScoreRun:
    """Run of a session's checks. Several processes may write into its folder.

    Attributes:
        store: Store of the run.
        options: Options of the user.
        compared: Baseline with its file.
    """

    store: RunStore
    options: RunOptions
    compared: Compared
    _environment: dict[str, str] = field(default_factory=environment)

    def __post_init__(self) -> None:
        require_writable(self.options)

    def expect(self) -> None:
        """Open the run if the baseline has checks, so that they are reported as missing even if no check runs."""
        baseline = self.compared[1]
        if isinstance(baseline, BaselineError) or baseline.conditions.task.has_images or not baseline.cases:
            return
        self.store.path.mkdir(parents=True, exist_ok=True)
        with FileLock(self.store.path / "run.json.lock"):
            self._register(baseline.conditions.task)

    def judge(self, check: Check, found: SampleScores) -> Verdict:
        """Write the records of a check, and return its verdict.

        Args:
            check: The check.
            found: Its values by sample and seed.

        Raises:
            BtlibError: A value is out of range, another test has a check of this case, or another check of the run
                defines the score differently.
        """
        conditions = as_conditions(found, [check.score])
        self.store.path.mkdir(parents=True, exist_ok=True)
        with FileLock(self.store.path / "run.json.lock"):
            self._register(conditions.task)
            self._remove_earlier(check)
            for run in as_runs(found, retrained=check.retrained):
                record = self.store.save_record(self._record(check, conditions, run))
                hooks.notify("btlib_record_written", store=self.store, record=record)
        verdict = judge_case(self.store, check.case, self.compared[1], [check.score.name]).verdict(check.score.name)
        assert verdict is not None  # it was requested
        return verdict

    def hint(self, verdict: Verdict, here: Path) -> str:
        """Return the command that accepts the numbers of a check that has no baseline; "" for other verdicts."""
        if verdict.status != "missing-baseline":
            return ""
        path = self.compared[0]
        folder = self.store.path
        run = folder.relative_to(here) if folder.is_relative_to(here) else folder
        more = " --add" if path.exists() else ""
        return f'accept     btlib baseline accept {run} --name {path.stem} --reason "…"{more}'

    def _register(self, task: Task) -> None:
        """Add the scores of a check to those of the run. A margin belongs to the case, and each record has its own."""
        started = datetime.now(UTC).isoformat(timespec="seconds")
        path = self.store.path / "run.json"
        info = self.store.info() if path.exists() else self._info(task, started)
        known = {score.name: score for score in info.task.scores}
        for score in task.scores:
            before = known.setdefault(score.name, score)
            if differences := score.model_copy(update={"margin": before.margin}).differences(before):
                raise OptionError(
                    f"two checks of this run define it differently: {'; '.join(differences)}",
                    where=f"score {score.name}",
                    hint="give one of them another name",
                )
        whole = info.task.model_copy(update={"scores": tuple(known.values())})
        if whole != info.task or not path.exists():
            self.store.save_info(info.model_copy(update={"task": whole}))

    def _info(self, task: Task, started: str) -> RunInfo:
        commit, dirty = checkout(self.options.root)
        return RunInfo(
            tier=TIER,
            name=self.options.name,
            command=command_line(),
            baseline=str(self.compared[0]),
            task=task,
            data="scores that the tests computed",
            strict=self.options.strict,
            alpha=self.options.alpha,
            rescore=self.options.rescore,
            commit=commit,
            dirty=dirty,
            started=started,
        )

    def _remove_earlier(self, check: Check) -> None:
        """Remove the records of the same test, which pytest repeats; those of another test are an error."""
        for record in self.store.records_of(check.case):
            test = record.model.details.get(_TEST) if record.model else None
            if test != check.test:
                raise OptionError(
                    f"two tests have a check of this name: {test} and {check.test}",
                    where=f"case {check.case}",
                    hint="name one of them: bt_gate.check(…, case=…)",
                )
            self.store.record_path(record.cell).unlink()

    def _record(self, check: Check, conditions: Conditions, run: SeedRun) -> CaseRecord:
        return CaseRecord(
            case=check.case,
            title="" if check.case == check.score.name else check.score.name,
            tier=TIER,
            seed=run.seed,
            metrics={check.score.name: check.score.version},
            outcome="done",
            conditions=conditions,
            samples=run.samples,
            summary=summarise(run.samples, known=metrics_of(conditions.task)),
            seconds=check.seconds,
            model=ModelInfo(
                source="given",
                fingerprint=run.fingerprint,
                file_digest=run.file_digest,
                seconds=0.0,
                details={_TEST: check.test},
                notes=[],
            ),
            environment=self._environment,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
