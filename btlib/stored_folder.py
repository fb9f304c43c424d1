"""Folder of files that belong together, with a manifest of their hashes. Any change is detected as damage."""

import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from btlib import files, fingerprint
from btlib.files import DamagedFileError

MANIFEST = "manifest.json"


class NothingWrittenError(ValueError):
    """The `save` function wrote no file into the folder."""


def write_folder(folder: Path, schema: str, save: Callable[[Path], object], facts: Mapping[str, Any]) -> None:
    """Write a folder completely or not at all; an existing folder is replaced.

    Args:
        folder: Path of the folder.
        schema: Schema of the manifest.
        save: Function that writes the files into the folder that it gets.
        facts: Other fields of the manifest, plain JSON values.

    Raises:
        NothingWrittenError: `save` wrote no file.
    """
    with files.atomic_folder(folder) as part:
        save(part)
        hashes = _hashes(part)
        if not hashes:
            raise NothingWrittenError("save wrote no file")
        created = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = {"schema": schema, "folder": folder.name, "files": hashes, "created": created, **facts}
        files.write_json(part / MANIFEST, files.sealed(manifest))
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        shutil.rmtree(folder, ignore_errors=True)


def read_manifest(folder: Path, schema: str) -> dict[str, Any]:
    """Read a folder's manifest, without checking the files.

    Raises:
        OSError: There is no manifest, or it cannot be read.
        DamagedFileError: The manifest is damaged, or has another schema.
    """
    manifest = files.read_sealed(folder / MANIFEST, required=False)
    if manifest.get("schema") != schema:
        raise DamagedFileError(f"expected {schema}, found {manifest.get('schema')}")
    return manifest


def verify_folder(folder: Path, schema: str) -> dict[str, Any]:
    """Check that all files of a folder are as they were written, and return the manifest.

    Raises:
        OSError: The folder cannot be read.
        DamagedFileError: A file is missing, extra or changed, the manifest is damaged, or the folder was written with
            another name (the name identifies the content).
    """
    manifest = read_manifest(folder, schema)
    if manifest.get("folder", folder.name) != folder.name:  # older manifests have no such field
        raise DamagedFileError(f"it contains the files of {manifest['folder']}")
    if manifest.get("files") != _hashes(folder):
        raise DamagedFileError("its files do not match its manifest")
    return manifest


def set_aside(folder: Path) -> Path:
    """Rename a damaged folder to `NAME.damaged`, so that a new folder can be written.

    Returns:
        The new path of the damaged folder.
    """
    aside = folder.with_name(f"{folder.name}.damaged")
    shutil.rmtree(aside, ignore_errors=True)
    return folder.replace(aside)


def digest(folder: Path) -> str:
    """Return the fingerprint of the names and content of all files of a folder, without its manifest."""
    return fingerprint.of(_hashes(folder))


def _hashes(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    return {path.relative_to(folder).as_posix(): fingerprint.of_file(path) for path in found}
