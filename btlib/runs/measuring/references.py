"""Speed references of a run: a case's own reference, or the case that the user names as the reference."""

from dataclasses import dataclass, field, replace

from btlib.adapters.device_choice import where_it_runs
from btlib.cases import Case, Prepared, load_case
from btlib.errors import OptionError
from btlib.evaluation.predictor import ask
from btlib.options import written
from btlib.runs.workspace import Workspace
from btlib.speed import memory, tuning
from btlib.speed.clock import clocked
from btlib.speed.reference import Call, Job, SpeedReference


@dataclass(eq=False)
class References:
    """Speed references of the cases of a run. Each reference is made once.

    Attributes:
        workspace: Workspace of the run.
    """

    workspace: Workspace
    _made: dict[str, SpeedReference] = field(default_factory=dict)

    def of(self, case: Case) -> SpeedReference | None:
        """Return the case's own reference, or else the one of the case that the user named; None without either."""
        if case.speed_reference is not None:
            return self._own(case)
        named = self.workspace.plan.options.speed_reference
        if named is None:
            return None
        other = load_case(named)
        if other.name == case.name:
            return None
        return self._made.setdefault(
            other.name, self._own(other) if other.speed_reference else _Predictor(other, self.workspace)
        )

    def release(self) -> None:
        """Free the memory that the references used for their last job."""
        for reference in self._made.values():
            reference.release()

    def close(self) -> None:
        """Close all references."""
        for reference in self._made.values():
            reference.close()
        self._made.clear()

    def _own(self, case: Case) -> SpeedReference:
        if case.name not in self._made:
            assert case.speed_reference is not None
            recipe = self.workspace.plan.tier.recipe
            self._made[case.name] = case.speed_reference(recipe, tuning.current().threads)
        return self._made[case.name]


@dataclass(eq=False)
class _Predictor:
    """Speed reference made from the predictor of a case without its own reference."""

    case: Case
    workspace: Workspace
    _ready: Prepared | None = None

    def __post_init__(self) -> None:
        self.name = self.case.name
        self.kind = f"case {self.case.name}"

    def call(self, job: Job) -> Call | None:
        cell = self.workspace.plan.cells(self.case.name)[0]
        if self._ready is None:
            self._ready = self.case.prepare(replace(self.workspace.work(cell), retrain=False))
        ready = self._ready
        wanted = self.workspace.plan.options.device
        if where_it_runs(ready.predictor, ready.details, wanted) != job.device:
            return None
        if job.work == "training":
            if ready.training_step is None:
                return None
            step = ready.training_step(job.batch_size)
            step()
            return Call(clocked(step), None)
        ids, images = self.workspace.batch(cell, job.batch_size)
        return Call(clocked(lambda: ask(ready.predictor, ids, images)), None)

    def start(self) -> None:
        """There is nothing to start: the case is prepared when it is first timed."""

    def another(self) -> "_Predictor":
        return _Predictor(self.case, self.workspace, self._ready)

    def release(self) -> None:
        self._ready = None
        memory.release()

    def close(self) -> None:
        self._ready = None


def require_reference(name: str | None) -> None:
    """Raise an error if the named speed reference is not a case.

    Raises:
        OptionError: The case does not exist, or its file cannot be imported.
    """
    if name is None:
        return
    try:
        load_case(name)
    except Exception as error:
        raise OptionError(str(error), where=written("speed_reference"), hint="name a case, or FILE.py::NAME") from error
