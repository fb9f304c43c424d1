"""The hooks: every implementation is told, and one that raises costs nothing else."""

from typing import Any

import pluggy
import pytest

from btlib import hooks
from btlib.errors import BtlibWarning

HOOKS = sorted(name for name in vars(hooks.Specifications) if name.startswith("btlib_"))


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> pluggy.PluginManager:
    made = pluggy.PluginManager("btlib")
    made.add_hookspecs(hooks.Specifications)
    monkeypatch.setattr(hooks, "manager", lambda: made)
    return made


def plugin(**functions: Any) -> Any:
    return type("Plugin", (), {name: staticmethod(hooks.hookimpl(f)) for name, f in functions.items()})()


def test_all_are_told_though_one_fails(manager: pluggy.PluginManager) -> None:
    told: list[str] = []

    def fails(record: object) -> None:
        raise ValueError("no network")

    manager.register(plugin(btlib_record_written=lambda record: told.append(f"first {record}")), "first")
    manager.register(plugin(btlib_record_written=fails), "second")
    manager.register(plugin(btlib_record_written=lambda store, record: told.append(f"third {store} {record}")), "third")
    with pytest.warns(BtlibWarning, match="second: its hook btlib_record_written failed: ValueError: no network"):
        hooks.notify("btlib_record_written", store="S", record="R")
    assert sorted(told) == ["first R", "third S R"]


def test_what_implementations_return_is_collected(manager: pluggy.PluginManager) -> None:
    manager.register(plugin(btlib_options=lambda: ["a"]))
    manager.register(plugin(btlib_options=lambda: None))
    manager.register(plugin(btlib_options=lambda: ["b", "c"]))
    assert sorted(hooks.call().btlib_options()) == [["a"], ["b", "c"]]


@pytest.mark.parametrize("name", HOOKS)
def test_a_misspelt_argument_is_refused_when_it_is_registered(manager: pluggy.PluginManager, name: str) -> None:
    with pytest.raises(pluggy.PluginValidationError):
        manager.register(plugin(**{name: lambda nonsense: None}))


def test_an_interruption_comes_through(manager: pluggy.PluginManager) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    manager.register(plugin(btlib_run_judged=interrupted))
    with pytest.raises(KeyboardInterrupt):
        hooks.notify("btlib_run_judged", store="S", judgement="J")
