"""Check that files exist and lie in a folder, also if they are links."""

import os
import stat
from pathlib import Path


class FolderFiles:
    """Files of a folder. Parent folders are resolved once, because tables name many files in few folders.

    Args:
        home: Resolved path of the folder.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._parents: dict[str, bool] = {}

    def why_unusable(self, name: str) -> str | None:
        """Return why a file cannot be read; None if it is a regular file in the folder.

        Args:
            name: Posix path relative to the folder, without "..".
        """
        path = self._home / name
        parent = os.path.dirname(name)  # noqa: PTH120 - of a text, three times as fast
        if parent not in self._parents:
            self._parents[parent] = self._is_inside(path.parent)
        try:
            is_link = stat.S_ISLNK(os.lstat(path).st_mode)
            if not self._parents[parent] or (is_link and not self._is_inside(path)):
                return "is a link to a place outside the folder"
            kind = os.stat(path).st_mode  # noqa: PTH116 - as above
        except (OSError, RuntimeError, ValueError) as error:
            return "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
        return None if stat.S_ISREG(kind) else "is not a regular file"

    def _is_inside(self, path: Path) -> bool:
        return path.resolve().is_relative_to(self._home)
