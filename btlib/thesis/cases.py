"""The thesis's seven variants as benchmark cases."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from btlib import fingerprint
from btlib.cases import CASES, Case, Prepared, Work
from btlib.data.sources.tasks import FIGSHARE
from btlib.data.task import Task
from btlib.errors import CheckpointError
from btlib.evaluation.thresholds import best_threshold
from btlib.natural_order import natural
from btlib.protocol import Recipe
from btlib.speed import determinism
from btlib.speed.reference import SpeedReference
from btlib.thesis.models.variants import VARIANTS
from btlib.thesis.recipe import recipe_of_variant, thesis_recipe

if TYPE_CHECKING:  # torch is imported when a case is prepared, not when the cases are listed
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from btlib.engines import Chosen, Subject
    from btlib.evaluation.predictor import Predictor
    from btlib.explain import Explainer
    from btlib.explain.find import Where
    from btlib.explain.study import Study
    from btlib.thesis.checkpoints import Store
    from btlib.thesis.models.network import TumourModel
    from btlib.thesis.training import Plan


def prepare(variant: str, work: Work) -> Prepared:
    """Train or load one variant, and choose the engine that runs it."""
    from btlib.adapters.devices import resolve_device, resolve_precision
    from btlib.thesis.checkpoints import Store, load_thesis_checkpoint

    device = resolve_device(work.device)
    precision = resolve_precision(work.precision, device)  # precision of training; an engine may use another one
    engine = "compile" if _plan_of_step(variant, work).compiled else "eager"
    details: dict[str, Any] = {"device": str(device), "training_precision": precision, "training_engine": engine}
    theirs = work.options.get("thesis_checkpoints")
    if theirs is not None:
        _require_task_of_thesis(variant, work.task)
        model, path = load_thesis_checkpoint(variant, theirs)
        subject = _subject(model, fingerprint.of_file(path), device, work)
        chosen = _engine(subject, work)
        return Prepared(
            chosen.predictor,
            "file",
            file_digest=fingerprint.of_file(path),
            details=details
            | chosen.details
            | {"checkpoint": path.name, **_size(model, work)}
            | _recipe_changes(model.drifting_batch_norm, work),
            notes=(*_batch_norm_note(model), *chosen.notes),
            training_step=partial(_training_step, variant, model, device, work),
            explainer=partial(_explainer, subject, work),
        )
    store = Store(work.checkpoints, device, work.report, work.progress_bars)
    plan, notes = plan_of(variant, work)
    trained = store.train_or_load(plan, _start(plan, store, work), retrain=work.retrain)
    subject = _subject(trained.model, trained.manifest["sha256"], device, work)
    chosen = _engine(subject, work)
    return Prepared(
        chosen.predictor,
        trained.source,
        seconds=trained.seconds,
        fingerprint=plan.fingerprint,
        file_digest=trained.manifest["sha256"],
        details=details
        | chosen.details
        | {"checkpoint": trained.path.name, **_size(trained.model, work)}
        | {"training": {k: trained.manifest[k] for k in ("ingredients", "seconds", "trained_on", "epoch", "created")}}
        | _recipe_changes(plan.recipe.drifting_batch_norm, work),
        notes=(*notes, *_batch_norm_note(trained.model), *chosen.notes),
        training_step=partial(_training_step, variant, trained.model, device, work),
        curves=trained.curves,
        threshold=_threshold(variant, chosen.predictor, work),
        explainer=partial(_explainer, subject, work),
    )


def _require_task_of_thesis(variant: str, task: Task) -> None:
    """Raise an error if the thesis's checkpoints cannot predict the classes, structures or channels of a task."""
    expected = FIGSHARE.classes, len(FIGSHARE.structures), len(FIGSHARE.channels)
    if (task.classes, len(task.structures), len(task.channels)) != expected:
        raise CheckpointError(
            f"the thesis's checkpoints are for the classes {', '.join(FIGSHARE.classes)}, one structure and one "
            f"channel; the task {task.name!r} has the classes {', '.join(task.classes) or 'none'}, "
            f"{len(task.structures)} structures and {len(task.channels)} channels",
            where=f"variant {variant}",
            hint="leave out --bt-thesis-checkpoints, and the variant is trained on this task",
        )


def _subject(model: "TumourModel", identity: str, device: "torch.device", work: Work) -> "Subject":
    from btlib.adapters.devices import resolve_precision
    from btlib.adapters.outputs import NAMED
    from btlib.engines import Subject

    return Subject(
        model.to(device),
        replace(NAMED, structures=max(len(work.task.structures), 1)),
        device,
        resolve_precision(work.precision, device),
        work.train.image_size,
        identity=identity,
        cache=work.checkpoints / "engines",
        calibration=partial(_calibration, work),
        channels=len(work.task.channels),
    )


def _recipe_changes(drifting: bool, work: Work) -> dict[str, Any]:
    """Return the fields of the recipe with another value for this model than for the run, for the record."""
    if drifting == getattr(work.recipe, "drifting_batch_norm", None):
        return {}
    return {"recipe_changes": {"drifting_batch_norm": drifting}}


