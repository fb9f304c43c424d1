"""Engines, batch sizes and image sizes compared with the thesis path: the tables of docs/performance.md.

    pytest benchmarks -m performance -k "engine or training or table" -s

The model is variant D with an untrained ResNet50, because speed does not depend on the weights. The guard that compares
every engine with fp32 runs in the suite, not here. Raw seconds, tables and a plot are written to `reports/performance`.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import Field

from btlib import files
from btlib.cases import Prepared
from btlib.plugin.benchmarks import recorded_clock, replay
from btlib.reporting.speed import noise_line, write_speed
from btlib.runs import Speed
from btlib.runs.measuring.meter import ThroughputMeter
from btlib.speed import tuning
from btlib.speed.flops import flops_per_image
from btlib.speed.reference import Job
from btlib.stored import Stored
from btlib.thesis.speed_reference import ThesisPath, ThesisReference

pytestmark = [pytest.mark.performance, pytest.mark.benchmark(timer=recorded_clock)]

SIZES = (128, 256)
SECONDS = 8.0  # per figure; more if two turns take longer
WAYS = (
    ("eager", "fp32"),
    ("onnxruntime", "fp32"),
    ("openvino", "fp32"),
    ("eager", "bf16"),
    ("compile", "bf16"),
    ("openvino", "bf16"),
    ("openvino-int8", "int8"),
)


class Figures(Stored):
    """Measured speeds by way, of this session and earlier ones."""

    ways: dict[str, Speed] = Field(default_factory=dict)


@pytest.fixture(scope="module")
def folder(pytestconfig: pytest.Config) -> Path:
    if not pytestconfig.getoption("bt_no_tune"):
        tuning.tune()
    return pytestconfig.rootpath / "reports" / "performance"


@dataclass
class Study:
    """Measurement of one way after the other, in turns with the thesis path.

    Attributes:
        path: File with all figures.
        meter: Meter that measures in turns.
        reference: Thesis path of variant D.
    """

    path: Path
    meter: ThroughputMeter
    reference: ThesisReference

    @property
    def figures(self) -> Figures:
        """Figures measured so far."""
        return Figures.load(self.path) if self.path.exists() else Figures()

    def measure(self, benchmark: Any, way: str, prepared: Prepared, figure: str, job: Job, function: Any) -> None:
        """Time a function, store the figure and pass it to pytest-benchmark."""
        known = self.figures.ways
        before = known.get(way, Speed(case=way))
        found = self.meter.measure(before, prepared, figure, lambda device: job, function, self.reference)
        Figures(ways=known | {way: found}).save(self.path)
        benchmark.group = figure
        replay(benchmark, found.figures[figure].seconds)


@pytest.fixture(scope="module")
def study(folder: Path) -> Iterator[Study]:
    threads = tuning.current().threads
    with ThesisPath(threads) as path:
        reference = ThesisReference("D", "resnet50", threads, path)
        yield Study(folder / "figures.json", ThroughputMeter(SECONDS, "cpu"), reference)


@cache
def model() -> Any:
    from btlib.thesis.models import create

    return create("D", None, backbone="resnet50").eval()


@pytest.mark.parametrize("batch_size", [1, 16])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("engine", "precision"), WAYS)
def test_engine(study: Study, engine: str, precision: str, size: int, batch_size: int, benchmark: Any) -> None:
    predictor = built(engine, precision, size)
    images = np.random.default_rng(0).random((batch_size, 1, size, size), dtype=np.float32)
    job = Job("inference", batch_size, size, "cpu")
    measure(study, benchmark, engine, precision, job, lambda: predictor.predict(images))


def plan(size: int, slices: int = 240, precision: str = "auto", **recipe: Any) -> Any:
    """Return the plan of a training of variant D on phantoms, from scratch."""
    from btlib.data import load_dataset, phantom_folder
    from btlib.data.cache import cache_root
    from btlib.protocol import Protocol
    from btlib.splits import make_split
    from btlib.thesis.recipe import ThesisRecipe
    from btlib.thesis.training import Plan

    dataset = load_dataset(phantom_folder(cache_root() / "phantoms", slices), size)
    split = make_split("slice-seed42", dataset)
    parts = (dataset.part(split.train), dataset.part(split.val), dataset.fingerprint, split.fingerprint)
    return Plan("D", ThesisRecipe(weights="none", **recipe), *parts, Protocol(image_size=size), 0, precision)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("engine", "precision"), [("eager", "fp32"), ("eager", "bf16"), ("compile", "bf16")])
def test_training_step(study: Study, engine: str, precision: str, size: int, benchmark: Any) -> None:
    import torch

    from btlib.thesis.training.step import bare_step

    step = bare_step(plan(size, precision=precision, compiled=engine == "compile"), model(), 16, torch.device("cpu"))
    measure(study, benchmark, engine, precision, Job("training", 16, size, "cpu"), step)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("engine", ["eager", "compile"])
def test_training_step_with_bf16_weights(study: Study, engine: str, size: int, benchmark: Any) -> None:
    """Layers with bf16 weights, and fp32 copies that Adam updates; btlib's training does not work this way."""
    step = with_master_copies(plan(size, precision="bf16"), compiled_step=engine == "compile")
    name = f"{engine}, bf16 weights,"
    measure(study, benchmark, name, "bf16", Job("training", 16, size, "cpu"), step)


