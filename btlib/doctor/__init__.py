"""Diagnosis for bug reports: what btlib finds on this machine, what it would choose, and whether it works."""

from btlib.doctor.diagnosis import Diagnosis, Finding, diagnose

__all__ = ["Diagnosis", "Finding", "diagnose"]
