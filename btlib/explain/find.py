"""Find a case by name and set up its study: with its stored model, or with the predictor of the prepared case."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from btlib.cases import Case, Prepared, Work, load_case
from btlib.data import load_dataset, phantom_folder
from btlib.data.cache import cache_root
from btlib.errors import ModelError
from btlib.explain.explainer import Explainer, Runner
from btlib.explain.study import Study
from btlib.protocol import TIERS
from btlib.splits import default_split, make_split


@dataclass(frozen=True)
class Where:
    """Locations of models and samples, and settings to run models.

    Attributes:
        data: Folder of samples; None uses the phantoms of the smoke tier.
        split: Name of the split; None uses the default for the data.
        checkpoints: Folder of checkpoints.
        checkpoint: Checkpoint to use if there are several; None uses the only one.
        engine: One of `btlib.engines.engine_names()`; None uses the tier's engine, or the fastest one for a trained
            variant.
        precision: "auto", "fp32" or "bf16"; None uses the tier's precision, or the fastest one for a trained variant.
        report: Function that gets a message for each step.
    """

    data: Path | None
    split: str | None
    checkpoints: Path
    checkpoint: Path | None = None
    engine: str | None = None
    precision: str | None = None
    report: Callable[[str], None] = print

    @property
    def folder(self) -> Path:
        """Folder of the samples."""
        return self.data or phantom_folder(cache_root() / "phantoms", TIERS["smoke"].phantom_samples)


def find(case: str, where: Where) -> Study:
    """Return the study of a case, by its name or "FILE.py::NAME".

    The stored model is used if the case has one; otherwise the case is prepared again.

    Raises:
        BtlibError: There is no such case or model, it has no classes, or data or split cannot be loaded.
    """
    known = load_case(case)
    if not known.has_classes:
        raise ModelError(
            "has no classes, so there is no class probability to explain",
            where=f"case {known.name}",
            hint="explain a case that predicts classes",
        )
    if known.stored is not None:
        found: Study = known.stored(where)
        return found
    return _prepared(known, where)


def explainer_of(prepared: Prepared) -> Explainer:
    """Return the explainer of a prepared case: its own one, or one that uses its predictor."""
    if prepared.explainer is None:
        return Explainer(Runner(prepared.predictor))
    made: Explainer = prepared.explainer()
    return made


def _prepared(case: Case, where: Where) -> Study:
    tier = TIERS["smoke" if where.data is None else "full"]
    dataset = load_dataset(where.folder, case.image_size or tier.protocol.image_size, case.scaling)
    chosen = where.split or default_split(dataset).name
    protocol = replace(tier.protocol, split=chosen, scaling=tier.protocol.scaling if case.scaling else dataset.scaling)
    given: dict[str, Any] = {"precision": where.precision or tier.precision, "engine": where.engine or tier.engine}
    split = make_split(protocol.split, dataset)
    given |= {"report": where.report, "case": case.name}
    work = Work.on(dataset, split, protocol, tier.recipe, 42, where.checkpoints, **given)
    prepared = case.prepare(work)
    return Study(case.name, explainer_of(prepared), dataset, split, prepared.fingerprint, where.report)
