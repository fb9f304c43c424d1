"""Getting the dataset: Figshare article 1512427 (doi 10.6084/m9.figshare.1512427, Jun Cheng, licence CC BY 4.0).

What there is to get, with sizes and checksums, is asked of Figshare's API; a file counts only if both agree.
"""

import logging
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from typing import Any

from btlib.data.folder import CVIND, slice_number
from btlib.errors import DataError
from btlib.files import atomic_path

BASE_URL = "https://api.figshare.com/v2"
ARTICLE = 1512427
FILE_HOSTS = ("https://ndownloader.figshare.com/files", "https://figshare.com/ndownloader/files")
"""Tried in turn after the address that the API names; a file's id goes behind."""

_SECONDS = 60.0  # without an answer, before the next host is tried
_CHUNK = 1 << 20


@dataclass(frozen=True)
class _RemoteFile:
    """One file of the article; `md5` is empty where Figshare has none."""

    id: int
    name: str
    url: str
    size: int
    md5: str


def download(
    out: Path | str, *, base_url: str = BASE_URL, file_hosts: Sequence[str] = FILE_HOSTS, progress: bool = False
) -> Path:
    """Download and unpack the slices into `out/data`, and `cvind.mat` into `out`.

    Zip files lie in `out/downloads`; finished ones are not fetched again, so an interrupted download goes on.

    Args:
        out: Folder for the dataset.
        base_url: Figshare's API, or another server that answers like it.
        file_hosts: Tried in turn for each file after the address that the API names.
        progress: Draw progress bars on stderr.

    Returns:
        The folder of the slices, `out/data`.

    Raises:
        DataError: No host gives a file of the right size and checksum, or a zip file cannot be unpacked.
    """
    out = Path(out)
    files = [file for file in _listing(base_url, out) if file.name.endswith(".zip") or file.name == CVIND]
    if not any(file.name.endswith(".zip") for file in files):
        raise DataError("the article lists no zip files", where=base_url, mend=_by_hand(out))
    for file in files:
        home = out if file.name == CVIND else out / "downloads"
        _fetch(file, home, file_hosts, progress, _by_hand(out))
    for file in files:
        if file.name != CVIND:
            _unpack(out / "downloads" / file.name, out / "data")
    return out / "data"


def _by_hand(out: Path) -> str:
    return (
        f"try again later, or download by hand from the article's page, https://doi.org/10.6084/m9.figshare.{ARTICLE}, "
        f"and unpack the zip files into {out / 'data'}"
    )


def _listing(base_url: str, out: Path) -> list[_RemoteFile]:
    import requests

    url = f"{base_url.rstrip('/')}/articles/{ARTICLE}"
    try:
        answer = requests.get(url, timeout=_SECONDS)
        answer.raise_for_status()
        return [_remote_file(item) for item in answer.json()["files"]]
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"expected the article's list of files, got {type(error).__name__}: {error}", where=url, mend=_by_hand(out)
        ) from error


def _remote_file(item: dict[str, Any]) -> _RemoteFile:
    name = str(item["name"])
    if PurePosixPath(name).name != name or name.startswith("."):
        raise ValueError(f"a file name that is a path: {name!r}")
    md5 = str(item.get("computed_md5") or item.get("supplied_md5") or "")
    return _RemoteFile(int(item["id"]), name, str(item["download_url"]), int(item["size"]), md5)


def _fetch(file: _RemoteFile, home: Path, hosts: Sequence[str], progress: bool, mend: str) -> None:
    """Get one file from the first host that gives the right one."""
    failures = []
    for url in dict.fromkeys((file.url, *(f"{host}/{file.id}" for host in hosts))):
        problem = _try_host(file, url, home, progress)
        if problem is None:
            return
        failures.append(f"  {url}: {problem}")
    wanted = f"{file.size} bytes" + (f", md5 {file.md5}" if file.md5 else "")
    raise DataError("\n".join([f"no host gives it as listed ({wanted})", *failures]), where=home / file.name, mend=mend)


def _try_host(file: _RemoteFile, url: str, home: Path, progress: bool) -> str | None:
    """None if the file is there now as listed, else what went wrong."""
    import pooch
    import requests

    target = home / file.name
    if not file.md5 and target.exists() and target.stat().st_size != file.size:
        target.unlink()  # without a checksum pooch would keep whatever is there
    known = f"md5:{file.md5}" if file.md5 else None
    try:
        with _bar(file, progress) as bar, _quiet(pooch.get_logger()):
            get = pooch.HTTPDownloader(progressbar=bar, chunk_size=_CHUNK, timeout=_SECONDS)
            pooch.retrieve(url, known, fname=file.name, path=home, downloader=get)
    except (requests.RequestException, OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    size = target.stat().st_size
    if size == file.size:
        return None
    target.unlink()
    return f"got {size} bytes"


def _unpack(archive: Path, folder: Path) -> None:
    """Write the slices of a zip file to `folder`; those that are there already in the right size are kept."""
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [item for item in packed.infolist() if item.filename.lower().endswith(".mat")]
            for item in members:
                target = folder / PurePosixPath(item.filename).name
                slice_number(target)
                if target.exists() and target.stat().st_size == item.file_size:
                    continue
                with atomic_path(target) as part, packed.open(item) as source, part.open("wb") as sink:
                    copyfileobj(source, sink, _CHUNK)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(f"cannot be unpacked: {error}", where=archive, mend="remove it and download again") from error
    if not members:
        raise DataError("holds no .mat files", where=archive, mend="remove it and download again")


class _Bar:
    """What pooch calls to draw progress, drawn by rich; so that tqdm is not needed."""

    total: float = 0

    def __init__(self, progress: Any, title: str) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=None)

    def update(self, step: float) -> None:
        self._progress.update(self._task, advance=step, total=self.total or None)

    def reset(self) -> None:
        self._progress.reset(self._task)

    def close(self) -> None:
        self._progress.stop()


@contextmanager
def _bar(file: _RemoteFile, progress: bool) -> Iterator[Any]:
    if not progress:
        yield False
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as drawn:
        yield _Bar(drawn, file.name)


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Pooch logs each download; our own progress and errors say more."""
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
