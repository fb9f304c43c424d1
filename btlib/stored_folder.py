"""A folder of files that belong together, with a manifest of their hashes: either as it was written, or damaged."""

import shutil
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from btlib import files, fingerprint
from btlib.files import DamagedFileError

MANIFEST = "manifest.json"


class NothingWrittenError(ValueError):
    """What was to write files into a folder wrote none."""


def write_folder(folder: Path, schema: str, save: Callable[[Path], object], facts: Mapping[str, Any]) -> None:
    """Write a folder whole or not at all; one that is there is replaced.

    Args:
        folder: The folder.
        schema: Of the manifest.
        save: Writes the files into the folder that it is given.
        facts: What else the manifest says, as plain JSON values.

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
    """What a folder's manifest says; its files are not looked at.

    Raises:
        OSError: There is none, or it cannot be read.
        DamagedFileError: It is damaged, or of another schema.
    """
    manifest = files.read_sealed(folder / MANIFEST, required=False)
    if manifest.get("schema") != schema:
        raise DamagedFileError(f"expected {schema}, found {manifest.get('schema')}")
    return manifest


def verify_folder(folder: Path, schema: str) -> dict[str, Any]:
    """What the manifest of a folder says, all of whose files are as they were written.

    Raises:
        OSError: It cannot be read.
        DamagedFileError: A file is missing, too many, or changed, the manifest is damaged, or it was written as another
            folder: its name tells what a folder holds.
    """
    manifest = read_manifest(folder, schema)
    if manifest.get("folder", folder.name) != folder.name:  # older manifests do not say
        raise DamagedFileError(f"it is the content of {manifest['folder']}")
    if manifest.get("files") != _hashes(folder):
        raise DamagedFileError("its files are not those of its manifest")
    return manifest


def set_aside(folder: Path) -> Path:
    """Rename a damaged folder, so that another can take its place.

    Returns:
        Where it lies now.
    """
    aside = folder.with_name(f"{folder.name}.damaged")
    shutil.rmtree(aside, ignore_errors=True)
    return folder.replace(aside)


def _hashes(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    return {path.relative_to(folder).as_posix(): fingerprint.of_file(path) for path in found}
