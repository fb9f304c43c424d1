"""A measure of one's own: by how much the predictions change when the images are turned by 180 degrees."""

import json

import numpy as np

from btlib.evaluation.predictor import ask
from btlib.runs.measuring import MEASURES, Live


def turned(live: Live) -> dict[str, object]:
    """Compares the predictions of two test samples with those of the turned samples; written beside the record."""
    ids, images = live.workspace.batch(live.cell, 2)
    straight, upside_down = (
        ask(live.prepared.predictor, ids, np.ascontiguousarray(x)) for x in (images, images[..., ::-1, ::-1])
    )
    assert straight.class_prob is not None
    assert upside_down.class_prob is not None
    change = float(np.abs(straight.class_prob - upside_down.class_prob).max())
    path = live.store.path / "turned" / f"{live.cell}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"samples": ids.tolist(), "change": change}), encoding="utf-8")
    return {}


MEASURES.add("turned", turned)
