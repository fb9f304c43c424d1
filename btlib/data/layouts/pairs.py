"""Images and masks of equal names, in two folders or with a suffix such as `_mask`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from btlib.data.layouts.figshare_copy import recognise_copy
from btlib.data.layouts.images_and_masks import OPTIONS, Facts, read_pairs
from btlib.data.layouts.layout import LAYOUTS, Options, TableLayout
from btlib.data.layouts.mask_values import MaskFacts
from btlib.data.layouts.pairing import Pair, pairs_of
from btlib.data.layouts.walk import files_of
from btlib.data.layouts.writing import Content
from btlib.data.sources.tasks import FIGSHARE
from btlib.errors import DataError


class Pairs(TableLayout):
    """Images and masks; copies of the Figshare data set get its classes and patients."""

    summary = "images and masks of one name, in folders such as images/ and masks/ or with a suffix such as _mask"
    options = OPTIONS | {"recognise"}

    def recognises(self, folder: Path) -> bool:
        """Whether the folder has images and masks that belong together."""
        if (folder / "dataset.json").exists() or (folder / "segmentation_task").exists():
            return False
        try:
            return bool(pairs_of(files_of(folder, {"raster", "array"}), Options(), folder))
        except DataError:
            return False

    def read(self, source: Path, options: Options) -> Content:
        """Read the pairs; see `read_pairs`."""

        def find(pairs: Sequence[Pair], masks: Mapping[str, MaskFacts]) -> Facts:
            return _figshare(pairs, masks, source) if options.recognise and not options.channels else Facts()

        return read_pairs(source, files_of(source, {"raster", "array"}), options, find)


def _figshare(pairs: Sequence[Pair], masks: Mapping[str, MaskFacts], folder: Path) -> Facts:
    """Facts of slices of the Figshare data set; none if these are other images."""
    files = [[name for of in pair.masks.values() for name in of] for pair in pairs]
    single = [masks[names[0]] if len(names) == 1 else None for names in files]
    known = recognise_copy([pair.file(()) for pair in pairs], single, folder)
    if known is None:
        return Facts()
    about = {"structures": FIGSHARE.structures, "licence": FIGSHARE.licence, "citation": FIGSHARE.citation}
    return Facts(known.labels, known.patients, task=about, notes=(known.note,))


LAYOUTS.add("pairs", Pairs())
