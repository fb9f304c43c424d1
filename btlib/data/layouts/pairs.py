"""Images and masks of equal names, in two folders or with a suffix such as `_mask`."""

from pathlib import Path

from btlib.data.layouts.images_and_masks import OPTIONS, read_pairs
from btlib.data.layouts.layout import LAYOUTS, Options, TableLayout
from btlib.data.layouts.pairing import pairs_of
from btlib.data.layouts.walk import files_of
from btlib.data.layouts.writing import Content
from btlib.errors import DataError


class Pairs(TableLayout):
    """Images and masks; copies of the Figshare data set get its classes and patients."""

    summary = "images and masks of one name, in folders such as images/ and masks/ or with a suffix such as _mask"
    options = OPTIONS | {"recognise"}

    def recognises(self, folder: Path) -> bool:
        """Whether the folder has images and masks that belong together."""
        try:
            return bool(pairs_of(files_of(folder, {"raster", "array"}), Options(), folder))
        except DataError:
            return False

    def read(self, folder: Path, options: Options) -> Content:
        """Read the pairs; see `read_pairs`."""
        return read_pairs(folder, {"raster", "array"}, options, copy_of_figshare=True)


LAYOUTS.add("pairs", Pairs())
