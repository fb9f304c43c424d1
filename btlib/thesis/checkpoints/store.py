"""The store of trained models: train a plan, or load a model that was trained from the same ingredients."""

import shutil
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
from btlib.errors import CheckpointError
from btlib.thesis.checkpoints.files import SCHEMA, read_manifest, read_payload, warn
from btlib.thesis.checkpoints.trained import Trained
from btlib.thesis.models.network import TumourModel
from btlib.thesis.training import Plan
from btlib.thesis.training.initial import build


@dataclass(frozen=True)
class Store:
    """Folder of checkpoints, each `<variant>-<fingerprint>.ckpt` with a manifest (`.json`) and its curves (`.csv`).

    The manifest is written last: a checkpoint without a manifest is incomplete.

    Attributes:
        folder: Folder of the checkpoints; created by the first training.
        device: Device for training.
        report: Progress reporter, called with one line of text.
        progress_bars: Whether to draw progress bars.
    """

    folder: Path
    device: torch.device
    report: Callable[[str], None] = print
    progress_bars: bool = False

    def path(self, plan: Plan) -> Path:
        """Path of the plan's checkpoint."""
        return self.folder / f"{plan.variant}-{plan.fingerprint}.ckpt"

    def train_or_load(
        self, plan: Plan, start: Callable[[], Mapping[str, Tensor]] | None = None, *, retrain: bool = False
    ) -> Trained:
        """Load the plan's model from the store, or train it. Safe for several processes at the same time.

        Args:
            plan: The training.
            start: Returns the initial tensors (for C: those of A); called only if the model is trained.
            retrain: Train even if the store has the model.

        Raises:
            CheckpointError: The file belongs to another plan.
            ModelError: The training failed.
        """
        workplace = self.folder / "work" / self.path(plan).stem
        workplace.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{workplace}.lock"):
            stored = None if retrain else self._load(plan)
            if stored is not None:
                return stored
            report = partial(self._report_of, plan)
            self._explain(plan, retrain, report)
            if retrain and workplace.exists():
                shutil.rmtree(workplace)  # an error here is raised: an old state must not be resumed
            from btlib.thesis.training import fit  # Lightning takes seconds to import

            fitted = fit(plan, workplace, self.device, None if start is None else start(), report, self.progress_bars)
            more = {"seconds": fitted.seconds, "trained_on": fitted.device, "epoch": fitted.epoch}
            manifest = self._keep(plan, workplace, fitted.model, more)
            shutil.rmtree(workplace, ignore_errors=True)  # the model is already stored
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
            "task": plan.train.task.model_dump(mode="json"),
            "sha256": sha256,
            "curves_sha256": fingerprint.of_file(path.with_suffix(".csv")),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            **more,
        }
        files.write_json(path.with_suffix(".json"), files.sealed(manifest))
        return manifest

    def _load(self, plan: Plan) -> Trained | None:
        path = self.path(plan)
        manifest = read_manifest(path.with_suffix(".json"))
        if manifest is None or not path.exists():
            return None
        payload = read_payload(path)
        if payload is not None and payload.get("fingerprint") != plan.fingerprint:
            raise CheckpointError(
                f"contains variant {payload.get('variant')} ({payload.get('fingerprint')}), "
                f"expected variant {plan.variant} ({plan.fingerprint})",
                where=path,
                hint="the file was renamed or overwritten: remove it, and the variant is trained again",
            )
        if payload is None or fingerprint.of_file(path) != manifest.get("sha256"):
            aside = path.with_suffix(".damaged")
            path.replace(aside)
            warn(f"{path}: damaged, it does not match its manifest; renamed to {aside.name}, trained again")
            return None
        model = build(plan, start={})
        model.load_state_dict(payload["state_dict"])
        return Trained(model.eval(), "loaded", 0.0, path, manifest)

    def _report_of(self, plan: Plan, line: str) -> None:
        self.report(f"{plan.variant}, seed {plan.seed}: {line}")

    def _explain(self, plan: Plan, retrain: bool, report: Callable[[str], None]) -> None:
        """Report why the model is trained: what differs from the nearest stored model."""
        if retrain:
            report("trained again, as requested")
            return
        manifests = map(read_manifest, self.folder.glob(f"{plan.variant}-*.json"))
        if why := fingerprint.no_model_fits(plan.ingredients(), manifests):
            report(why)
