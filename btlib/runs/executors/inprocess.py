"""Executor that runs cells in this process, one after the other."""

import contextlib
import gc
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import cached_property

from filelock import FileLock

from btlib import hooks
from btlib.cases import Case, Prepared, load_cases
from btlib.errors import ModelError, RecordError, foreign_faults
from btlib.runs.cell import QUALITY, Cell
from btlib.runs.execute import message_of, run_case
from btlib.runs.measuring.live import Live
from btlib.runs.measuring.measures import INFERENCE, MEASURES, TRAINING_STEP
from btlib.runs.measuring.meter import ThroughputMeter
from btlib.runs.measuring.references import References
from btlib.runs.record import CaseRecord
from btlib.runs.store import RunStore
from btlib.runs.workspace import Workspace
from btlib.speed import memory


@dataclass(eq=False)
class InProcess:
    """Executor that runs each cell of a run once, even if the cell is submitted repeatedly or by several processes.

    Attributes:
        workspace: Data and splits.
        store: Store of the run.
        again: Whether to retry failed cells and failed measures once; for a resumed run.
    """

    workspace: Workspace
    store: RunStore
    again: bool = False
    _ready: dict[Cell, Prepared] = field(default_factory=dict)
    _tried: set[Cell] = field(default_factory=set)

    def submit(self, cell: Cell) -> "Future[CaseRecord]":
        """Execute the cell now, unless its record is stored, and return the record in a finished future."""
        future: Future[CaseRecord] = Future()
        future.set_result(self._record(cell))
        return future

    def prepared(self, cell: Cell) -> Prepared:
        """Return the predictor of a cell, which is executed first if necessary.

        Raises:
            ModelError: The case failed.
        """
        record = self._record(replace(cell, measures=frozenset({QUALITY})))
        if record.outcome != "done":
            raise ModelError(f"has no predictor: {record.error}", where=f"case {cell.case}")
        if cell not in self._ready:  # another process made the record, or another case was executed since
            self._release(but=cell)
            self._keep(cell, _case(cell).prepare(replace(self.workspace.work(cell), retrain=False)))
        return self._ready[cell]

    def close(self) -> None:
        """Release the predictor, and close the speed references."""
        self._ready.clear()
        if "_references" in self.__dict__:
            self._references.close()
        if self._freezes:
            gc.unfreeze()

    def _record(self, cell: Cell) -> CaseRecord:
        path = self.store.record_path(cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):  # another process may execute this cell
            record = before = self._stored(cell)
            again = self.again and cell not in self._tried
            self._tried.add(cell)
            if record is None or (again and record.outcome != "done"):
                record = self._execute(cell)
            done = self._measured(cell, record, again)
            if done is not before:
                hooks.notify("btlib_record_written", store=self.store, record=done)
            return done

    def _execute(self, cell: Cell) -> CaseRecord:
        self._release(but=cell)
        if {INFERENCE, TRAINING_STEP} & cell.measures and self.workspace.plan.tier.recipe.quick:
            self._start_reference(cell)  # a long training would keep an idle process
        work, plan = self.workspace.work(cell), self.workspace.plan
        with self.workspace.progress.uncaptured():
            result = run_case(
                _case(cell),
                work,
                plan.tier.name,
                self.store,
                self.workspace.held_out(cell),
                plan.options.timeout,
                fold=cell.fold,
            )
        if result.prepared is not None:
            self._keep(cell, result.prepared)
        return result.record

    def _stored(self, cell: Cell) -> CaseRecord | None:
        """Return the stored record of a cell; None if there is none, or if a resumed run has a damaged record."""
        try:
            return self.store.record(cell)
        except RecordError:
            if not self.again:
                raise
            return None

    def _measured(self, cell: Cell, record: CaseRecord, again: bool) -> CaseRecord:
        """Measure what the cell requests in addition to its quality and the record lacks. Store the record after each.

        Args:
            cell: Cell to measure.
            record: Record so far.
            again: Whether to repeat failed measures.
        """
        wanted = [name for name in MEASURES if name in cell.measures]
        missing = [n for n in wanted if n not in record.measured or (again and n in record.problems)]
        if record.outcome != "done" or not missing:
            return record
        guard = self.workspace.held_out(cell).guard()
        for name in missing:
            measured = list(dict.fromkeys([*record.measured, name]))
            change: dict[str, object] = {"measured": measured}
            try:
                with self.workspace.progress.uncaptured():
                    change |= self._measure(name, cell, record)
                problems = {what: why for what, why in record.problems.items() if what != name}
            except foreign_faults() as fault:  # of a case or an engine; the quality stays valid
                change = {"measured": measured}
                problems = record.problems | {name: message_of(fault)}
                memory.release(fault)
            guard.restore()
            record = self.store.save_record(record.model_copy(update={**change, "problems": problems}))
        return record

    def _measure(self, name: str, cell: Cell, record: CaseRecord) -> Mapping[str, object]:
        if cell not in self._ready:
            self._release(but=cell)
            self._keep(cell, _case(cell).prepare(replace(self.workspace.work(cell), retrain=False)))
        return MEASURES[name](
            Live(
                _case(cell),
                cell,
                self._ready[cell],
                record,
                self.workspace,
                self.store,
                self._meter,
                self._references,
            )
        )

    @cached_property
    def _freezes(self) -> bool:
        """Whether objects may be frozen: not if the program around the run uses this itself."""
        return gc.get_freeze_count() == 0

    @cached_property
    def _meter(self) -> ThroughputMeter:
        return ThroughputMeter(self.workspace.plan.tier.bench_seconds, self.workspace.plan.options.device)

    @cached_property
    def _references(self) -> References:
        return References(self.workspace)

    def _release(self, but: Cell) -> None:
        """Release the predictors of other cells and the memory of the speed references."""
        self._ready = {cell: prepared for cell, prepared in self._ready.items() if cell == but}
        if "_references" in self.__dict__:
            self._references.release()
        memory.release()
        if self._freezes and not self._ready:
            gc.freeze()  # libraries have millions of objects; no later collection looks at them again

    def _start_reference(self, cell: Cell) -> None:
        """Start the reference of a cell. A fault is reported when speed is measured, and costs the cell nothing."""
        with contextlib.suppress(*foreign_faults()):
            reference = self._references.of(_case(cell))
            if reference is not None:
                reference.start()

    def _keep(self, cell: Cell, prepared: Prepared) -> None:
        """Store only this predictor, because several models may not fit into memory together."""
        self._ready.clear()
        self._ready[cell] = prepared


def _case(cell: Cell) -> Case:
    return load_cases()[cell.case]
