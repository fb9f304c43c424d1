"""Measurement of the speed of a case, in turns with a reference if there is one."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from btlib.adapters.device_choice import gpu_name, has_torch_device, where_it_runs
from btlib.cases import Prepared
from btlib.runs.speed import Speed, Timing
from btlib.speed import machine, memory
from btlib.speed.ceiling import measure_ceiling
from btlib.speed.clock import clocked
from btlib.speed.energy import EnergyMeter
from btlib.speed.reference import Call, Job, SpeedReference

_TURNS = (2, 25)
"""Smallest and largest number of turns A B B A for one figure."""

_LONG = 2.0  # seconds
_SETTLED = 0.8  # share of the seconds of the previous call
_NULL_RUN = 16  # images per call of the null run

Function = Callable[[], object]
"""Function for one call, which returns after the device has finished."""


def warm(call: Callable[[], float]) -> float:
    """Repeat a call until it no longer allocates, compiles or searches for kernels, and return its seconds.

    The first call never counts. Up to three more calls follow. They end early after a call of more than 2 s that took
    more than 0.8 of the previous call's time.
    """
    seconds = call()
    for _ in range(3):
        before, seconds = seconds, call()
        if seconds > _LONG and seconds > _SETTLED * before:
            break
    return seconds


@dataclass(eq=False)
class ThroughputMeter:
    """Meter of the speed figures of the cases of one run.

    Attributes:
        seconds: Time to spend on one figure.
        wanted: Device that the user chose. It is assumed for cases that do not state their device.
    """

    seconds: float
    wanted: str
    _noise: dict[tuple[str, str], Timing] = field(default_factory=dict)
    _ceilings: dict[tuple[str, str], float] = field(default_factory=dict)

    def measure(
        self,
        speed: Speed,
        prepared: Prepared,
        figure: str,
        job: Callable[[str], Job],
        function: Function,
        reference: SpeedReference | None = None,
    ) -> Speed:
        """Time a function in turns with the reference, and return the speed of the case with this figure added.

        Args:
            speed: Speed of the case so far.
            prepared: Predictor of the case, with its device and precision.
            figure: Name of the figure, such as "inference, batch 16".
            job: Function of a device that returns the job of one call, for the reference to repeat.
            function: Function to time.
            reference: Reference that does the same job in another way; None without one.
        """
        began = time.perf_counter()
        device = where_it_runs(prepared.predictor, prepared.details, self.wanted)
        asked = job(device or "cpu")
        if reference is not None and (device is None or not has_torch_device(device) or reference.call(asked) is None):
            reference = None
        noise = None if reference is None else self._null_run(reference, asked)
        timing = self._in_turns(function, asked, reference, device)
        trained = asked.work == "training"
        details = prepared.details
        timing = timing.model_copy(
            update={
                "device": device,
                "gpu": gpu_name(device),
                "engine": details.get("training_engine" if trained else "engine", "eager" if trained else None),
                "precision": details.get("training_precision" if trained else "precision"),
                "gflop_per_image": None if trained else details.get("gflop_per_image"),
            }
        )
        return speed.model_copy(
            update={
                "figures": speed.figures | {figure: timing},
                "noise": noise or speed.noise,
                "seconds": speed.seconds + time.perf_counter() - began,
                **self._facts(device, timing),
            }
        )

    def _null_run(self, reference: SpeedReference, asked: Job) -> Timing:
        """Time the reference in turns with a second copy of it, once for each kind of reference and device."""
        key = (reference.kind, asked.device)
        if key not in self._noise:
            job = Job("inference", _NULL_RUN, asked.image_size, asked.device)
            ours: list[float] = []
            theirs: list[float] = []
            other = reference.another()
            try:
                other.start()
                once = sum(warm(partial(_seconds, one, job)) for one in (reference, other))
                for _ in range(self._turns(once)):
                    ours.append(_seconds(reference, job))
                    theirs += [_seconds(other, job) for _ in range(2)]
                    ours.append(_seconds(reference, job))
            finally:
                other.close()
            self._noise[key] = Timing(
                images=_NULL_RUN, seconds=ours, reference=reference.name, reference_seconds=theirs
            )
        return self._noise[key]

    def _in_turns(self, function: Function, job: Job, reference: SpeedReference | None, device: str | None) -> Timing:
        once = warm(partial(clocked, function))
        once += warm(partial(_seconds, reference, job)) if reference is not None else 0.0
        turns = self._turns(once)
        ours: list[float] = []
        theirs: list[Call] = []
        meter = EnergyMeter()
        memory.release()
        memory.reset_peak(device or "cpu")
        for started in range(2 * turns):
            if reference is not None and started % 2:  # two calls B between the two calls A of a turn
                theirs.extend(call for call in (reference.call(job) for _ in range(2)) if call is not None)
            meter.start()
            ours.append(clocked(function))
            meter.stop()
        return Timing(
            images=job.batch_size,
            seconds=ours,
            reference=reference.name if reference is not None else None,
            reference_seconds=[call.seconds for call in theirs],
            peak_memory_mib=memory.peak_mib(),
            reference_peak_memory_mib=theirs[-1].peak_memory_mib if theirs else None,
            device_memory_mib=memory.device_peak_mib(device or "cpu"),
            joules_per_image=None if meter.joules is None else meter.joules / (2 * turns * job.batch_size),
        )

    def _turns(self, once: float) -> int:
        """Return the number of turns for the available time, if one call of each takes `once` seconds together."""
        return min(max(int(self.seconds / max(2 * once, 1e-9)), _TURNS[0]), _TURNS[1])

    def _facts(self, device: str | None, timing: Timing) -> dict[str, Any]:
        """Return the facts for all figures of a case: machine and ceilings."""
        precision = timing.precision
        known = precision is None or (device, precision) in self._ceilings
        if device is not None and not known and precision in ("fp32", "bf16", "int8") and has_torch_device(device):
            self._ceilings[device, precision] = measure_ceiling(device, precision).flops / 1e12
        return {
            "ceilings": {precision: value for (on, precision), value in self._ceilings.items() if on == device},
            "machine": machine.digest(),
        }


def _seconds(reference: SpeedReference, job: Job) -> float:
    call = reference.call(job)
    assert call is not None  # checked before that the reference can do the job
    return call.seconds
