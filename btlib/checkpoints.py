"""The store of trained models: train a plan, or load what was trained from the very same ingredients."""

import json
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from filelock import FileLock
from torch import Tensor

from btlib import files, fingerprint
from btlib.errors import BtlibWarning, CheckpointError
from btlib.models import create
from btlib.models.network import TumourModel
from btlib.models.thesis_names import load_thesis_state_dict
from btlib.models.variants import VARIANTS
from btlib.training import Plan, fit
from btlib.training.fit import build

SCHEMA = "btlib-checkpoint/1"


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model and where it comes from.

    Attributes:
        model: In eval mode.
        source: "trained" now, "resumed" from an interrupted run, or "loaded" from the store.
        seconds: Time spent training now; 0 where it was loaded.
        path: Its checkpoint.
        manifest: What the store knows of it: ingredients, device, precision, training seconds.
    """

    model: TumourModel
    source: Literal["trained", "resumed", "loaded"]
    seconds: float
    path: Path
    manifest: Mapping[str, Any]

    @property
    def curves(self) -> Path:
        """CSV of losses and validation scores by epoch."""
        return self.path.with_suffix(".csv")


@dataclass(frozen=True)
class Store:
    """A folder of checkpoints, each `<variant>-<fingerprint>.ckpt` with a manifest (`.json`) and its curves (`.csv`).

    The manifest is written last: a checkpoint without one was never finished.

    Attributes:
        folder: Made on the first training.
        device: What to train on.
        say: Told a line of progress.
        live: Draw progress bars.
    """

    folder: Path
    device: torch.device
    say: Callable[[str], None] = print
    live: bool = False

    def path(self, plan: Plan) -> Path:
        """Where the plan's checkpoint lies once it is trained."""
        return self.folder / f"{plan.variant}-{plan.fingerprint}.ckpt"

    def train_or_load(
        self, plan: Plan, start: Callable[[], Mapping[str, Tensor]] | None = None, *, retrain: bool = False
    ) -> Trained:
        """The plan's model: loaded where the store has it, else trained. Several processes may ask at once.

        Args:
            plan: What to train.
            start: Gives the tensors that a training starts from (C takes A's); called only if there is one.
            retrain: Train even if the store has it.

        Raises:
            CheckpointError: The file in its place is another variant's.
            ModelError: The training failed.
        """
        workplace = self.folder / "work" / self.path(plan).stem
        workplace.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{workplace}.lock"):
            stored = None if retrain else self._load(plan)
            if stored is not None:
                return stored
            say = partial(self._say_of, plan)
            self._explain(plan, retrain, say)
            fitted = fit(plan, workplace, self.device, None if start is None else start(), say, self.live)
            more = {"seconds": fitted.seconds, "trained_on": fitted.device, "epoch": fitted.epoch}
            manifest = self._keep(plan, workplace, fitted.model, more)
            shutil.rmtree(workplace)
            source: Literal["resumed", "trained"] = "resumed" if fitted.resumed else "trained"
            return Trained(fitted.model, source, fitted.seconds, self.path(plan), manifest)

    def _keep(self, plan: Plan, workplace: Path, model: TumourModel, more: Mapping[str, Any]) -> dict[str, Any]:
        path = self.path(plan)
        with files.atomic_path(path) as part:
            torch.save(
                {"variant": plan.variant, "fingerprint": plan.fingerprint, "state_dict": model.state_dict()}, part
            )
            sha256 = fingerprint.of_file(part)
        files.write_text(path.with_suffix(".csv"), (workplace / "curves.csv").read_text(encoding="utf-8"))
        manifest = {
            "schema": SCHEMA,
            "variant": plan.variant,
            "fingerprint": plan.fingerprint,
            "ingredients": plan.ingredients(),
            "sha256": sha256,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            **more,
        }
        files.write_json(path.with_suffix(".json"), manifest)
        return manifest

    def _load(self, plan: Plan) -> Trained | None:
        path = self.path(plan)
        manifest = _manifest(path.with_suffix(".json"))
        if manifest is None or not path.exists():
            return None
        payload = _payload(path)
        if payload is not None and payload.get("fingerprint") != plan.fingerprint:
            raise CheckpointError(
                f"holds variant {payload.get('variant')} ({payload.get('fingerprint')}), "
                f"expected variant {plan.variant} ({plan.fingerprint})",
                where=path,
                mend="the file was renamed or copied over: remove it, and the variant is trained anew",
            )
        if payload is None or fingerprint.of_file(path) != manifest["sha256"]:
            aside = path.with_suffix(".damaged")
            path.replace(aside)
            _warn(f"{path}: damaged, it is not the file its manifest describes; kept as {aside.name}, trained anew")
            return None
        model = build(plan, start={})
        model.load_state_dict(payload["state_dict"])
        return Trained(model.eval(), "loaded", 0.0, path, manifest)

    def _say_of(self, plan: Plan, line: str) -> None:
        self.say(f"{plan.variant}, seed {plan.seed}: {line}")

    def _explain(self, plan: Plan, retrain: bool, say: Callable[[str], None]) -> None:
        """Say why it trains: what differs from the nearest stored model."""
        if retrain:
            say("trained anew, as asked")
            return
        wanted = _flat(plan.ingredients())
        manifests = [_manifest(p) for p in self.folder.glob(f"{plan.variant}-*.json")]
        differences = [
            [k for k, v in wanted.items() if theirs.get(k) != v]
            for m in manifests
            if m
            for theirs in [_flat(m["ingredients"])]
        ]
        nearest = min(differences, key=len, default=None)
        if nearest:
            say(f"no stored model fits; the nearest differs in {', '.join(nearest)}")


