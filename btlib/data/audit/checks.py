"""Registry of the checks of an audit."""

from collections.abc import Callable, Iterable

from btlib.data.audit.examine import Examined
from btlib.data.audit.finding import Finding
from btlib.registry import Registry

Check = Callable[[Examined], Iterable[Finding]]
"""Function that returns its findings on the samples that were read."""

CHECKS: Registry[Check] = Registry("check", "btlib.audit")
"""Checks by name, in the order in which they are made. Other packages add checks with an entry point in the group
`btlib.audit`."""
