"""The folder of one run: `run.json`, `split.json`, reports, and by case `records/*.json`, `speed/*.json`,
`curves/*.csv`, `predictions/*.npz` and `explain/*.{json,npz,csv}`.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from filelock import FileLock

from btlib import files, fingerprint
from btlib.errors import RecordError
from btlib.runs.curves import load_curves
from btlib.runs.explained import Explained
from btlib.runs.masks import Masks
from btlib.runs.record import CaseRecord, RunInfo
from btlib.runs.speed import Speed, Timing
from btlib.runs.split import SplitFile

if TYPE_CHECKING:
    import pandas as pd

_LONGEST = 120  # file systems take 255 bytes, a seed and a suffix among them


@dataclass(frozen=True)
class RunFolder:
    """Reads and writes the files of one run.

    Attributes:
        path: The folder; made on the first write.
    """

    path: Path

    def record_path(self, case: str, seed: int) -> Path:
        """Where the record of a case and seed lies."""
        return self.path / "records" / f"{_file_name(case)}-seed{seed}.json"

    def record_paths(self) -> list[Path]:
        """Every record that there is."""
        return sorted((self.path / "records").glob("*.json"))

    def speed_path(self, case: str) -> Path:
        """Where the throughput of a case lies."""
        return self.path / "speed" / f"{_file_name(case)}.json"

    def speed_paths(self) -> list[Path]:
        """The throughput of every case that has one."""
        return sorted((self.path / "speed").glob("*.json"))

    def explain_path(self, case: str, suffix: str) -> Path:
        """Where the maps (npz), measures (json, csv) or figure (svg) of a case's explanations lie."""
        return self.path / "explain" / f"{_file_name(case)}.{suffix}"

    def save_info(self, info: RunInfo) -> None:
        """Write `run.json`."""
        info.save(self.path / "run.json")

    def save_split(self, split: SplitFile) -> None:
        """Write `split.json`."""
        split.save(self.path / "split.json")

    def split(self) -> SplitFile | None:
        """The split of the run; None of a run that has none, as those of before."""
        path = self.path / "split.json"
        return SplitFile.load(path) if path.exists() else None

    def curves_path(self, case: str, seed: int) -> Path:
        """Where the losses and scores of a training lie, by epoch; not every case has some."""
        return self.path / "curves" / f"{_file_name(case)}-seed{seed}.csv"

    def masks_path(self, case: str, seed: int) -> Path:
        """Where the predicted masks of a case and seed lie."""
        return self.path / "predictions" / f"{_file_name(case)}-seed{seed}.npz"

    def save_record(self, record: CaseRecord, curves: Path | None = None, masks: Masks | None = None) -> CaseRecord:
        """Write a case's masks, a copy of its curves and, last, its record.

        Returns:
            The record as it was written: it knows its curves.
        """
        if masks is not None:
            masks.save(self.masks_path(record.case, record.seed))
        if curves is not None and curves.exists():
            with files.atomic_path(self.curves_path(record.case, record.seed)) as part:
                shutil.copyfile(curves, part)
                record = record.model_copy(update={"curves_sha256": fingerprint.of_file(part)})
        record.save(self.record_path(record.case, record.seed))
        return record

    def add_timing(self, case: str, figure: str, timing: Timing, seconds: float, facts: Mapping[str, Any]) -> None:
        """Add one figure to the speed of a case.

        Args:
            case: Whose it is.
            figure: Its name.
            timing: What was measured.
            seconds: That measuring took.
            facts: Other fields of `Speed` that are known by now.
        """
        path = self.speed_path(case)
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            known = self.speed_at(path) if path.exists() else Speed(case=case)
            figures = known.figures | {figure: timing}
            known.model_copy(update={"figures": figures, "seconds": known.seconds + seconds, **facts}).save(path)

    def save_noise(self, timing: Timing) -> None:
        """Write the null run: the thesis path in turns with itself."""
        timing.save(self.path / "noise.json")

    def noise(self) -> Timing | None:
        """The null run; None where none was made."""
        path = self.path / "noise.json"
        return Timing.load(path) if path.exists() else None

    def info(self) -> RunInfo:
        """Read `run.json`.

        Raises:
            RecordError: It is not a folder of a run.
        """
        if not (self.path / "run.json").exists():
            raise RecordError(
                "not the folder of a run: it has no run.json",
                where=self.path,
                mend="give a folder that `pytest benchmarks` wrote, such as reports/smoke",
            )
        return RunInfo.load(self.path / "run.json")

    def record_at(self, path: Path) -> CaseRecord:
        """The record in one of the files of `record_paths`.

        Raises:
            RecordError: It is damaged, or is of another case or seed than its file's name says.
        """
        record = CaseRecord.load(path)
        _require_place(path, self.record_path(record.case, record.seed), record.case)
        return record

    def speed_at(self, path: Path) -> Speed:
        """The throughput in one of the files of `speed_paths`; raises as `record_at`."""
        speed = Speed.load(path)
        _require_place(path, self.speed_path(speed.case), speed.case)
        return speed

    def explained_at(self, path: Path) -> Explained:
        """What the maps of a case say, by the file (`explain_path`); raises as `record_at`."""
        explained = Explained.load(path)
        _require_place(path, self.explain_path(explained.case, "json"), explained.case)
        return explained

    def records(self) -> list[CaseRecord]:
        """All records, in order of cases' names and seeds; raises as `record_at`."""
        return sorted(map(self.record_at, self.record_paths()), key=lambda record: (record.case, record.seed))

    def lost(self) -> dict[str, list[int]]:
        """Case → seeds of which there is no record, of the cases that were to be measured."""
        info = self.info()
        found = {case: [s for s in info.seeds if not self.record_path(case, s).exists()] for case in info.cases}
        return {case: seeds for case, seeds in found.items() if seeds}

    def curves(self, record: CaseRecord) -> "pd.DataFrame | None":
        """Losses and scores by epoch of a case and seed; None where it has none."""
        path = self.curves_path(record.case, record.seed)
        return load_curves(path, record.curves_sha256) if path.exists() else None

    def masks(self, case: str, seed: int) -> Masks | None:
        """Predicted masks; None where none were kept."""
        path = self.masks_path(case, seed)
        return Masks.load(path) if path.exists() else None

    def speeds(self) -> dict[str, Speed]:
        """Throughput by case; raises as `record_at`."""
        return {speed.case: speed for speed in map(self.speed_at, self.speed_paths())}

    def explained(self) -> dict[str, Explained]:
        """What its maps say, by case; raises as `record_at`."""
        paths = sorted((self.path / "explain").glob("*.json"))
        return {explained.case: explained for explained in map(self.explained_at, paths)}


def _require_place(path: Path, own: Path, case: str) -> None:
    """Refuse a whole file of one case that lies in the place of another's: it would count twice, or for the other."""
    if path != own:
        raise RecordError(
            f"is of case {case!r}, whose file is {own.name}",
            where=path,
            mend="was it copied or renamed? Remove it, or put back the file that was there",
        )


def _file_name(case: str) -> str:
    """A case may be called anything; a file may not, and its name has an end."""
    name = quote(case, safe=" ")
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}~{fingerprint.of(case)}"
