"""Reading checkpoint files. An unreadable file gives None; the caller decides what to do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from btlib import errors, files
from btlib.adapters.state import is_damage
from btlib.data.sources.tasks import FIGSHARE
from btlib.data.task import Task

SCHEMA = "btlib-checkpoint/1"


def read_payload(path: Path) -> dict[str, Any] | None:
    """Return the content of a checkpoint; None if it cannot be read."""
    try:
        files.require_regular(path)
        payload = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types of exceptions for a damaged file
        if not is_damage(error):
            raise
        return None
    return payload if isinstance(payload, dict) else None


def read_manifest(path: Path) -> dict[str, Any] | None:
    """Return the manifest of a checkpoint; None if it is missing or cannot be read."""
    try:
        manifest = files.read_sealed(path, required=False)
    except FileNotFoundError:
        return None
    except (OSError, files.DamagedFileError) as error:
        warn(f"{path}: {error}; the checkpoint next to it is not used")
        return None
    return manifest if manifest.get("schema") == SCHEMA else None


def task_of(manifest: Mapping[str, Any]) -> Task | None:
    """Return the task of a model; None if the manifest's task is invalid. Without one (older manifests): Figshare."""
    try:
        return Task.model_validate(manifest["task"]) if "task" in manifest else FIGSHARE
    except ValidationError:
        return None


def is_complete(manifest: Mapping[str, Any]) -> bool:
    """Whether a manifest has all fields that are needed to build its model.

    Manifests of older versions have no digest, so they may have been edited.
    """
    ingredients = manifest.get("ingredients")
    if not isinstance(ingredients, dict) or not {"image_size", "seed", "recipe"} <= set(ingredients):
        return False
    recipe = ingredients["recipe"]
    if not isinstance(recipe, dict) or task_of(manifest) is None:
        return False
    known = {"name": str, "epochs": int, "backbone": str, "drifting_batch_norm": bool}
    texts = all(isinstance(manifest.get(name), str) for name in ("variant", "sha256"))
    return texts and all(isinstance(recipe.get(name), kind) for name, kind in known.items())


def warn(text: str) -> None:
    """Warn that a file is not used."""
    errors.warn(text, stacklevel=3)
