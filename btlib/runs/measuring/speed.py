"""Measures: speed of inference and of training steps."""

from btlib.evaluation.predictor import ask
from btlib.runs.measuring.live import Live
from btlib.runs.speed import Speed
from btlib.speed.reference import Job

BATCHES = (1, 16)
"""Numbers of samples per call of inference."""


def inference_figure(batch_size: int) -> str:
    """Return the name of the inference figure for a batch size."""
    return f"inference, batch {batch_size}"


def training_figure(batch_size: int) -> str:
    """Return the name of the training-step figure for a batch size."""
    return f"training step, batch {batch_size}"


def inference(live: Live) -> dict[str, object]:
    """Time the prediction of one sample and of sixteen samples."""
    speed, predictor = _known(live), live.prepared.predictor
    for batch_size in BATCHES:
        ids, images = live.workspace.batch(live.cell, batch_size)
        size = images.shape[-1]
        speed = live.meter.measure(
            speed,
            live.prepared,
            inference_figure(batch_size),
            lambda device, n=batch_size, size=size: Job("inference", n, size, device),  # type: ignore[misc]
            lambda ids=ids, images=images: ask(predictor, ids, images),  # type: ignore[misc]
            live.references.of(live.case),
        )
    return {"speed": speed}


def training_step(live: Live) -> dict[str, object]:
    """Time a training step. A case without a training step is skipped."""
    if live.prepared.training_step is None:
        return {}
    batch_size, size = live.work.recipe.batch_size, live.given.image_size
    speed = live.meter.measure(
        _known(live),
        live.prepared,
        training_figure(batch_size),
        lambda device: Job("training", batch_size, size, device),
        live.prepared.training_step(batch_size),
        live.references.of(live.case),
    )
    return {"speed": speed}


def _known(live: Live) -> Speed:
    return live.record.speed or Speed(case=live.case.name)
