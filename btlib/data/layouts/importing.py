"""Import of a folder of any known layout."""

from pathlib import Path

from btlib.data.layouts import brisc, class_folders, dicom, figshare, monai, nifti, nnunet, pairs  # noqa: F401 - they register themselves
from btlib.data.layouts.layout import LAYOUTS, Imported, Options
from btlib.data.layouts.writing import require_free
from btlib.errors import DataError

__all__ = ["LAYOUTS", "Imported", "Options", "import_folder"]


def import_folder(
    layout: str, source: Path | str, out: Path | str, options: Options | None = None, *, copy: bool = False
) -> Imported:
    """Import a folder, so that `load_dataset(out)` reads it.

    Args:
        layout: Name of a layout in `LAYOUTS`.
        source: Folder in this layout; it is only read.
        out: Folder to write; it does not exist, or is empty.
        options: Options that the layout uses.
        copy: Whether to copy the files; otherwise the new folder refers to them.

    Raises:
        UnknownNameError: There is no such layout.
        OptionError: An option is invalid, or the layout does not use it; or `out` cannot be written.
        DataError: The source is incomplete, contradictory or damaged. One error names all faults.
        MissingExtraError: A package that reads the files is not installed.
    """
    source, out, options = Path(source), Path(out), options or Options()
    reader = LAYOUTS[layout]
    reader.require(options, layout)
    if not source.exists():
        raise DataError("there is no such folder", where=source, hint="name the folder of the data, unpacked")
    require_free(out, source)
    return reader.write(source, out, options, copy)
