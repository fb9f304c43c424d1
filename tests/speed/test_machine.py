"""The machine's fingerprint: the same from process to process, another where its arithmetic is limited."""

import os
import subprocess
import sys

from btlib.speed import machine

DIGEST = "from btlib.speed import machine; print(machine.digest())"


def digest_of_a_process(**environment: str) -> str:
    found = subprocess.check_output([sys.executable, "-c", DIGEST], text=True, env=os.environ | environment)
    return found.strip()


def test_it_is_stable():
    assert digest_of_a_process() == digest_of_a_process()


def test_limited_arithmetic_is_another_machine():
    assert digest_of_a_process() != digest_of_a_process(ONEDNN_MAX_CPU_ISA="AVX2")


def test_it_says_what_counts():
    assert set(machine.facts()) >= {"cpu", "cpus", "simd"}
    assert all(machine.facts().values())