def with_master_copies(ours: Any, *, compiled_step: bool) -> Callable[[], None]:
    import copy

    import torch

    from btlib.adapters.compiling import compiled
    from btlib.adapters.devices import autocast
    from btlib.thesis.training.batches import SampleBatches
    from btlib.thesis.training.module import Trainee

    batch = SampleBatches(ours.train)[np.resize(np.arange(len(ours.train)), 16)]
    trainee = Trainee(copy.deepcopy(model()), ours.recipe, 0, 0.5).train()
    trainee.model.to(memory_format=torch.channels_last)
    weights = [p for p in trainee.model.parameters() if p.requires_grad]
    masters = [p.detach().clone().requires_grad_() for p in weights]
    for part in trainee.model.modules():
        if isinstance(part, torch.nn.Conv2d | torch.nn.Linear):
            part.to(torch.bfloat16)
    optimizer = torch.optim.Adam(masters, lr=ours.recipe.learning_rate, fused=True)
    loss_of = compiled(lambda *parts: trainee._eager(*parts), dynamic=False) if compiled_step else trainee._eager

    def step() -> None:
        for weight in weights:
            weight.grad = None
        with autocast(torch.device("cpu"), "bf16"):
            loss = loss_of(*batch)
        torch.autograd.backward(loss)
        for weight, master in zip(weights, masters, strict=True):
            master.grad = None if weight.grad is None else weight.grad.float()
        optimizer.step()
        with torch.no_grad():
            torch._foreach_copy_(weights, masters)

    return step


def test_training_overhead(folder: Path, tmp_path: Path) -> None:
    """Overhead of a complete training over its bare steps: validation, losses, curves, the state after each epoch."""
    from btlib.adapters.devices import resolve_device
    from btlib.thesis.training import fit
    from btlib.thesis.training.step import bare_step

    ours, device = plan(128, 1200, epochs=2), resolve_device()
    recipe, split = ours.recipe, ours.split
    step = bare_step(ours, model(), recipe.batch_size, device)
    step()

    def steps() -> float:
        began = time.perf_counter()
        for _ in range(10):
            step()
        return (time.perf_counter() - began) / 10

    before, began = steps(), time.perf_counter()
    fit(ours, tmp_path, device, report=lambda line: None)
    whole, after = time.perf_counter() - began, steps()
    bare = (before + after) / 2 * recipe.epochs * len(split.train) / recipe.batch_size
    text = (
        f"training D, 128 px, {len(split.train)} samples, {recipe.epochs} epochs: {whole:.1f} s, "
        f"its bare steps {bare:.1f} s: overhead {100 * (whole / bare - 1):.1f} %, mostly validation on "
        f"{len(split.val)} samples per epoch"
    )
    print(f"\n{text}")
    files.write_text(folder / "training-overhead.txt", f"{text}\n")


def test_table(study: Study, folder: Path) -> None:
    """Write one table and one plot of all speeds, of this session and earlier ones; it must be the last item."""
    speeds = study.figures.ways
    assert speeds, "nothing is measured yet: run test_engine or test_training_step first"
    noise = next((speed.noise for speed in speeds.values() if speed.noise is not None), None)
    print(f"\n{noise_line(noise)}")
    path = write_speed(speeds, noise, folder)
    assert path is not None
    print(path.read_text(encoding="utf-8").split("\n\n")[-1])
    plot(speeds, folder / "performance.svg")


def measure(
    study: Study, benchmark: Any, engine: str, precision: str, job: Job, function: Callable[[], object]
) -> None:
    details = {
        **{"device": "cpu", "engine": engine, "precision": precision},
        **{"training_engine": engine, "training_precision": precision},
        "gflop_per_image": flops_per_image(model(), (1, job.image_size, job.image_size)) / 1e9,
    }
    prepared = Prepared(built("eager", "fp32", 128), "given", details=details)
    kind = "training step" if job.work == "training" else "inference"
    figure = f"{kind}, {job.image_size} px, batch {job.batch_size}"
    study.measure(benchmark, f"{engine} {precision}", prepared, figure, job, function)


@cache
def built(engine: str, precision: Any, size: int) -> Any:
    import torch

    from btlib.adapters.outputs import NAMED
    from btlib.engines.engine import ENGINES, Subject

    if not ENGINES[engine].fits(torch.device("cpu")):
        pytest.skip(f"{engine} is not installed")
    slices = np.random.default_rng(1).random((16, size, size), dtype=np.float32)
    subject = Subject(model(), NAMED, torch.device("cpu"), precision, size, calibration=lambda: slices)
    return ENGINES[engine].build(subject)


def plot(speeds: Mapping[str, Speed], path: Path) -> None:
    """Draw bars of images/s by way and figure, each with its ratio to the thesis path."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(name for speed in speeds.values() for name in speed.figures))
    figure = Figure(figsize=(9, 2.4 * ((len(names) + 1) // 2)), layout="constrained")
    for axes, name in zip(figure.subplots((len(names) + 1) // 2, 2).flat, names, strict=False):
        found = {case: speed.figures[name] for case, speed in speeds.items() if name in speed.figures}
        ordered = sorted(found, key=lambda case: found[case].images_per_second)
        bars = axes.barh(ordered, [found[case].images_per_second for case in ordered], color="#4477aa")
        ratios = [found[case].speedup for case in ordered]
        axes.bar_label(bars, ["" if r is None else f" {r.value:.1f}×" for r in ratios], fontsize=8)
        axes.set_title(name, fontsize=9)
        axes.set_xlabel("images/s (and ratio to the thesis path)", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.margins(x=0.15)
    figure.savefig(path, metadata={"Date": None})
