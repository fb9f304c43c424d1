"""The store of trained models: train a plan, or load what was trained from the very same ingredients."""

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
    """A folder of checkpoints, each `<variant>-<fingerprint>.ckpt` with a manifest (`.json`) and its curves (`.csv`).

    The manifest is written last: a checkpoint without one was never finished.

    Attributes:
        folder: Made on the first training.
        device: What to train on.
        report: Told a line of progress.
        progress_bars: Draw progress bars.
    """

    folder: Path
    device: torch.device
    report: Callable[[str], None] = print
    progress_bars: bool = False

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
            report = partial(self._report_of, plan)
            self._explain(plan, retrain, report)
            if retrain and workplace.exists():
                shutil.rmtree(workplace)  # what cannot be cleared away must not be gone on with
            from btlib.thesis.training import fit  # brings in Lightning, which takes seconds

            fitted = fit(plan, workplace, self.device, None if start is None else start(), report, self.progress_bars)
            more = {"seconds": fitted.seconds, "trained_on": fitted.device, "epoch": fitted.epoch}
            manifest = self._keep(plan, workplace, fitted.model, more)
            shutil.rmtree(workplace, ignore_errors=True)  # the model is kept by now, whatever stays here
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
                f"holds variant {payload.get('variant')} ({payload.get('fingerprint')}), "
                f"expected variant {plan.variant} ({plan.fingerprint})",
                where=path,
                hint="the file was renamed or copied over: remove it, and the variant is trained anew",
            )
        if payload is None or fingerprint.of_file(path) != manifest.get("sha256"):
            aside = path.with_suffix(".damaged")
            path.replace(aside)
            warn(f"{path}: damaged, it is not the file its manifest describes; kept as {aside.name}, trained anew")
            return None
        model = build(plan, start={})
        model.load_state_dict(payload["state_dict"])
        return Trained(model.eval(), "loaded", 0.0, path, manifest)

    def _report_of(self, plan: Plan, line: str) -> None:
        self.report(f"{plan.variant}, seed {plan.seed}: {line}")

    def _explain(self, plan: Plan, retrain: bool, report: Callable[[str], None]) -> None:
        """Say why it trains: what differs from the nearest stored model."""
        if retrain:
            report("trained anew, as asked")
            return
        manifests = map(read_manifest, self.folder.glob(f"{plan.variant}-*.json"))
        if why := fingerprint.no_model_fits(plan.ingredients(), manifests):
            report(why)
