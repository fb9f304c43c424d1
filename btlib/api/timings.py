"""Timings of a run by activity, including the harness's own time."""

from dataclasses import dataclass

from btlib.runs.store import RunStore


@dataclass(frozen=True)
class Timings:
    """Seconds of one run by activity.

    Attributes:
        whole: Total time, from the start of the session to its last report.
        load: Opening the data.
        prepare: Training or loading models, and choosing engines.
        predict: Predicting the test samples.
        speed: Measuring the speed of cases and references.
        explain: Making occlusion maps.
    """

    whole: float
    load: float
    prepare: float
    predict: float
    speed: float
    explain: float

    @property
    def harness(self) -> float:
        """Remaining time: collecting items, scoring predictions, statistics, records, reports."""
        return self.whole - self.load - self.prepare - self.predict - self.speed - self.explain

    def line(self) -> str:
        """Return one line for the terminal."""
        parts = {
            "data": self.load,
            "training and loading": self.prepare,
            "predicting": self.predict,
            "measuring speed": self.speed,
            "explaining": self.explain,
            "harness": self.harness,
        }
        shares = ", ".join(f"{name} {100 * seconds / self.whole:.1f} %" for name, seconds in parts.items())
        return f"time:         {self.whole:.0f} s: {shares}"


def timings(run: RunStore, whole: float) -> Timings:
    """Return the timings of a run from its records.

    Args:
        run: Store of the run.
        whole: Total seconds of the session.
    """
    records, speeds = run.records(), run.speeds().values()
    return Timings(
        whole=whole,
        load=run.info().load_seconds,
        prepare=sum(record.prepare_seconds or 0.0 for record in records),
        predict=sum(record.predict_seconds or 0.0 for record in records),
        speed=sum(speed.seconds for speed in speeds),
        explain=sum(explained.seconds for explained in run.explained().values()),
    )
