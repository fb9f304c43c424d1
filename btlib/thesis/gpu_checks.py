"""Checks of `btlib doctor --gpu`. They run on the CPU too, but are only informative on a GPU."""

import gc
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from btlib.adapters.devices import resolve_precision
from btlib.adapters.outputs import NAMED
from btlib.cases import load_cases
from btlib.doctor.diagnosis import GPU_CHECKS
from btlib.doctor.selftest import phantom_work
from btlib.engines import Subject
from btlib.errors import BtlibError
from btlib.speed import memory
from btlib.speed.clock import clocked
from btlib.speed.ieee import ieee_fp32
from btlib.thesis.cases import plan_of
from btlib.thesis.models import create
from btlib.thesis.models.variants import VARIANTS
from btlib.thesis.recipe import ThesisRecipe
from btlib.thesis.speed_reference import ThesisJob, ThesisPath
from btlib.thesis.training import fit
from btlib.thesis.training.step import bare_step

BACKBONE, SIDE = "resnet50", 128
_MIB = 2**20
_IEEE_GAP = 1e-5
_LEFT_MIB = 1.0
_STEP_RATIO = (0.7, 1.3)


def tf32_gap(place: Path, device: str) -> str:
    """Compare convolutions in IEEE fp32 and in TF32 with fp64; IEEE fp32 must be within its limit."""
    generator = torch.Generator().manual_seed(0)
    images, kernel = (torch.randn(*shape, generator=generator) for shape in ((4, 256, 32, 32), (256, 256, 3, 3)))
    exact = torch.nn.functional.conv2d(images.double(), kernel.double())
    images, kernel = images.to(device), kernel.to(device)

    def gap() -> float:
        found = torch.nn.functional.conv2d(images, kernel).double().cpu()
        return float((found - exact).abs().max() / exact.abs().max())

    with ieee_fp32():
        ieee = gap()
        torch.backends.cudnn.conv.fp32_precision = "tf32"  # type: ignore[attr-defined]
        rounded = gap()
    if not ieee < _IEEE_GAP:
        raise BtlibError(f"error of IEEE fp32: {ieee:.2g} of the largest value, expected less than {_IEEE_GAP:g}")
    return f"error relative to the largest value: IEEE fp32 {ieee:.2g}, TF32 {rounded:.2g}"


def memory_after_each_fit(place: Path, device: str) -> str:
    """Train, run and release each variant; the memory in use on the device must be the same as before."""
    work = phantom_work(place, device, side=SIDE, recipe=_recipe())
    left: dict[str, float] = {}
    for variant in VARIANTS:
        memory.release()
        before = bytes_on(device)
        case = load_cases()[variant]
        prepared = case.prepare(replace(work, checkpoints=place / variant, engine="eager"))
        prepared.predictor.predict(np.array(work.train.images[:4]))
        if prepared.training_step is not None:
            prepared.training_step(8)()
        del prepared
        memory.release()
        left[variant] = (bytes_on(device) - before) / _MIB
    message = ", ".join(f"{variant} {mib:.1f}" for variant, mib in left.items())
    if max(left.values()) > _LEFT_MIB:
        raise BtlibError(f"MiB not released after each variant: {message}; expected at most {_LEFT_MIB:g}")
    return f"MiB not released after each variant: {message}"


def bytes_on(device: str) -> int:
    """Return the number of bytes of all tensors on a device."""
    if device.startswith("cuda"):
        return int(torch.cuda.memory_allocated(device))
    gc.collect()
    return sum(dict(filter(None, map(_storage, gc.get_objects()))).values())


def graphs_of_each_variant(place: Path, device: str) -> str:
    """Compile each variant completely and run batches of 16, 5 and 1 images; count the compiled graphs."""
    from torch._dynamo.utils import counters

    from btlib.engines.compiled import build

    at, graphs = torch.device(device), {}
    for variant in VARIANTS:
        before = counters["stats"]["unique_graphs"]
        model = create(variant, None, backbone=BACKBONE).eval().to(at)
        predictor = build(Subject(model, NAMED, at, resolve_precision("auto", at), SIDE))
        for n in (16, 5, 1):
            predictor.predict(np.zeros((n, 1, SIDE, SIDE), np.float32))
        graphs[variant] = counters["stats"]["unique_graphs"] - before
        if graphs[variant] == 0:
            raise BtlibError(f"variant {variant} was not compiled", where="torch.compile")
        del model, predictor
        memory.release()
    return "graphs: " + ", ".join(f"{variant} {n}" for variant, n in graphs.items())


