"""A layout of one's own: images whose names begin with their class, such as `cat_1.png`."""

from pathlib import Path

from btlib.data.layouts.layout import LAYOUTS, Options, TableLayout
from btlib.data.layouts.walk import files_of
from btlib.data.layouts.writing import Content, task_name
from btlib.data.sources.table.metadata import Table
from btlib.data.sources.table.row import Row
from btlib.data.sources.table.task_file import TaskFile


class NamedByClass(TableLayout):
    """The class is the part of the name before the first underscore."""

    summary = "images named CLASS_NUMBER.png"

    def recognises(self, folder: Path) -> bool:
        """Whether all images have such a name."""
        names = files_of(folder, {"raster"})
        return bool(names) and all("_" in name for name in names)

    def read(self, source: Path, options: Options) -> Content:
        """List the images."""
        rows = tuple(Row(0, name, label=name.partition("_")[0]) for name in files_of(source, {"raster"}))
        return Content(Table(rows, (), False, True), TaskFile(name=task_name(options.name, source)))


LAYOUTS.add("named", NamedByClass())
