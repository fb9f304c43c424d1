"""Reading of PNG, JPEG, TIFF and BMP files. The size is checked in the header, before pixels are decoded.

Pillow decodes 8-bit images and grey ones of any depth exactly. It would cut colours of 16 bits to 8, so these are read
by OpenCV (PNG) or tifffile (TIFF).
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from btlib import extras
from btlib.data.sources.table.planes import as_plain, checked_slice, require_size
from btlib.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

_FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
_GREY = ("1", "L", "I;16", "I;16B", "I;16L", "I", "F")
_IHDR = 33  # bytes of a PNG file up to the end of its header
_BITS_PER_SAMPLE, _SAMPLES_PER_PIXEL = 258, 277  # TIFF tags


def read_raster(path: Path, number: int | None, axis: int | None, *, palette: bool = False) -> NDArray[Any]:
    """Read an image as [channels, h, w] in the depth of the file. Images of 1 bit become 0 and 255.

    Args:
        path: The file.
        number: Number of the page of a TIFF file, from 0; None for a file with one page.
        axis: None or 0, because a raster file has pages along one axis only.
        palette: Whether to return the numbers of an image with a palette, instead of its colours.

    Raises:
        DataError: The file is damaged, too large, transparent, or of another kind.
    """
    with _opened(path) as image:
        if image is None:
            return _read_tiff(path, number, axis)
        require_size(image.height, image.width)
        _go_to_page(image, number, axis)
        if image.format == "TIFF" and not _is_exact(image):
            return _read_tiff(path, number, axis)
        image.load()  # raises for truncated files
        if image.format == "PNG" and image.mode not in _GREY and _png_depth(path) == 16:
            return _read_deep_png(path)
        return _planes(image, palette)


@contextmanager
def _opened(path: Path) -> Iterator["Image | None"]:
    """Open a file with Pillow, which reads only the header; None for a TIFF file that Pillow does not know."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            try:
                image = Image.open(path, formats=_FORMATS)
            except UnidentifiedImageError:
                if path.suffix.lower() not in (".tif", ".tiff"):
                    raise
                yield None
                return
            with image:
                yield image
    except (DataError, MissingExtraError):
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"too many pixels: {error}", hint="cut or shrink the image") from error
    except UnidentifiedImageError as error:
        raise DataError("is no PNG, JPEG, TIFF or BMP file, or its header is damaged") from error
    except Exception as error:  # damaged files make decoders raise almost anything
        raise DataError(f"cannot be decoded: {error}") from error


def _go_to_page(image: "Image", number: int | None, axis: int | None) -> None:
    pages = getattr(image, "n_frames", 1)
    if number is None and pages > 1:
        raise DataError(f"the file has {pages} pages", hint="add a column slice to metadata.csv")
    if number is not None:
        checked_slice(number, axis or 0, (pages,))
        image.seek(number)
        require_size(image.height, image.width)


def _is_exact(image: "Image") -> bool:
    """Whether Pillow decodes this TIFF page without a loss of depth or channels."""
    tags = getattr(image, "tag_v2", {})
    if tags.get(_SAMPLES_PER_PIXEL, 1) != len(image.getbands()):
        return False
    return image.mode in _GREY or max(tags.get(_BITS_PER_SAMPLE, (1,))) <= 8


def _png_depth(path: Path) -> int:
    """Bits of a sample, as the header of a PNG file states."""
    with path.open("rb") as file:
        return file.read(_IHDR)[24]


def _read_deep_png(path: Path) -> NDArray[np.uint16]:
    """Read a PNG file with colours or transparency of 16 bits; OpenCV returns blue, green, red and alpha."""
    import cv2

    values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        raise DataError("cannot be decoded")
    planes = np.moveaxis(values, -1, 0)
    _require_opaque(planes[3:])
    return np.ascontiguousarray(planes[2::-1])


def _planes(image: "Image", palette: bool) -> NDArray[Any]:
    if image.mode == "P" and not palette:
        image = image.convert("RGB")
    values = np.asarray(image)
    if image.mode == "1":
        return values[None].astype(np.uint8) * np.uint8(255)
    if image.mode == "I" and image.format == "PNG":  # Pillow before 10.3 widens grey images of 16 bits
        values = values.astype(np.uint16)
    if image.mode in _GREY or image.mode == "P":
        return as_plain(values)[None]
    if image.mode not in ("LA", "RGB", "RGBA"):
        raise DataError(f"expected grey or RGB, got the colour mode {image.mode}", hint="convert the image")
    planes = np.moveaxis(values, -1, 0)
    n = 3 if image.mode.startswith("RGB") else 1
    _require_opaque(planes[n:])
    return np.ascontiguousarray(planes[:n])


def _require_opaque(alpha: NDArray[Any]) -> None:
    if alpha.size and (alpha != np.iinfo(alpha.dtype).max).any():
        raise DataError("the image is partly transparent", hint="store it without an alpha channel")


def _read_tiff(path: Path, number: int | None, axis: int | None) -> NDArray[Any]:
    """Read a page of a TIFF file of any number of channels and any depth."""
    with extras.named(path):
        import tifffile
    try:
        with tifffile.TiffFile(path) as file:
            if number is None and len(file.pages) > 1:
                raise DataError(f"the file has {len(file.pages)} pages", hint="add a column slice to metadata.csv")
            if number is not None:
                checked_slice(number, axis or 0, (len(file.pages),))
            page = file.pages[number or 0]
            require_size(*page.shape)
            values, axes = page.asarray(), page.axes
    except DataError:
        raise
    except Exception as error:  # as above
        raise DataError(f"cannot be decoded: {error}") from error
    if axes not in ("YX", "YXS", "SYX"):
        raise DataError(f"expected the axes YX, YXS or SYX, got {axes}", hint="convert the image")
    planes = values[None] if axes == "YX" else np.moveaxis(values, -1, 0) if axes == "YXS" else values
    return np.ascontiguousarray(as_plain(planes))
