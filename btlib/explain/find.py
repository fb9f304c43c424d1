"""From the name of a case to what explains it: a trained variant from the store, or any case through its predictor."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from btlib import extras
from btlib.cases import Prepared, Work, load_case
from btlib.data import load_dataset, phantom_folder
from btlib.data.cache import cache_root
from btlib.errors import ModelError
from btlib.explain.build import explainer
from btlib.explain.explainer import Explainer, Runner
from btlib.explain.study import Study
from btlib.models.variants import VARIANTS
from btlib.protocol import TIERS
from btlib.splits import make_split


@dataclass(frozen=True)
class Where:
    """Where models and slices are looked for, and how models are run.

    Attributes:
        data: Folder of slices; None takes the phantoms of the smoke tier.
        split: Name of the split.
        checkpoints: Folder of trained models.
        checkpoint: The trained model, of several; None takes the only one.
        engine: One of `btlib.engines.engine_names()`; None leaves it to the tier, a trained variant takes the fastest.
        precision: "auto", "fp32" or "bf16"; None as for `engine`.
        say: Told what was found.
    """

    data: Path | None
    split: str
    checkpoints: Path
    checkpoint: Path | None = None
    engine: str | None = None
    precision: str | None = None
    say: Callable[[str], None] = print

    @property
    def folder(self) -> Path:
        """Of the slices."""
        return self.data or phantom_folder(cache_root() / "phantoms", TIERS["smoke"].phantom_slices)


def find(case: str, where: Where) -> Study:
    """What explains a case: "A" … "G" as it was trained, or a case by name or "FILE.py::NAME", prepared anew.

    Raises:
        BtlibError: There is no such case or model, it has no classes, or data and split cannot be had.
    """
    return _variant(case, where) if case in VARIANTS else _foreign(case, where)


def explainer_of(prepared: Prepared) -> Explainer:
    """What explains a prepared case: its own explainer, or else its predictor as it is."""
    if prepared.explainer is None:
        return Explainer(Runner(prepared.predictor))
    made: Explainer = prepared.explainer()
    return made


def _variant(variant: str, where: Where) -> Study:
    with extras.named():
        from btlib.adapters.devices import resolve_device, resolve_precision
        from btlib.adapters.torch import VARIANT
        from btlib.checkpoints import find_stored, load_stored
        from btlib.engines import Subject
    stored = load_stored(where.checkpoint or find_stored(where.checkpoints, variant), variant)
    ingredients, device = stored.manifest["ingredients"], resolve_device()
    where.say(f"{stored.path}: trained {stored.manifest['created']}, recipe {ingredients['recipe']['name']}")
    dataset = load_dataset(where.folder, ingredients["image_size"], ingredients["scaling"])
    split = make_split(where.split, dataset)
    if [ingredients["data"], ingredients["split"]] != [dataset.fingerprint, split.fingerprint]:
        where.say("Note: trained on other slices or another split than these; it may have seen the test slices")
    subject = Subject(
        stored.model.to(device),
        VARIANT,
        device,
        resolve_precision(where.precision or "auto", device),
        dataset.image_size,
        identity=stored.manifest["sha256"],
        cache=where.checkpoints / "engines",
        calibration=lambda: np.asarray(dataset.images[np.sort(split.train)[:300]]),
    )
    held_out = dataset.part(split.val if len(split.val) else split.train)
    made = explainer(subject, held_out, where.engine or "auto", where.say)
    return Study(variant, made, dataset, split, stored.manifest["sha256"], where.say)


def _foreign(spec: str, where: Where) -> Study:
    case = load_case(spec)
    if not case.has_classes:
        raise ModelError(
            "has no classes: there is no probability of a tumour type to explain",
            where=f"case {case.name}",
            mend="explain a case that predicts tumour types",
        )
    tier = TIERS["smoke" if where.data is None else "full"]
    protocol = replace(tier.protocol, split=where.split)
    dataset = load_dataset(where.folder, case.image_size or protocol.image_size, case.scaling or protocol.scaling)
    given: dict[str, Any] = {"precision": where.precision or tier.precision, "engine": where.engine or tier.engine}
    split = make_split(where.split, dataset)
    given |= {"say": where.say, "case": case.name}
    work = Work.on(dataset, split, protocol, tier.recipe, 42, where.checkpoints, **given)
    prepared = case.prepare(work)
    return Study(case.name, explainer_of(prepared), dataset, split, prepared.fingerprint, where.say)
