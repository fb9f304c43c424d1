"""What a machine is and can do: its identity, its energy, its ceiling in FLOP/s, and the FLOPs of a model."""

from btlib.speed.ceiling import Ceiling, measure_ceiling
from btlib.speed.energy import Reading, joules, reading
from btlib.speed.flops import flops_per_image
from btlib.speed.machine import machine_digest, machine_fingerprint

__all__ = [
    "Ceiling",
    "Reading",
    "flops_per_image",
    "joules",
    "machine_digest",
    "machine_fingerprint",
    "measure_ceiling",
    "reading",
]
