"""A trained model, and one read by its file alone."""

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


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model and where it comes from.

    Attributes:
        model: In eval mode.
        source: "trained" now, "resumed" from an interrupted run, or "loaded" from the store.
        seconds: Time spent training now; 0 where it was loaded.
        path: Its checkpoint.
        manifest: What the store knows of it: ingredients, task, device, precision, training seconds.
    """

    model: TumourModel
    source: Literal["trained", "resumed", "loaded"]
    seconds: float
    path: Path
    manifest: Mapping[str, Any]

    @property
    def task(self) -> Task:
        """What it was trained for; stored models of before were of the Figshare task alone."""
        task = task_of(self.manifest)
        assert task is not None  # a manifest is complete when a model is made of it
        return task

    @property
    def curves(self) -> Path | None:
        """CSV of losses and validation scores by epoch; None where it is damaged or gone."""
        path, expected = self.path.with_suffix(".csv"), self.manifest.get("curves_sha256")
        if path.is_file() and expected in (None, fingerprint.of_file(path)):
            return path
        warn(f"{path}: damaged or gone, so the run has no learning curves of this model")
        return None


def load_stored(path: Path, variant: str) -> Trained:
    """A model of a store by its file alone, whatever data and code it was trained with.

    Args:
        path: `<variant>-<fingerprint>.ckpt`, its manifest beside it.
        variant: Which variant is expected.

    Raises:
        CheckpointError: The file or its manifest is not there or damaged, or is of another variant.
    """
    manifest, payload = read_manifest(path.with_suffix(".json")), read_payload(path)
    task = task_of(manifest) if manifest is not None and is_complete(manifest) else None
    if manifest is None or payload is None or task is None or fingerprint.of_file(path) != manifest["sha256"]:
        raise CheckpointError(
            "is not there, is damaged, or has no manifest (.json) beside it", where=path, hint="train the variant anew"
        )
    if manifest["variant"] != variant:
        raise CheckpointError(
            f"holds variant {manifest['variant']}, expected {variant}", where=path, hint="choose another file"
        )
    recipe = manifest["ingredients"]["recipe"]
    model = create(variant, backbone=recipe["backbone"], drifting_batch_norm=recipe["drifting_batch_norm"], task=task)
    try:
        model.load_state_dict(payload["state_dict"])
    except (RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"does not fit today's variant: {error}", where=path, hint="train it anew") from error
    return Trained(model.eval(), "loaded", 0.0, path, manifest)


def find_stored(folder: Path, variant: str) -> Path:
    """The one trained model of a variant in a store.

    Raises:
        CheckpointError: There is none, or there are several; these are listed.
    """
    found = {path.with_suffix(".ckpt"): read_manifest(path) for path in sorted(folder.glob(f"{variant}-*.json"))}
    rows = {
        path: manifest["ingredients"]
        for path, manifest in found.items()
        if manifest and is_complete(manifest) and path.exists()
    }
    if not rows:
        raise CheckpointError(
            f"holds no trained model of variant {variant}",
            where=folder,
            hint=f"train one, for example by: pytest benchmarks -m smoke -k smoke-{variant}",
        )
    if len(rows) > 1:
        listing = "".join(
            f"\n  {path} (recipe {row['recipe']['name']}, {row['recipe']['epochs']} epochs, {row['image_size']} px, "
            f"seed {row['seed']})"
            for path, row in rows.items()
        )
        raise CheckpointError(
            f"holds {len(rows)} trained models of variant {variant}:{listing}",
            where=folder,
            hint="say which with --checkpoint",
        )
    return next(iter(rows))
