"""Pairs of images and masks, found by the names of files and folders."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from btlib.data.faults import joined
from btlib.data.layouts.layout import Options
from btlib.data.layouts.walk import PARTS, common_folders, stem
from btlib.data.sources.table.row import UNION
from btlib.errors import DataError

_MASK = r"masks?|segs?|segmentations?|labels?|gt|groundtruths?|ground[_\- ]truths?|annotations?|annots?"
_IMAGE = r"images?|imgs?|scans?|inputs?"
_MASK_FOLDER = re.compile(rf"(?:(.+?)[_\- ])?(?:{_MASK})(?:[_\- ](.+))?|(?:{_MASK})(Tr|Ts)", re.IGNORECASE)
_IMAGE_FOLDER = re.compile(rf"(?:(.+?)[_\- ])?(?:{_IMAGE})(?:[_\- ](.+))?|(?:{_IMAGE})(Tr|Ts)", re.IGNORECASE)
_MASK_STEM = re.compile(rf"(.+?)[_\-. ](?:{_MASK})(?:[_\- ]?\d+)?|(?:{_MASK})[_\-. ](.+)", re.IGNORECASE)
_IMAGE_STEM = re.compile(rf"(.+?)[_\-. ](?:{_IMAGE})|(?:{_IMAGE})[_\-. ](.+)", re.IGNORECASE)
_HINT = "rename the files, or name the folders with --images and --masks"


@dataclass
class Pair:
    """An image and its masks, as names of files.

    Attributes:
        part: Part of the split that the folders show, "" if they show none.
        key: What the names of the image and its masks have in common: folders and the beginning of the name.
        images: Channel → file; the channel is "" without names of channels.
        masks: Structure → files; the structure is "" if files do not differ by structure.
    """

    part: str
    key: str
    images: dict[str, str] = field(default_factory=dict)
    masks: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def file(self, channels: Sequence[str]) -> str:
        """The file of the first channel."""
        return self.images[channels[0] if channels else ""]

    def cells(self, structures: Sequence[str]) -> tuple[str, ...]:
        """The cell of each mask column; without names of structures there is one column."""
        return tuple(UNION.join(self.masks.get(name, ())) for name in structures or [""])


def pairs_of(names: Sequence[str], options: Options, folder: Path) -> list[Pair]:
    """Find the masks of each image.

    A mask lies in a folder such as `masks`, or has a name such as `1_mask.png`. Without such a part, its path is that
    of the image. Image and mask may be of different file types.

    Args:
        names: Relative paths of the files, in the order of the samples.
        options: Folders of images and masks, names of channels and structures.
        folder: Folder that errors name.

    Raises:
        DataError: There are no masks and no rule for classes, a mask belongs to no image, two images have one name, or
            a channel is missing.
    """
    common = 0 if options.images or options.masks else common_folders(names)
    found: dict[str, Pair] = {}
    masks: list[tuple[str, str, str]] = []
    faults = []
    for name in names:
        is_mask, path = _role(name, common, options)
        key, part_name = _without_name(path, options.structures if is_mask else options.channels)
        if is_mask:
            masks.append((key, part_name, name))
            continue
        pair = found.setdefault(key.casefold(), Pair(_part(key), key))
        if part_name in pair.images:
            faults.append(DataError(f"{name}: has the name of another image, {pair.images[part_name]}", where=folder))
        elif options.channels and not part_name:
            faults.append(DataError(f"{name}: belongs to none of the channels", where=folder))
        pair.images.setdefault(part_name, name)
    by_base = _unique_names(found)
    for key, structure, name in masks:
        if (of := found.get(key.casefold()) or by_base.get(PurePosixPath(key).name.casefold())) is None:
            faults.append(DataError(f"{name}: there is no image of this mask", where=folder))
        else:
            of.masks[structure].append(name)
    faults += _incomplete(list(found.values()), options, folder)
    if faults:
        raise joined(faults, folder, _HINT, what="faults")
    if not masks and not options.label:
        raise DataError(f"found {len(names)} files, but no masks", where=folder, hint=_HINT)
    return list(found.values())


def _unique_names(found: dict[str, Pair]) -> dict[str, Pair]:
    """Return the pairs whose names without folders are unique, by these names."""
    times = Counter(PurePosixPath(key).name for key in found)
    return {name: pair for key, pair in found.items() if times[name := PurePosixPath(key).name] == 1}


def _incomplete(pairs: Sequence[Pair], options: Options, folder: Path) -> list[DataError]:
    faults = [
        DataError(f"{next(iter(pair.images.values()))}: the channel {channel} is missing", where=folder)
        for pair in pairs
        for channel in options.channels
        if channel not in pair.images
    ]
    by_file = {name for pair in pairs for name in pair.masks if name}
    unnamed = [pair.masks[""][0] for pair in pairs if by_file and "" in pair.masks]
    return faults + [DataError(f"{name}: belongs to none of the structures", where=folder) for name in unnamed]


def _role(name: str, common: int, options: Options) -> tuple[bool, PurePosixPath]:
    """Return whether a file is a mask, and its path without what tells images from masks."""
    path = PurePosixPath(name)
    for is_mask, given in ((True, options.masks), (False, options.images)):
        if given is not None and path.is_relative_to(given):
            inner = path.relative_to(given)
            return is_mask, inner.with_name(_base(name, is_mask=is_mask))
    folders, role = list(path.parts[:-1]), None
    for at in range(len(folders) - 1, common - 1, -1):
        for is_mask, pattern in ((True, _MASK_FOLDER), (False, _IMAGE_FOLDER)):
            if role is None and (match := pattern.fullmatch(folders[at])):
                role, folders[at] = is_mask, "_".join(filter(None, match.groups()))
    if role is None:
        role = options.masks is None and _MASK_STEM.fullmatch(stem(name)) is not None
    return role, PurePosixPath(*filter(None, folders[common:]), _base(name, is_mask=role))


def _base(name: str, *, is_mask: bool) -> str:
    """Return the name of a file without words such as mask and image."""
    base = _without(_MASK_STEM, stem(name)) if is_mask else stem(name)
    return _without(_IMAGE_STEM, base)


def _without(pattern: re.Pattern[str], base: str) -> str:
    match = pattern.fullmatch(base)
    return next(filter(None, match.groups())) if match else base


def _without_name(path: PurePosixPath, known: Sequence[str]) -> tuple[str, str]:
    """Return a path without the name of a channel or structure, and this name; "" if the path contains none."""
    for name in sorted(known, key=len, reverse=True):  # t1ce before t1
        folders = list(path.parts[:-1])
        if name in folders:
            folders.remove(name)
            return PurePosixPath(*folders, path.name).as_posix(), name
        if match := re.fullmatch(rf"(.+)[_\-. ]{re.escape(name)}", path.name):
            return path.with_name(match[1]).as_posix(), name
    return path.as_posix(), ""


def _part(key: str) -> str:
    return next((PARTS[name] for name in key.lower().split("/")[:-1] if name in PARTS), "")
