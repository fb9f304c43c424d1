"""The options `--bt-…` of pytest, generated from `btlib.options`."""

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from btlib.options import Declared, RunOptions

STATUS = "bt_status"
"""Name of the attribute of a failure, and of the property of its report, with the verdict that failed the item."""


GATE_BASELINE = "btlib_gate_baseline"
"""Name of the ini option with the baseline of the fixture `bt_gate`."""


def add(parser: pytest.Parser) -> None:
    """Declare the options."""
    from btlib.options import declarations, default_of, plugin_options

    group = parser.getgroup("btlib", "btlib: benchmarks of medical segmentation and classification")
    for name, declared in declarations().items():
        _add(group, name.replace("_", "-"), declared, default_of(name))
    parser.addini(
        GATE_BASELINE, "baseline of bt_gate: a name in baselines/, a path, or none (default: gate)", default=""
    )
    for option in plugin_options():
        _add(group, option.name, option.declared, option.default)


def read(config: pytest.Config) -> "RunOptions":
    """Return the options of a session; relative folders of output and checkpoints are in the project.

    Raises:
        UsageError: A folder does not exist, or options contradict each other.
    """
    from btlib.errors import BtlibError
    from btlib.options import RunOptions, declarations, parser_of, plugin_options, plugin_values

    here = config.invocation_params.dir
    values: dict[str, Any] = {}
    plugins = {option.key: option for option in plugin_options()}
    try:
        for name, declared in {**declarations(), **{k: o.declared for k, o in plugins.items()}}.items():
            value = config.getoption(f"bt_{name}")
            if declared.kind == "folder" and value is not None:
                value = parser_of(declared, here, f"--bt-{name.replace('_', '-')}")(value)
            if declared.kind == "repeated":
                value = tuple(value or ())
            values[name] = value
        given = plugin_values(plugins.values(), {name: values.pop(name) for name in plugins}, here)
        return RunOptions(root=config.rootpath, plugins=given, **values)
    except BtlibError as error:
        raise pytest.UsageError(str(error)) from error


def _add(group: Any, name: str, declared: "Declared", default: Any) -> None:
    more: dict[str, Any] = {"metavar": declared.metavar} if declared.metavar else {}
    if declared.kind == "flag":
        more["action"] = "store_true"
    elif declared.kind == "repeated":
        more |= {"action": "append", "default": None}
    elif declared.choices is not None:
        more |= {"choices": declared.choices, "default": default}
    else:
        more["default"] = default
        if declared.kind in ("count", "seed", "stages", "share", "list"):
            more["type"] = partial(_parsed, declared)
    group.addoption(f"--bt-{name}", dest=f"bt_{name.replace('-', '_')}", help=declared.text, **more)


def _parsed(declared: "Declared", text: str) -> Any:
    from btlib.errors import OptionError
    from btlib.options import parser_of

    try:
        return parser_of(declared, Path(), "")(text)
    except OptionError as error:
        raise argparse.ArgumentTypeError(error.problem) from error