def _batch_norm_note(model: "TumourModel") -> tuple[str, ...]:
    """Return a note on the batch norm of a frozen encoder; nothing for a variant without one."""
    if model.variant.frozen_from is None:
        return ()
    if model.drifting_batch_norm:
        return ("drifting batch norm: the frozen encoder's running statistics changed in training, as in the thesis",)
    return ("frozen batch norm: the encoder is that of A; in the thesis, its running statistics changed in training",)


def _threshold(variant: str, predictor: "Predictor", work: Work) -> float | None:
    """Return the mask threshold chosen on the validation samples; None if the recipe takes the protocol's threshold."""
    if work.recipe.threshold == "protocol" or not VARIANTS[variant].has_mask:
        return None
    return best_threshold(predictor, work.val, where=f"variant {variant}")


def _engine(subject: "Subject", work: Work) -> "Chosen":
    """Build the requested engine and compare it with fp32."""
    from btlib.engines import choose

    return choose(subject, work.engine, work.held_out, work.protocol.threshold, work.report)


def _explainer(subject: "Subject", work: Work) -> "Explainer":
    from btlib.explain import explainer

    return explainer(subject, work.held_out, work.engine, work.report)


def _calibration(work: Work) -> "NDArray[np.float32]":
    """Return training images for calibration, float32 [n, channels, h, w]: at most 300, evenly spread over the ids."""
    import numpy as np

    from btlib.engines.engine import CALIBRATION_SAMPLES

    ids = work.train.ids.tolist()
    order = np.array(sorted(range(len(ids)), key=lambda i: natural(ids[i])), dtype=np.int64)
    n = min(CALIBRATION_SAMPLES, len(order))
    return work.train.images[order[np.arange(n) * len(order) // max(n, 1)]]


def plan_of(variant: str, work: Work) -> tuple["Plan", tuple[str, ...]]:
    """Return the training plan of a variant, and notes on the weights from which it starts."""
    from btlib.thesis.models.pretrained import resolve_weights
    from btlib.thesis.training import Plan

    recipe = thesis_recipe(work.recipe)
    weights, notes = resolve_weights(recipe.weights, recipe.backbone)
    plan = Plan(
        variant,
        replace(recipe_of_variant(variant, recipe), weights=weights),
        work.train,
        work.val,
        work.data,
        work.split,
        work.protocol,
        work.seed,
        precision=work.precision,
        threads=determinism.threads() if work.deterministic else None,
    )
    before = plan.row.frozen_from
    return (plan if before is None else replace(plan, starts_from=plan_of(before, work)[0].fingerprint)), notes


def _start(plan: "Plan", store: "Store", work: Work) -> Callable[[], Mapping[str, "torch.Tensor"]] | None:
    """Return a function that gives the initial tensors (for C: those of a trained A); None for other variants."""
    before = plan.row.frozen_from
    if before is None:
        return None
    return lambda: store.train_or_load(plan_of(before, work)[0]).model.state_dict()


def _size(model: "TumourModel", work: Work) -> dict[str, float]:
    from btlib.speed.flops import flops_per_image

    side = work.train.image_size
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "gflop_per_image": flops_per_image(model, (len(work.task.channels), side, side)) / 1e9,
    }


def _training_step(
    variant: str, model: "TumourModel", device: "torch.device", work: Work, batch_size: int
) -> Callable[[], None]:
    """Return one optimiser step on a copy of the model, as in a training with this recipe; the step is synchronised."""
    from btlib.thesis.training.step import bare_step

    return bare_step(_plan_of_step(variant, work), model, batch_size, device)


def _plan_of_step(variant: str, work: Work) -> "Plan":
    """Return the plan for one timed training step; its initial weights do not matter."""
    from btlib.thesis.training import Plan

    samples = (work.train, work.val, work.data, work.split)
    recipe = recipe_of_variant(variant, thesis_recipe(work.recipe))
    return Plan(variant, recipe, *samples, work.protocol, work.seed, precision=work.precision)


def _reference(variant: str, recipe: Recipe, threads: int | None) -> SpeedReference:
    from btlib.thesis.speed_reference import ThesisReference

    own = recipe_of_variant(variant, thesis_recipe(recipe))
    return ThesisReference(variant, own.backbone, threads, drifting_batch_norm=own.drifting_batch_norm)


def _stored(variant: str, where: "Where") -> "Study":
    from btlib.thesis.explaining import stored_study

    return stored_study(variant, where)


for _name, _variant in ((name, VARIANTS[name]) for name in VARIANTS):
    CASES.add(
        _name,
        Case(
            _name,
            _variant.title,
            _variant.has_mask,
            _variant.has_classes,
            partial(prepare, _name),
            any_size=True,
            needs=(_variant.frozen_from,) if _variant.frozen_from else (),
            speed_reference=partial(_reference, _name),
            stored=partial(_stored, _name),
        ),
    )
