"""Where the time of a run went, and how much of it was the harness's own."""

from dataclasses import dataclass

from btlib.runs.store import RunStore


@dataclass(frozen=True)
class Timings:
    """Seconds of one run by what they were for.

    Attributes:
        whole: From the start of the session to its last report.
        load: Opening the data.
        prepare: Training or loading models, and choosing engines.
        predict: Predicting the test samples.
        speed: Measuring speed, that of references included.
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
        """Everything else: collecting items, scoring predictions, statistics, records, reports."""
        return self.whole - self.load - self.prepare - self.predict - self.speed - self.explain

    def line(self) -> str:
        """One line for the terminal."""
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
    """From the records of a run.

    Args:
        run: Its folder.
        whole: Seconds that the session took.
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
