"""Folder of a run: `run.json`, `split.json`, `judgement.json`, reports, for each cell `records/*.json`, `curves/*.csv`,
`predictions/*.npz` and `explain/*.{json,npz,csv}`, and `stages/*.json` for each case that needed fewer seeds.
"""

import contextlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from btlib import files, fingerprint
from btlib.errors import RecordError
from btlib.explain.explained import Explained
from btlib.explain.place import ExplainPlace
from btlib.runs.cell import Cell
from btlib.runs.curves import load_curves
from btlib.runs.masks import Masks
from btlib.runs.record import CaseRecord, RunInfo, StageStop, cells_of, cells_to_measure
from btlib.runs.speed import Speed, Timing
from btlib.runs.split import SplitFile
from btlib.stored import name_of, require_place

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunStore:
    """Store of a run, which reads and writes its files.

    Attributes:
        path: Folder of the run; created by the first write.
    """

    path: Path

    def record_path(self, cell: Cell) -> Path:
        """Return the path of a cell's record."""
        return self.path / "records" / f"{_name(cell)}.json"

    def record_paths(self) -> list[Path]:
        """Return the paths of all stored records."""
        return sorted((self.path / "records").glob("*.json"))

    @property
    def explain_place(self) -> ExplainPlace:
        """Place of the explanations of the cases."""
        return ExplainPlace(self.path)

    def save_info(self, info: RunInfo) -> None:
        """Write `run.json`; where cases stopped is in their own files."""
        info.model_copy(update={"stopped": {}}).save(self.path / "run.json")

    def stop_path(self, case: str) -> Path:
        """Return the path of the file that states that a case stopped before the last stage."""
        return self.path / "stages" / f"{name_of(case)}.json"

    def save_stop(self, case: str, seeds: int | None) -> None:
        """Store that a case stopped after this number of seeds, or with None that it goes on."""
        if seeds is None:
            self.stop_path(case).unlink(missing_ok=True)
        else:
            StageStop(case=case, seeds=seeds).save(self.stop_path(case))

    def split_path(self, fold: str | None = None) -> Path:
        """Return the path of the split, or of one of several folds."""
        return self.path / ("split.json" if fold is None else f"splits/{name_of(fold)}.json")

    def save_split(self, split: SplitFile, fold: str | None = None) -> None:
        """Write the split of the run, or of one of its folds."""
        split.save(self.split_path(fold))

    def split(self, fold: str | None = None) -> SplitFile | None:
        """Return the split of the run, or of a fold; None without one, as in runs of older versions."""
        path = self.split_path(fold)
        return SplitFile.load(path) if path.exists() else None

    def curves_path(self, cell: Cell) -> Path:
        """Return the path of a cell's learning curves. Not every case has them."""
        return self.path / "curves" / f"{_name(cell)}.csv"

    def masks_path(self, cell: Cell) -> Path:
        """Return the path of a cell's predicted masks."""
        return self.path / "predictions" / f"{_name(cell)}.npz"

    def save_record(self, record: CaseRecord, curves: Path | None = None, masks: Masks | None = None) -> CaseRecord:
        """Write a cell's masks, a copy of its curves and, last, its record.

        Returns:
            The stored record, with the SHA-256 of the curves.
        """
        if masks is not None:
            masks.save(self.masks_path(record.cell))
        if curves is not None and curves.exists():
            with files.atomic_path(self.curves_path(record.cell)) as part:
                shutil.copyfile(curves, part)
                record = record.model_copy(update={"curves_sha256": fingerprint.of_file(part)})
        record.save(self.record_path(record.cell))
        return record

    def info(self) -> RunInfo:
        """Read `run.json`, and where cases stopped before the last stage.

        A case whose file on this is damaged counts as not stopped, so that the run is incomplete.

        Raises:
            RecordError: The folder is not the folder of a run.
        """
        if not (self.path / "run.json").exists():
            raise RecordError(
                "not the folder of a run: it contains no run.json",
                where=self.path,
                hint="give the folder of a btlib run, such as one in reports/",
            )
        info = RunInfo.load(self.path / "run.json")
        return info.model_copy(update={"stopped": self._stopped(info)}) if info.stages else info

    def _stopped(self, info: RunInfo) -> dict[str, int]:
        found = {}
        for case in info.cases:
            path = self.stop_path(case)
            with contextlib.suppress(RecordError):
                stop = StageStop.load(path) if path.exists() else None
                if stop is not None and stop.case == case and stop.seeds in info.stages[:-1]:
                    found[case] = stop.seeds
        return found

    def record_at(self, path: Path) -> CaseRecord:
        """Read the record in one of the files of `record_paths`.

        Raises:
            RecordError: The record is damaged, or its cell does not match the name of its file.
        """
        record = CaseRecord.load(path)
        require_place(path, self.record_path(record.cell), record.case)
        return record

    def record(self, cell: Cell) -> CaseRecord | None:
        """Return the record of a cell; None without one. For errors see `record_at`."""
        path = self.record_path(cell)
        return self.record_at(path) if path.exists() else None

    def records_of(self, case: str) -> list[CaseRecord]:
        """Return the stored records of a case, ordered by seeds and folds. For errors see `record_at`."""
        cells = [cell for cell in cells_of(self.info()) if cell.case == case]
        if not cells:  # a run of an older version, or a case that was not planned
            paths = [path for path in self.record_paths() if path.name.startswith(f"{name_of(case)}-")]
            return _ordered(record for record in map(self.record_at, paths) if record.case == case)
        found = map(self.record, cells)
        return [record for record in found if record is not None]

    def records(self) -> list[CaseRecord]:
        """Return all records, ordered by case name, seed and fold. For errors see `record_at`."""
        return _ordered(map(self.record_at, self.record_paths()))

    def lost(self) -> dict[str, list[Cell]]:
        """Return the cells without a record that the planned cases must have, by case."""

        def known(cell: Cell) -> bool:
            return self.record_path(cell).exists()

        info = self.info()
        lost = {case: [c for c in cells_to_measure(info, case, known) if not known(c)] for case in info.cases}
        return {case: cells for case, cells in lost.items() if cells}

    def curves(self, record: CaseRecord) -> "pd.DataFrame | None":
        """Return losses and scores by epoch of a cell; None without them."""
        path = self.curves_path(record.cell)
        return load_curves(path, record.curves_sha256) if path.exists() else None

    def masks(self, cell: Cell) -> Masks | None:
        """Return the predicted masks of a cell; None if they are not stored."""
        path = self.masks_path(cell)
        return Masks.load(path) if path.exists() else None

    def speeds(self) -> dict[str, Speed]:
        """Return the measured speeds by case.

        Raises:
            RecordError: A file is damaged, or its case does not match its name.
        """
        found = {r.case: r.speed for r in reversed(self.records()) if r.speed is not None}  # first cell wins
        return self.older_speeds() | dict(sorted(found.items()))

    def older_speeds(self) -> dict[str, Speed]:
        """Return the speeds by case of a run of an older version, which has separate files. For errors see `speeds`."""
        found = {}
        for path in sorted((self.path / "speed").glob("*.json")):
            speed = Speed.load(path)
            require_place(path, self.path / "speed" / f"{name_of(speed.case)}.json", speed.case)
            found[speed.case] = speed
        return found

    def older_noise(self) -> Timing | None:
        """Return the null run of the speed reference in a run of an older version; None without one."""
        path = self.path / "noise.json"
        return Timing.load(path) if path.exists() else None

    def noise(self) -> Timing | None:
        """Return the null run of the speed reference; None without one."""
        found = (speed.noise for speed in self.speeds().values() if speed.noise is not None)
        return next(found, None) or self.older_noise()

    def explained(self) -> dict[str, Explained]:
        """Return the explanations by case. For errors see `ExplainPlace.at`."""
        return self.explain_place.all()


def _ordered(records: Iterable[CaseRecord]) -> list[CaseRecord]:
    return sorted(records, key=lambda record: (record.case, record.seed, record.fold or ""))


def _name(cell: Cell) -> str:
    fold = "" if cell.fold is None else f"-{name_of(cell.fold)}"
    return f"{name_of(cell.case)}{fold}-seed{cell.seed}"
