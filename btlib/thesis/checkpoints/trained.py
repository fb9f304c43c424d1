"""A trained model, and loading one from the store by its file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from btlib import fingerprint
from btlib.data.task import Task
from btlib.errors import CheckpointError
from btlib.thesis.checkpoints.files import is_complete, read_manifest, read_payload, task_of, warn
from btlib.thesis.models import create
from btlib.thesis.models.network import TumourModel
from btlib.thesis.recipe import batch_norm


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model and its origin.

    Attributes:
        model: The model in eval mode.
        source: "trained" now, "resumed" from an interrupted run, or "loaded" from the store.
        seconds: Training time in seconds; 0 if the model was loaded.
        path: Path of the checkpoint.
        manifest: Manifest of the checkpoint: ingredients, task, device, epoch, training seconds.
    """

    model: TumourModel
    source: Literal["trained", "resumed", "loaded"]
    seconds: float
    path: Path
    manifest: Mapping[str, Any]

    @property
    def task(self) -> Task:
        """Task of the model; stored models of older versions have the Figshare task."""
        task = task_of(self.manifest)
        assert task is not None  # a model is only built from a complete manifest
        return task

    @property
    def curves(self) -> Path | None:
        """CSV of losses and validation scores by epoch; None if it is damaged or missing."""
        path, expected = self.path.with_suffix(".csv"), self.manifest.get("curves_sha256")
        if path.is_file() and expected in (None, fingerprint.of_file(path)):
            return path
        warn(f"{path}: damaged or missing, so the run has no learning curves of this model")
        return None


def load_stored(path: Path, variant: str) -> Trained:
    """Load a model of a store by its file, independent of the data and code of its training.

    Args:
        path: `<variant>-<fingerprint>.ckpt`, with its manifest (`.json`) next to it.
        variant: Expected variant.

    Raises:
        CheckpointError: The file or its manifest is missing or damaged, or belongs to another variant.
    """
    manifest, payload = read_manifest(path.with_suffix(".json")), read_payload(path)
    task = task_of(manifest) if manifest is not None and is_complete(manifest) else None
    if manifest is None or payload is None or task is None or fingerprint.of_file(path) != manifest["sha256"]:
        raise CheckpointError(
            "is missing, is damaged, or has no manifest (.json) next to it",
            where=path,
            hint="train the variant again",
        )
    if manifest["variant"] != variant:
        raise CheckpointError(
            f"contains variant {manifest['variant']}, expected {variant}", where=path, hint="choose another file"
        )
    recipe = manifest["ingredients"]["recipe"]
    model = create(variant, backbone=recipe["backbone"], drifting_batch_norm=recipe["drifting_batch_norm"], task=task)
    try:
        model.load_state_dict(payload["state_dict"])
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"does not fit the current code of the variant: {error}", where=path, hint="train it again"
        ) from error
    return Trained(model.eval(), "loaded", 0.0, path, manifest)


def recipe_text(variant: str, recipe: Mapping[str, Any]) -> str:
    """Return the name of a stored recipe, for C with its batch norm: "thesis", or "thesis, drifting batch norm"."""
    known = batch_norm(variant, recipe)
    return str(recipe["name"]) + (f", {known} batch norm" if known else "")


def find_stored(folder: Path, variant: str) -> Path:
    """Return the path of the only trained model of a variant in a store.

    Raises:
        CheckpointError: There is no such model, or there are several; the message lists them.
    """
    found = {path.with_suffix(".ckpt"): read_manifest(path) for path in sorted(folder.glob(f"{variant}-*.json"))}
    rows = {
        path: manifest["ingredients"]
        for path, manifest in found.items()
        if manifest and is_complete(manifest) and path.exists()
    }
    if not rows:
        raise CheckpointError(
            f"contains no trained model of variant {variant}",
            where=folder,
            hint=f"train one, for example with: pytest benchmarks -m smoke -k smoke-{variant}",
        )
    if len(rows) > 1:
        listing = "".join(
            f"\n  {path} (recipe {recipe_text(variant, row['recipe'])}, {row['recipe']['epochs']} epochs, "
            f"{row['image_size']} px, seed {row['seed']})"
            for path, row in rows.items()
        )
        raise CheckpointError(
            f"contains {len(rows)} trained models of variant {variant}:{listing}",
            where=folder,
            hint="choose one with --checkpoint",
        )
    return next(iter(rows))