def load_stored(path: Path, variant: str) -> Trained:
    """A model of a store by its file alone, whatever data and code it was trained with.

    Args:
        path: `<variant>-<fingerprint>.ckpt`, its manifest beside it.
        variant: Which variant is expected.

    Raises:
        CheckpointError: The file or its manifest is not there or damaged, or is of another variant.
    """
    manifest, payload = _manifest(path.with_suffix(".json")), _payload(path)
    if manifest is None or payload is None or fingerprint.of_file(path) != manifest["sha256"]:
        raise CheckpointError(
            "is not there, is damaged, or has no manifest (.json) beside it", where=path, mend="train the variant anew"
        )
    if manifest["variant"] != variant:
        raise CheckpointError(
            f"holds variant {manifest['variant']}, expected {variant}", where=path, mend="choose another file"
        )
    recipe = manifest["ingredients"]["recipe"]
    model = create(variant, backbone=recipe["backbone"], drifting_batch_norm=recipe["drifting_batch_norm"])
    try:
        model.load_state_dict(payload["state_dict"])
    except RuntimeError as error:
        raise CheckpointError(f"does not fit today's variant: {error}", where=path, mend="train it anew") from error
    return Trained(model.eval(), "loaded", 0.0, path, manifest)


def find_stored(folder: Path, variant: str) -> Path:
    """The one trained model of a variant in a store.

    Raises:
        CheckpointError: There is none, or there are several; these are listed.
    """
    found = {path.with_suffix(".ckpt"): _manifest(path) for path in sorted(folder.glob(f"{variant}-*.json"))}
    rows = {path: manifest["ingredients"] for path, manifest in found.items() if manifest and path.exists()}
    if not rows:
        raise CheckpointError(
            f"holds no trained model of variant {variant}",
            where=folder,
            mend=f"train one, for example by: pytest benchmarks -m smoke -k smoke-{variant}",
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
            mend="say which with --checkpoint",
        )
    return next(iter(rows))


def load_thesis_checkpoint(variant: str, folder: Path) -> tuple[TumourModel, Path]:
    """One of the thesis's own checkpoint files.

    Args:
        variant: "A" … "G".
        folder: Holds the thesis's `.ckpt` files under their own names.

    Raises:
        CheckpointError: No file, several, one that cannot be read, or one of another variant.
    """
    row = VARIANTS[variant]
    pattern = row.thesis_file or f"Model_{variant}_*.ckpt"
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise CheckpointError(
            f"expected one file {pattern}, found {len(found)}",
            where=folder,
            mend=f"put the thesis's checkpoint of variant {variant} there, or leave out --bt-thesis-checkpoints",
        )
    state = _payload(found[0])
    if state is None:
        raise CheckpointError(
            "cannot be read as a file of plain tensors",
            where=found[0],
            mend="it is damaged, or holds Python objects, which are never run: save its state_dict alone",
        )
    try:
        return load_thesis_state_dict(variant, state), found[0]
    except CheckpointError as error:
        raise CheckpointError(error.problem, where=found[0], mend=error.mend) from error


def _payload(path: Path) -> dict[str, Any] | None:
    """What a checkpoint holds; None if it cannot be read."""
    try:
        payload = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # a damaged file makes torch raise almost anything
        return None
    return payload if isinstance(payload, dict) else None


def _manifest(path: Path) -> dict[str, Any] | None:
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        _warn(f"{path}: not a JSON file; the checkpoint beside it is not used")
        return None
    return manifest if manifest.get("schema") == SCHEMA else None


def _flat(ingredients: Mapping[str, Any]) -> dict[str, Any]:
    recipe = {f"recipe.{k}": v for k, v in ingredients.get("recipe", {}).items()}
    return {k: v for k, v in ingredients.items() if k != "recipe"} | recipe


def _warn(text: str) -> None:
    warnings.warn(text, BtlibWarning, stacklevel=3)
