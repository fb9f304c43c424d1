"""Where the explanations of cases lie: `explain/<case>.{npz,json,csv,svg}` in a folder."""

from dataclasses import dataclass
from pathlib import Path

from btlib import stored
from btlib.explain.explained import Explained


@dataclass(frozen=True)
class ExplainPlace:
    """Reads and writes explanations.

    Attributes:
        path: The folder, such as a run's; made on the first write.
    """

    path: Path

    def file(self, case: str, suffix: str) -> Path:
        """Where the maps (npz), measures (json, csv) or figure (svg) of a case lie."""
        return self.path / "explain" / f"{stored.name_of(case)}.{suffix}"

    def at(self, path: Path) -> Explained:
        """What the maps of a case say, by the file.

        Raises:
            RecordError: It is damaged, or is of another case than its file's name says.
        """
        explained = Explained.load(path)
        stored.require_place(path, self.file(explained.case, "json"), explained.case)
        return explained

    def all(self) -> dict[str, Explained]:
        """What its maps say, by case; raises as `at`."""
        paths = sorted((self.path / "explain").glob("*.json"))
        return {explained.case: explained for explained in map(self.at, paths)}
