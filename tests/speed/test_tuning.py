"""Allocator and threads: in a process of its own each time, for they cannot be set back."""

import os
import subprocess
import sys

import joblib
import pytest

from btlib.speed import tuning

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="glibc only")

FAULTS = """
import resource, numpy as np
from btlib.speed import tuning
{tune}
def work():
    for _ in range(20):
        np.ones(8_000_000)  # 64 MB that come and go
work()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
work()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def said(program: str, **environment: str) -> str:
    plain = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS") and not k.startswith("MALLOC_")}
    return subprocess.check_output([sys.executable, "-c", program], text=True, env=plain | environment).strip()


@LINUX
def test_memory_stays_with_the_process():
    """Page faults are counted, not timed: each is a page that the system had to hand out anew."""
    untuned, tuned = (int(said(FAULTS.format(tune=line))) for line in ("", "tuning.tune()"))
    assert tuned < untuned / 50


@LINUX
def test_what_is_free_can_be_given_back():
    program = """
import numpy as np
from btlib.speed import memory, tuning
tuning.tune()
np.ones(32_000_000)  # 256 MB
memory.reset_peak(); kept = memory.peak_mib()
memory.release()
memory.reset_peak(); print(kept - memory.peak_mib())
"""
    assert float(said(program)) > 200


def test_workers_share_the_processors():
    program = "import os; from btlib.speed import tuning; print(tuning.tune(workers=10**6).threads, os.environ['{}'])"
    assert said(program.format("OMP_NUM_THREADS")) == "1 1"


@pytest.mark.nightly  # a process that imports torch takes seconds
def test_torch_is_told_where_it_is_there_already():
    program = "import torch; from btlib.speed import tuning; tuning.tune(workers=10**6); print(torch.get_num_threads())"
    assert said(program) == "1"


def test_what_the_user_set_stays():
    program = (
        "import os; from btlib.speed import tuning; print(tuning.tune(10**6).threads, os.environ['OMP_NUM_THREADS'])"
    )
    assert said(program, OMP_NUM_THREADS="3") == "None 3"


def test_nothing_is_set_unasked():
    program = "from btlib.speed import tuning; print(tuning.current())"
    assert said(program) == str(tuning.Tuning())
    if joblib.cpu_count() == os.cpu_count():
        assert said(program.replace("current", "tune")).endswith("threads=None)")
