"""Conformance checks of a case. They take seconds on phantoms and find errors before a benchmark is run."""

from btlib.conformance.checks import CHECKS, Check, Remark
from btlib.conformance.run import CheckResult, check_case, examine
from btlib.conformance.subject import Subject, make_subject

__all__ = ["CHECKS", "Check", "CheckResult", "Remark", "Subject", "check_case", "examine", "make_subject"]
