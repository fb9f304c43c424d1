"""Folder of explanations: `explain/<case>.{npz,json,csv,svg}`."""

from dataclasses import dataclass
from pathlib import Path

from btlib import stored
from btlib.explain.explained import Explained


@dataclass(frozen=True)
class ExplainPlace:
    """Folder that contains the explanations of cases.

    Attributes:
        path: Path of the folder, such as that of a run; created on the first write.
    """

    path: Path

    def file(self, case: str, suffix: str) -> Path:
        """Return the path of the maps (npz), measures (json, csv) or figure (svg) of a case."""
        return self.path / "explain" / f"{stored.name_of(case)}.{suffix}"

    def at(self, path: Path) -> Explained:
        """Read the measures of a case from a file.

        Raises:
            RecordError: The file is damaged, or belongs to another case than its name states.
        """
        explained = Explained.load(path)
        stored.require_place(path, self.file(explained.case, "json"), explained.case)
        return explained

    def all(self) -> dict[str, Explained]:
        """Read the measures of all cases, by name of the case; raises as `at`."""
        paths = sorted((self.path / "explain").glob("*.json"))
        return {explained.case: explained for explained in map(self.at, paths)}
