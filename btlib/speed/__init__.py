"""What a machine is and can do: its identity, its energy and its ceiling in FLOP/s."""

from btlib.speed.ceiling import Ceiling, measure_ceiling
from btlib.speed.energy import Reading, joules, reading
from btlib.speed.machine import machine_digest, machine_fingerprint

__all__ = [
    "Ceiling",
    "Reading",
    "joules",
    "machine_digest",
    "machine_fingerprint",
    "measure_ceiling",
    "reading",
]
