"""Speed of a case, in turns with the thesis's way of doing the same, and the gate's word on it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from btlib.adapters.device_choice import gpu_name, has_torch_device, where_it_runs
from btlib.cases import Case, Prepared
from btlib.models.variants import VARIANTS
from btlib.runs import RunFolder, Timing
from btlib.speed import machine, memory, tuning
from btlib.speed.ceiling import measure_ceiling
from btlib.speed.clock import clocked
from btlib.speed.energy import EnergyMeter
from btlib.thesis_path import Call, Job, ThesisPath

_TURNS = (2, 25)
"""Turns A B B A of one figure, at least and at most."""

_LONG = 2.0  # seconds
_SETTLED = 0.8  # of the seconds of the call before

Function = Callable[[], object]
"""One call; returns when the device is done."""


def warm(call: Callable[[], float]) -> float:
    """Seconds of a call that no longer allocates, compiles or searches for kernels.

    The first call never counts. One that takes long is warm when it takes no less than the call before it.
    """
    seconds = call()
    for _ in range(3):
        before, seconds = seconds, call()
        if seconds > _LONG and seconds > _SETTLED * before:
            break
    return seconds


@dataclass(eq=False)
class Throughput:
    """Measures figures of one run, and keeps each in the run's folder.

    Attributes:
        folder: Of the run.
        seconds: To spend on one figure.
        backbone: Name of the backbone with which the thesis path works.
        image_size: Side of its slices in pixels.
        wanted: The device that the user asked for; cases that do not say where they run are taken to run there.
    """

    folder: RunFolder
    seconds: float
    backbone: str
    image_size: int
    wanted: str
    _thesis: ThesisPath = field(default_factory=lambda: ThesisPath(tuning.current().threads))
    _noise: Timing | None = None
    _ceilings: dict[tuple[str, str], float] = field(default_factory=dict)

    def measure(
        self,
        benchmark: Any,
        case: Case,
        prepared: Prepared,
        figure: str,
        images: int,
        function: Function,
        record_as: str | None = None,
    ) -> Timing | None:
        """Time a function with pytest-benchmark in turns with the thesis path; None where benchmarks are switched off.

        Args:
            benchmark: pytest-benchmark's fixture.
            case: Whose figure it is.
            prepared: Its predictor, which says on what device and how precisely it works.
            figure: Such as "inference, batch 16".
            images: How many images one call works on.
            function: What to time.
            record_as: The name under which it is kept; None keeps it under that of the case.
        """
        began = time.perf_counter()
        if not benchmark.enabled:
            benchmark.pedantic(function, rounds=1)
            return None
        device = where_it_runs(prepared.predictor, prepared.details, self.wanted)
        thesis = self._yardstick(case, figure, images, device)
        if thesis is not None and self._noise is None:
            self._noise = self._null_run(thesis.device)
        timing = self._in_turns(benchmark, function, images, thesis, device)
        trained = figure.startswith("training")
        timing = timing.model_copy(
            update={
                "device": device,
                "gpu": gpu_name(device),
                "engine": prepared.details.get(
                    "training_engine" if trained else "engine", "eager" if trained else None
                ),
                "precision": prepared.details.get("training_precision" if trained else "precision"),
                "gflop_per_image": None if trained else prepared.details.get("gflop_per_image"),
            }
        )
        facts = self._facts(device, timing)
        self.folder.add_timing(record_as or case.name, figure, timing, time.perf_counter() - began, facts)
        return timing

    @property
    def noise(self) -> float:
        """How far from 1 the thesis path's ratio to itself may be; 0 where that was not measured."""
        null = self._noise.speedup if self._noise else None
        return max(abs(null.low - 1), abs(null.high - 1)) if null else 0.0

    def release(self) -> None:
        """Let the thesis path's process free what it did last."""
        self._thesis.release()

    def close(self) -> None:
        """End the thesis path's process."""
        self._thesis.close()

    def _yardstick(self, case: Case, figure: str, images: int, device: str | None) -> Job | None:
        """The thesis's variant of the same name, else the one that predicts the same, on the same device.

        None where PyTorch is not installed or cannot use that device.
        """
        if device is None or not has_torch_device(device):
            return None
        like = {(True, False): "A", (False, True): "B", (True, True): "D"}[case.has_mask, case.has_classes]
        variant = case.name if case.name in VARIANTS else like
        size = case.image_size or self.image_size
        return Job(
            variant,
            self.backbone,
            "training" if figure.startswith("training") else "inference",
            images,
            size,
            device,
        )

    def _null_run(self, device: str) -> Timing:
        """The thesis path in turns with another process of its own kind."""
        job = Job("D", self.backbone, "inference", 16, self.image_size, device)
        ours: list[float] = []
        theirs: list[float] = []
        with ThesisPath(self._thesis.threads) as other:
            once = sum(warm(lambda path=path: path.call(job).seconds) for path in (self._thesis, other))  # type: ignore[misc]
            for _ in range(self._turns(once)):
                ours.append(self._thesis.call(job).seconds)
                theirs += [other.call(job).seconds for _ in range(2)]
                ours.append(self._thesis.call(job).seconds)
        timing = Timing(images=16, seconds=ours, thesis_seconds=theirs)
        self.folder.save_noise(timing)
        return timing

    def _in_turns(self, benchmark: Any, function: Function, images: int, job: Job | None, device: str | None) -> Timing:
        once = warm(partial(clocked, function)) + (warm(lambda: self._thesis.call(job).seconds) if job else 0.0)
        turns = self._turns(once)
        theirs: list[Call] = []
        started, meter = 0, EnergyMeter()

        def before() -> None:
            """Between the two A's of a turn come two B's."""
            nonlocal started
            if job is not None and started % 2:
                theirs.extend(self._thesis.call(job) for _ in range(2))
            started += 1
            meter.start()

        memory.release()
        memory.reset_peak(device or "cpu")
        benchmark.pedantic(function, setup=before, teardown=meter.stop, rounds=2 * turns, iterations=1)
        return Timing(
            images=images,
            seconds=list(benchmark.stats.stats.data),
            thesis_seconds=[call.seconds for call in theirs],
            peak_memory_mib=memory.peak_mib(),
            thesis_peak_memory_mib=theirs[-1].peak_memory_mib if theirs else None,
            device_memory_mib=memory.device_peak_mib(device or "cpu"),
            joules_per_image=None if meter.joules is None else meter.joules / (2 * turns * images),
        )

    def _turns(self, once: float) -> int:
        """How many turns fit into the time, one round of both taking `once` seconds."""
        return min(max(int(self.seconds / max(2 * once, 1e-9)), _TURNS[0]), _TURNS[1])

    def _facts(self, device: str | None, timing: Timing) -> dict[str, Any]:
        """What holds for all figures of a case."""
        precision = timing.precision
        known = precision is None or (device, precision) in self._ceilings
        if device is not None and not known and precision in ("fp32", "bf16", "int8") and has_torch_device(device):
            self._ceilings[device, precision] = measure_ceiling(device, precision).flops / 1e12
        return {
            "ceilings": {precision: value for (on, precision), value in self._ceilings.items() if on == device},
            "machine": machine.digest(),
        }
