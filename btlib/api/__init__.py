"""Common interface of pytest, `btlib run` and Python programs for benchmarks: plan, execute, judge, report."""

from btlib.api.benchmark_run import BenchmarkRun
from btlib.api.closing import Summary, close
from btlib.api.execution import Finished, resume, run
from btlib.api.opening import open_run

__all__ = ["BenchmarkRun", "Finished", "Summary", "close", "open_run", "resume", "run"]