def reservations(place: Path, device: str) -> str:
    """Report the device memory of this process and of the thesis path, which must release it between cases."""

    def free() -> float:
        return torch.cuda.mem_get_info(device)[0] / _MIB if device.startswith("cuda") else 0.0

    job = ThesisJob("D", BACKBONE, "training", 16, SIDE, device)
    with ThesisPath() as thesis:
        begun = free()
        thesis.call(job)
        during = free()
        thesis.release()
        after = free()
    ours = torch.cuda.memory_reserved(device) / _MIB if device.startswith("cuda") else 0.0
    text = f"MiB: this process {ours:.0f}, the thesis path {begun - during:.0f}, after its release {begun - after:.0f}"
    if begun - during > 0 and begun - after > 0.5 * (begun - during):
        raise BtlibError(f"{text}; expected less than half after its release")
    return text


def step_as_trained(place: Path, device: str) -> str:
    """Compare the time of the measured training step with a step of a real training."""
    work = phantom_work(place, device, slices=240, side=SIDE, recipe=_recipe(3))
    at = torch.device(device)
    plan = plan_of("D", work)[0]
    fitted = fit(plan, _folder(place / "fit"), at, report=lambda line: None)
    step = bare_step(plan, fitted.model, plan.recipe.batch_size, at)
    for _ in range(3):
        step()
    measured = median(clocked(step) for _ in range(10))
    steps = -(-len(plan.train) // plan.recipe.batch_size)
    trained = min(_epochs(place / "fit" / "curves.csv")) / steps
    text = f"ms: measured step {1000 * measured:.1f}, step in training {1000 * trained:.1f}, validation included"
    ratio = measured / trained
    if device.startswith("cuda") and not _STEP_RATIO[0] < ratio < _STEP_RATIO[1]:
        raise BtlibError(f"{text}: ratio {ratio:.2f}, expected {_STEP_RATIO[0]:g} to {_STEP_RATIO[1]:g}")
    return f"{text}: ratio {ratio:.2f}"


def compiled_step(place: Path, device: str) -> str:
    """Time a compiled and an eager training step in turns: the effect of `--bt-compile-training`."""
    work = phantom_work(place, device, side=SIDE, recipe=_recipe())
    at, plan = torch.device(device), plan_of("D", work)[0]
    model = create("D", None, backbone=BACKBONE)
    steps = [bare_step(replace(plan, recipe=replace(plan.recipe, compiled=on)), model, 16, at) for on in (False, True)]
    for step in steps * 3:
        step()
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(10):
        for step, found in zip(steps, seconds, strict=True):
            found.append(clocked(step))
    eager, compiled = (1000 * median(found) for found in seconds)
    return f"ms, batch 16: {eager:.1f} eager, {compiled:.1f} compiled: {eager / compiled:.2f} times as fast"


def _recipe(epochs: int = 1) -> ThesisRecipe:
    return ThesisRecipe(name="doctor", backbone=BACKBONE, weights="none", epochs=epochs, batch_size=8)


def _storage(value: object) -> tuple[int, int] | None:
    """Return address and bytes of a CPU tensor's storage; None for other objects, such as fake tensors."""
    if type(value) not in (torch.Tensor, torch.nn.Parameter):
        return None
    tensor: Any = value
    try:
        return (tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes()) if tensor.is_cpu else None
    except RuntimeError:  # a sparse tensor has no such storage
        return None


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _epochs(curves: Path) -> list[float]:
    """Read the seconds of each epoch."""
    import csv

    with curves.open(encoding="utf-8", newline="") as file:
        return [float(row["seconds"]) for row in csv.DictReader(file)]


for _name, _check in {
    "TF32 gap": tf32_gap,
    "memory after each fit": memory_after_each_fit,
    "graphs of each variant": graphs_of_each_variant,
    "reservations": reservations,
    "step as trained": step_as_trained,
    "compiled step": compiled_step,
}.items():
    GPU_CHECKS.add(_name, _check)
