"""Speed of a case, in turns with a reference where it has one."""

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
"""Turns A B B A of one figure, at least and at most."""

_LONG = 2.0  # seconds
_SETTLED = 0.8  # of the seconds of the call before
_NULL_RUN = 16  # images in a call of the null run

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
class ThroughputMeter:
    """Measures figures of the cases of one run.

    Attributes:
        seconds: To spend on one figure.
        wanted: The device that the user asked for; cases that do not say where they run are taken to run there.
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
        """Time a function in turns with the reference; the speed of its case with the figure added.

        Args:
            speed: What is known of the case's speed so far.
            prepared: Its predictor, which says on what device and how precisely it works.
            figure: Such as "inference, batch 16".
            job: Given a device, what one call does, and what the reference is to do.
            function: What to time.
            reference: Does the same another way; None where there is none.
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
        """The reference in turns with another one of its kind, once for each kind and device."""
        key = (reference.kind, asked.device)
        if key not in self._noise:
            job = Job("inference", _NULL_RUN, asked.image_size, asked.device)
            ours: list[float] = []
            theirs: list[float] = []
            other = reference.another()
            try:
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
            if reference is not None and started % 2:  # between the two A's of a turn come two B's
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


def _seconds(reference: SpeedReference, job: Job) -> float:
    call = reference.call(job)
    assert call is not None  # it was asked before whether it can do the job
    return call.seconds
