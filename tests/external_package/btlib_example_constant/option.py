"""An option of one's own: how sure the constant case is of a class at most."""

from btlib.errors import OptionError
from btlib.hooks import hookimpl
from btlib.options import Declared, PluginOption
from btlib.runs.plan import RunPlan


@hookimpl
def btlib_options() -> list[PluginOption]:
    """`--bt-modesty` in pytest, `--modesty` in `btlib run`."""
    return [PluginOption("modesty", Declared("constant: mix this percentage of equal shares in", "count", "PERCENT"))]


@hookimpl
def btlib_check_plan(plan: RunPlan) -> None:
    """A percentage is 100 at most."""
    if (plan.options.plugins.get("modesty") or 0) > 100:
        raise OptionError("expected a percentage", where="--bt-modesty", hint="give a number from 1 to 100")
