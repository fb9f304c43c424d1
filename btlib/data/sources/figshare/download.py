"""Download of the data set: Figshare article 1512427 (doi 10.6084/m9.figshare.1512427, Jun Cheng, licence CC BY 4.0).

Figshare's API lists the files with sizes and checksums. A downloaded file is accepted only if both agree.
"""

import json
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from typing import Any

from btlib.data.sources.figshare.fetch import SECONDS, FetchError, Wanted, fetch, pieces, require_space
from btlib.data.sources.figshare.folder import CVIND, slice_number
from btlib.data.sources.figshare.slice_file import LARGEST
from btlib.errors import DataError
from btlib.files import atomic_path

BASE_URL = "https://api.figshare.com/v2"
ARTICLE = 1512427
FILE_HOSTS = ("https://ndownloader.figshare.com/files", "https://figshare.com/ndownloader/files")
"""Base addresses that are tried in turn after the address that the API names; the file's id is appended."""

_CHUNK = 1 << 20
_LISTING = 10**7  # bytes of the list of files
_LARGEST = 10**10  # bytes of a file; all files of the article together have a tenth of this size


@dataclass(frozen=True)
class _RemoteFile:
    """One file of the article; `md5` is empty if Figshare lists none."""

    id: int
    name: str
    url: str
    size: int
    md5: str


def download(
    out: Path | str, *, base_url: str = BASE_URL, file_hosts: Sequence[str] = FILE_HOSTS, progress: bool = False
) -> Path:
    """Download and unpack the slices into `out/data`, and `cvind.mat` into `out`.

    Zip files are stored in `out/downloads`. An interrupted download resumes, also within a file. Existing slices are
    compared with their zip file, and damaged ones are unpacked again.

    Args:
        out: Folder for the data set.
        base_url: Address of Figshare's API, or of another server with the same API.
        file_hosts: Base addresses that are tried in turn for each file after the address that the API names.
        progress: Draw progress bars on stderr.

    Returns:
        The folder of the slices, `out/data`.

    Raises:
        DataError: No host sends a file of the right size and checksum, a zip file cannot be unpacked, or there is not
            enough disk space.
    """
    out = Path(out)
    files = [file for file in _listing(base_url, out) if file.name.endswith(".zip") or file.name == CVIND]
    if not any(file.name.endswith(".zip") for file in files):
        raise DataError("the article lists no zip files", where=base_url, hint=_by_hand(out))
    for file in files:
        home = out if file.name == CVIND else out / "downloads"
        _fetch(file, home, file_hosts, progress, _by_hand(out))
    for file in files:
        if file.name != CVIND:
            _unpack(out / "downloads" / file.name, out / "data")
    return out / "data"


def _by_hand(out: Path) -> str:
    return (
        f"try again later, or download the files manually from https://doi.org/10.6084/m9.figshare.{ARTICLE} "
        f"and unpack the zip files into {out / 'data'}"
    )


def _listing(base_url: str, out: Path) -> list[_RemoteFile]:
    import requests

    url = f"{base_url.rstrip('/')}/articles/{ARTICLE}"
    try:
        with requests.get(url, timeout=SECONDS, stream=True, headers={"Accept-Encoding": "identity"}) as answer:
            answer.raise_for_status()
            content = b""
            for piece in pieces(answer, time.monotonic() + 2 * SECONDS):
                content += piece
                if len(content) > _LISTING:
                    raise ValueError(f"more than {_LISTING} bytes")
        return [_remote_file(item) for item in json.loads(content)["files"]]
    except (requests.RequestException, FetchError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(
            f"expected the article's list of files, got {type(error).__name__}: {error}", where=url, hint=_by_hand(out)
        ) from error


def _remote_file(item: dict[str, Any]) -> _RemoteFile:
    name = str(item["name"])
    if PurePosixPath(name).name != name or name.startswith("."):
        raise ValueError(f"expected a file name, got a path: {name!r}")
    md5 = str(item.get("computed_md5") or item.get("supplied_md5") or "")
    size = int(item["size"])
    if not 0 < size <= _LARGEST:
        raise ValueError(f"{name}: expected 1 to {_LARGEST} bytes, got {size}")
    return _RemoteFile(int(item["id"]), name, str(item["download_url"]), size, md5)


def _fetch(file: _RemoteFile, home: Path, hosts: Sequence[str], progress: bool, hint: str) -> None:
    """Download one file from the first host that sends the right file."""
    import requests

    wanted = Wanted(file.name, file.size, file.md5)
    failures = []
    for url in dict.fromkeys((file.url, *(f"{host}/{file.id}" for host in hosts))):
        try:
            with _bar(file, progress) as report:
                fetch(url, wanted, home / file.name, report)
            return
        except (requests.RequestException, FetchError) as error:
            message = str(error) if isinstance(error, FetchError) else f"{type(error).__name__}: {error}"
            failures.append(f"  {url}: {message}")
        except OSError as error:
            hint = "free some space, or choose a writable folder"
            raise DataError(f"cannot be written ({error})", where=home / file.name, hint=hint) from error
    listed = f"{file.size} bytes" + (f", md5 {file.md5}" if file.md5 else "")
    raise DataError(
        "\n".join([f"no host sends the listed file ({listed})", *failures]), where=home / file.name, hint=hint
    )


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack the slices of a zip file into `folder`; slices that already exist with the same checksum are skipped."""
    try:
        with zipfile.ZipFile(archive) as packed:
            for item in packed.infolist():
                packed.open(item).close()  # checks that the name in the member's header is the listed one
            members = [item for item in packed.infolist() if item.filename.lower().endswith(".mat")]
            numbers: set[int] = set()
            for item in members:
                target = folder / PurePosixPath(item.filename).name
                number = slice_number(target)
                if number in numbers:
                    raise zipfile.BadZipFile(f"{item.filename}: slice {number} occurs twice")
                numbers.add(number)
                if item.file_size > LARGEST:
                    raise zipfile.BadZipFile(f"{item.filename}: expected at most {LARGEST} bytes, got {item.file_size}")
                if not _is_unpacked(item, target):
                    folder.mkdir(parents=True, exist_ok=True)
                    require_space(folder, item.file_size)
                    with atomic_path(target) as part, packed.open(item) as source, part.open("wb") as sink:
                        copyfileobj(source, sink, _CHUNK)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise DataError(f"cannot be unpacked: {error}", where=archive, hint="remove it and download again") from error
    except OSError as error:
        hint = "free some space, or choose a writable folder"
        raise DataError(f"cannot be unpacked: {error}", where=folder, hint=hint) from error
    if not members:
        raise DataError("contains no .mat files", where=archive, hint="remove it and download again")


def _is_unpacked(item: zipfile.ZipInfo, target: Path) -> bool:
    if not target.is_file() or target.stat().st_size != item.file_size:
        return False
    total = 0
    with target.open("rb") as file:
        while chunk := file.read(_CHUNK):
            total = zlib.crc32(chunk, total)
    return total == item.CRC


@contextmanager
def _bar(file: _RemoteFile, progress: bool) -> Iterator[Callable[[int], object]]:
    if not progress:
        yield lambda total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as drawn:
        task = drawn.add_task(file.name, total=file.size)
        yield lambda total: drawn.update(task, completed=total)
