"""Explaining a trained variant: its model is loaded from the store of checkpoints."""

from dataclasses import replace

import numpy as np

from btlib import extras
from btlib.data import load_dataset
from btlib.explain.build import explainer
from btlib.explain.find import Where
from btlib.explain.study import Study
from btlib.splits import default_split, make_split


def stored_study(variant: str, where: Where) -> Study:
    """Load a trained variant from the store of checkpoints and build its explainer.

    Raises:
        BtlibError: There is no such model, or the data or the split are not available.
    """
    with extras.named():
        from btlib.adapters.devices import resolve_device, resolve_precision
        from btlib.adapters.outputs import NAMED
        from btlib.engines import Subject
        from btlib.thesis.checkpoints import find_stored, load_stored, recipe_text
    stored = load_stored(where.checkpoint or find_stored(where.checkpoints, variant), variant)
    ingredients, device = stored.manifest["ingredients"], resolve_device()
    recipe = recipe_text(variant, ingredients["recipe"])
    where.report(f"{stored.path}: trained {stored.manifest['created']}, recipe {recipe}")
    dataset = load_dataset(where.folder, ingredients["image_size"], ingredients["scaling"])
    split = make_split(where.split or default_split(dataset).name, dataset)
    if [ingredients["data"], ingredients["split"]] != [dataset.fingerprint, split.fingerprint]:
        where.report("Note: trained on other samples or another split; the model may have seen these test samples")
    subject = Subject(
        stored.model.to(device),
        replace(NAMED, structures=max(len(stored.task.structures), 1)),
        device,
        resolve_precision(where.precision or "auto", device),
        dataset.image_size,
        identity=stored.manifest["sha256"],
        cache=where.checkpoints / "engines",
        calibration=lambda: np.asarray(dataset.images[np.sort(split.train)[:300]]),
        channels=len(stored.task.channels),
    )
    held_out = dataset.part(split.val if len(split.val) else split.train)
    made = explainer(subject, held_out, where.engine or "auto", where.report)
    return Study(variant, made, dataset, split, stored.manifest["sha256"], where.report)
