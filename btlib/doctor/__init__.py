"""What btlib finds on this machine, what it would choose, and whether that works: to attach to a bug report."""

from btlib.doctor.diagnosis import Diagnosis, Finding, diagnose

__all__ = ["Diagnosis", "Finding", "diagnose"]
