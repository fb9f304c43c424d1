"""The Figshare data set as it is downloaded: zip files in any nesting, and `.mat` files in any folders."""

import os
from pathlib import Path

from btlib.data.layouts.layout import LAYOUTS, Imported, Layout, Options
from btlib.data.layouts.unpacking import Found, find_slices
from btlib.data.layouts.writing import require_free
from btlib.errors import DataError, OptionError
from btlib.files import atomic_folder


class FigshareZips(Layout):
    """Collects the slices in one folder; they stay `.mat` files, which btlib reads as they are."""

    summary = "the Figshare data set as downloaded: zip files in zip files, and .mat files in any folders"

    def recognises(self, folder: Path) -> bool:
        """Whether there are zip files or `.mat` files below a folder that btlib does not read as it is."""
        names = [name for _, _, names in os.walk(folder) for name in names]
        return any(name.lower().endswith((".zip", ".mat")) for name in names)

    def write(self, source: Path, out: Path, options: Options, copy: bool) -> Imported:
        """Write all slices to `out/data`, and the folds to `out`; slices are always copied."""
        require_free(out, source)
        if out.is_dir():
            out.rmdir()
        try:
            with atomic_folder(out) as part:
                found = find_slices(source, part)
                if not found.slices:
                    problem = "found no slices (1.mat, 2.mat …), neither in folders nor in zip files"
                    raise DataError(problem, where=source, hint="name the folder of the downloaded files")
        except OSError as error:
            raise OptionError(f"cannot be written: {error}", where=out, hint="choose a writable folder") from error
        return Imported(out, len(found.slices), _notes(found))


def _notes(found: Found) -> tuple[str, ...]:
    notes = [f"{len(found.slices)} slices, of which {found.packed} were in {found.archives} zip files"]
    if found.repeated:
        notes.append(f"{found.repeated} slices occur more than once, with equal content")
    missing = max(found.slices) - len(found.slices)
    if missing:
        notes.append(f"{missing} numbers between 1 and {max(found.slices)} are missing")
    return tuple(notes)


LAYOUTS.add("figshare", FigshareZips())
