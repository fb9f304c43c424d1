"""The folder of one run: `run.json`, `split.json`, `judgement.json`, reports, and by cell `records/*.json`,
`curves/*.csv`, `predictions/*.npz` and `explain/*.{json,npz,csv}`.
"""

import shutil
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
from btlib.runs.record import CaseRecord, RunInfo, cells_of
from btlib.runs.speed import Speed, Timing
from btlib.runs.split import SplitFile
from btlib.stored import name_of, require_place

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class RunStore:
    """Reads and writes the files of one run.

    Attributes:
        path: The folder; made on the first write.
    """

    path: Path

    def record_path(self, cell: Cell) -> Path:
        """Where the record of a cell lies."""
        return self.path / "records" / f"{_name(cell)}.json"

    def record_paths(self) -> list[Path]:
        """Every record that there is."""
        return sorted((self.path / "records").glob("*.json"))

    @property
    def explain_place(self) -> ExplainPlace:
        """Where the explanations of its cases lie."""
        return ExplainPlace(self.path)

    def save_info(self, info: RunInfo) -> None:
        """Write `run.json`."""
        info.save(self.path / "run.json")

    def split_path(self, fold: str | None = None) -> Path:
        """Where the split lies, or that of one of several folds."""
        return self.path / ("split.json" if fold is None else f"splits/{name_of(fold)}.json")

    def save_split(self, split: SplitFile, fold: str | None = None) -> None:
        """Write the split of the run, or that of one of its folds."""
        split.save(self.split_path(fold))

    def split(self, fold: str | None = None) -> SplitFile | None:
        """The split of the run, or of a fold; None of a run that has none, as those of before."""
        path = self.split_path(fold)
        return SplitFile.load(path) if path.exists() else None

    def curves_path(self, cell: Cell) -> Path:
        """Where the losses and scores of a training lie, by epoch; not every case has some."""
        return self.path / "curves" / f"{_name(cell)}.csv"

    def masks_path(self, cell: Cell) -> Path:
        """Where the predicted masks of a cell lie."""
        return self.path / "predictions" / f"{_name(cell)}.npz"

    def save_record(self, record: CaseRecord, curves: Path | None = None, masks: Masks | None = None) -> CaseRecord:
        """Write a cell's masks, a copy of its curves and, last, its record.

        Returns:
            The record as it was written: it knows its curves.
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
        """Read `run.json`.

        Raises:
            RecordError: It is not a folder of a run.
        """
        if not (self.path / "run.json").exists():
            raise RecordError(
                "not the folder of a run: it has no run.json",
                where=self.path,
                hint="give a folder that a run of btlib wrote, such as one in reports/",
            )
        return RunInfo.load(self.path / "run.json")

    def record_at(self, path: Path) -> CaseRecord:
        """The record in one of the files of `record_paths`.

        Raises:
            RecordError: It is damaged, or is of another cell than its file's name says.
        """
        record = CaseRecord.load(path)
        require_place(path, self.record_path(record.cell), record.case)
        return record

    def record(self, cell: Cell) -> CaseRecord | None:
        """The record of a cell; None where there is none. Raises as `record_at`."""
        path = self.record_path(cell)
        return self.record_at(path) if path.exists() else None

    def records_of(self, case: str) -> list[CaseRecord]:
        """The records of a case that there are, in order of seeds and folds; raises as `record_at`."""
        cells = [cell for cell in cells_of(self.info()) if cell.case == case]
        if not cells:  # a run of before, or a case that was not planned
            return [record for record in self.records() if record.case == case]
        found = map(self.record, cells)
        return [record for record in found if record is not None]

    def records(self) -> list[CaseRecord]:
        """All records, in order of cases' names, seeds and folds; raises as `record_at`."""
        return sorted(map(self.record_at, self.record_paths()), key=lambda r: (r.case, r.seed, r.fold or ""))

    def lost(self) -> dict[str, list[Cell]]:
        """Case → cells of which there is no record, of the cases that were to be measured."""
        found: dict[str, list[Cell]] = {}
        for cell in cells_of(self.info()):
            if not self.record_path(cell).exists():
                found.setdefault(cell.case, []).append(cell)
        return found

    def curves(self, record: CaseRecord) -> "pd.DataFrame | None":
        """Losses and scores by epoch of a cell; None where it has none."""
        path = self.curves_path(record.cell)
        return load_curves(path, record.curves_sha256) if path.exists() else None

    def masks(self, cell: Cell) -> Masks | None:
        """Predicted masks; None where none were stored."""
        path = self.masks_path(cell)
        return Masks.load(path) if path.exists() else None

    def speeds(self) -> dict[str, Speed]:
        """Throughput by case, where it was measured.

        Raises:
            RecordError: A file is damaged, or lies in the place of another.
        """
        found = {r.case: r.speed for r in reversed(self.records()) if r.speed is not None}  # of its first cell
        return self.older_speeds() | dict(sorted(found.items()))

    def older_speeds(self) -> dict[str, Speed]:
        """Throughput by case of a run of an older version, which had files of its own for it; raises as `speeds`."""
        found = {}
        for path in sorted((self.path / "speed").glob("*.json")):
            speed = Speed.load(path)
            require_place(path, self.path / "speed" / f"{name_of(speed.case)}.json", speed.case)
            found[speed.case] = speed
        return found

    def older_noise(self) -> Timing | None:
        """The null run of a run of an older version."""
        path = self.path / "noise.json"
        return Timing.load(path) if path.exists() else None

    def noise(self) -> Timing | None:
        """The null run of the speed reference; None where none was made."""
        found = (speed.noise for speed in self.speeds().values() if speed.noise is not None)
        return next(found, None) or self.older_noise()

    def explained(self) -> dict[str, Explained]:
        """What its maps say, by case; raises as `ExplainPlace.at`."""
        return self.explain_place.all()


def _name(cell: Cell) -> str:
    fold = "" if cell.fold is None else f"-{name_of(cell.fold)}"
    return f"{name_of(cell.case)}{fold}-seed{cell.seed}"
