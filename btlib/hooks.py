"""What other packages may rely on: the hooks of btlib, called in every way of running it (pytest, `btlib run`, Python).

A package names a module in an entry point of the group `btlib.plugins`; a `conftest.py` needs none. Either implements
hooks as functions of these names, marked `@hookimpl`. Implementations may leave out arguments that they do not need.
"""

import warnings
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import pluggy

from btlib.errors import BtlibWarning
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
"""Marks a function as an implementation of the hook of its name."""


class Specifications:
    """The hooks. None of them is given test samples before a case has been scored."""

    @_spec
    def btlib_options(self) -> "Sequence[PluginOption]":  # type: ignore[empty-body]
        """Options of a plug-in, which appear as `--bt-<name>` in pytest and as `--<name>` in `btlib run`.

        Their values are in `Work.options`.
        """

    @_spec
    def btlib_adjust_tier(self, options: "RunOptions", given: "Mapping[str, Any]") -> "Callable[[Tier], Tier] | None":
        """How options change the settings of a run.

        Args:
            options: What the user asked for.
            given: The values of plug-ins' options that the user gave, by name.
        """

    @_spec
    def btlib_check_plan(self, plan: "RunPlan") -> None:
        """Refuse what a plug-in cannot do, before anything is read; raise `btlib.errors.OptionError`."""

    @_spec
    def btlib_record_written(self, store: "RunStore", record: "CaseRecord") -> None:
        """A case has been measured, and its record lies in the run's folder.

        With several processes it is called in the one that measured.
        """

    @_spec
    def btlib_run_judged(self, store: "RunStore", judgement: "Judgement") -> None:
        """A run has ended and was judged: the place for exports. Called once for a run, in the controlling process."""

    @_spec
    def btlib_report_sections(self, store: "RunStore", judgement: "Judgement") -> "Sequence[Section]":  # type: ignore[empty-body]
        """Sections to add at the end of the HTML report of a run: a title, and text or an SVG figure.

        It is called each time the page is made, also of a run that is not whole. Where it raises, the page says so.
        """


@cache
def manager() -> pluggy.PluginManager:
    """The hooks with all implementations of installed packages."""
    made = pluggy.PluginManager("btlib")
    made.add_hookspecs(Specifications)
    for point in entry_points("btlib.plugins"):
        made.register(point.load(), point.name)
    return made


def notify(name: str, **given: Any) -> None:
    """Tell every implementation of a hook what has happened. One that raises is warned of, and costs nothing else.

    Args:
        name: Of the hook.
        given: Its arguments.
    """
    for plugin, implementation in each(name, **given):
        try:
            implementation()
        except Exception as error:  # foreign code: what it raises is its own failure
            text = f"{plugin}: its hook {name} failed: {type(error).__name__}: {error}"
            warnings.warn(text, BtlibWarning, stacklevel=2)


def call() -> Any:
    """Calls every implementation of a hook: `call().btlib_record_written(store=…, record=…)`; all arguments are named.

    A call returns the list of what the implementations returned, without None.
    """
    return manager().hook


def each(name: str, **arguments: Any) -> "Iterator[tuple[str, Callable[[], Any]]]":
    """Every implementation of a hook: its package's name, and what calls it alone, so that others do not fail with it.

    Args:
        name: Of the hook.
        arguments: Those of the hook.
    """
    hooks = manager()
    for one in reversed(getattr(hooks.hook, name).get_hookimpls()):  # pluggy calls the last first
        alone = hooks.subset_hook_caller(name, hooks.get_plugins() - {one.plugin})
        yield one.plugin_name, partial(alone, **arguments)
