"""Hooks of btlib for other packages. They are called for every way of running it: pytest, `btlib run`, Python.

A package names a module in an entry point of the group `btlib.plugins`; a `conftest.py` needs no entry point. Both
implement hooks as functions with the names below, marked with `@hookimpl`. An implementation may leave out arguments
that it does not need.
"""

from functools import cache, partial
from typing import TYPE_CHECKING, Any

import pluggy

from btlib.errors import warn
from btlib.registry import entry_points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from btlib.gate.judgement import Judgement
    from btlib.options import PluginOption, RunOptions
    from btlib.protocol import Tier
    from btlib.reporting.section import Section
    from btlib.runs.plan import RunPlan
    from btlib.runs.record import CaseRecord
    from btlib.runs.store import RunStore

_spec = pluggy.HookspecMarker("btlib")
hookimpl = pluggy.HookimplMarker("btlib")
"""Decorator that marks a function as an implementation of the hook with the same name."""


class Specifications:
    """Specifications of the hooks. No hook receives test samples before a case has been scored."""

    @_spec
    def btlib_options(self) -> "Sequence[PluginOption]":  # type: ignore[empty-body]
        """Return the options of a plug-in. They appear as `--bt-<name>` in pytest and as `--<name>` in `btlib run`.

        Cases find the values in `Work.options`.
        """

    @_spec
    def btlib_adjust_tier(self, options: "RunOptions", given: "Mapping[str, Any]") -> "Callable[[Tier], Tier] | None":
        """Return a function that changes the settings (tier) of a run, or None.

        Args:
            options: Options of the run.
            given: Values of plug-in options that the user set, by name.
        """

    @_spec
    def btlib_check_plan(self, plan: "RunPlan") -> None:
        """Check the plan before any data are read.

        Raise `btlib.errors.OptionError` if the plug-in does not support the plan.
        """

    @_spec
    def btlib_record_written(self, store: "RunStore", record: "CaseRecord") -> None:
        """React to a new record: a case has been measured, and its record is stored in the run's folder.

        With several processes, the hook is called in the process that measured the case.
        """

    @_spec
    def btlib_run_judged(self, store: "RunStore", judgement: "Judgement") -> None:
        """React to a finished and judged run, for example export its results.

        The hook is called once per run, in the controlling process.
        """

    @_spec
    def btlib_report_sections(self, store: "RunStore", judgement: "Judgement") -> "Sequence[Section]":  # type: ignore[empty-body]
        """Return sections for the end of the run's HTML report: each has a title, and text or an SVG figure.

        The hook is called each time the page is made, also for an incomplete run. If it raises, the page shows the
        error.
        """


@cache
def manager() -> pluggy.PluginManager:
    """Return the plug-in manager with the hook implementations of all installed packages."""
    made = pluggy.PluginManager("btlib")
    made.add_hookspecs(Specifications)
    for point in entry_points("btlib.plugins"):
        made.register(point.load(), point.name)
    return made


def notify(name: str, **given: Any) -> None:
    """Call every implementation of a hook. If one raises, a warning is issued and the others are still called.

    Args:
        name: Name of the hook.
        given: Arguments of the hook.
    """
    for plugin, implementation in each(name, **given):
        try:
            implementation()
        except Exception as error:  # code of other packages may raise anything
            text = f"{plugin}: its hook {name} failed: {type(error).__name__}: {error}"
            warn(text, stacklevel=2)


def call() -> Any:
    """Return an object whose methods call every implementation of a hook.

    Example: `call().btlib_record_written(store=…, record=…)`. All arguments are keyword arguments. A call returns the
    list of the implementations' return values, without None.
    """
    return manager().hook


def each(name: str, **arguments: Any) -> "Iterator[tuple[str, Callable[[], Any]]]":
    """Yield each implementation of a hook: the plug-in's name, and a function that calls only this implementation.

    A failing implementation then does not stop the others.

    Args:
        name: Name of the hook.
        arguments: Arguments of the hook.
    """
    hooks = manager()
    for one in reversed(getattr(hooks.hook, name).get_hookimpls()):  # pluggy calls the last first
        alone = hooks.subset_hook_caller(name, hooks.get_plugins() - {one.plugin})
        yield one.plugin_name, partial(alone, **arguments)
