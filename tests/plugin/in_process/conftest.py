"""A run of the plugin without a session around it: toy cases, small images, options as pytest would parse them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from btlib.data.dataset import Dataset
from btlib.options import RunOptions
from btlib.plugin import options as options_room
from btlib.plugin.run import Run
from btlib.runs import RunStore
from tests.api.toys import Toys, toy_run, toys


@pytest.fixture
def cases(monkeypatch: pytest.MonkeyPatch) -> Toys:
    """Two toys beside the registered cases."""
    return toys(monkeypatch)


@pytest.fixture
def parse(tmp_path: Path) -> Callable[..., RunOptions]:
    """Options as pytest parses and btlib reads them; the user stands in `tmp_path/here` of the project `tmp_path`."""

    def parsed(*args: str) -> RunOptions:
        parser = pytest.Parser(_ispytest=True)
        options_room.add(parser)
        given = parser.parse([*args])
        (tmp_path / "here").mkdir(exist_ok=True)
        config: Any = SimpleNamespace(
            getoption=lambda name: getattr(given, name),
            rootpath=tmp_path,
            invocation_params=SimpleNamespace(dir=tmp_path / "here"),
        )
        return options_room.read(config)

    return parsed


@pytest.fixture
def make_run(
    tmp_path: Path, parse: Callable[..., RunOptions], make_dataset: Callable[..., Dataset], cases: Toys
) -> Callable[..., Run]:
    """A run of toys of the smoke tier; options as on the command line, and what `toy_run` takes by name."""

    def make(*args: str, **of: Any) -> Run:
        options = parse("--bt-image-size=32", *args)
        return toy_run(Run, cases, RunStore(tmp_path / "run"), options, make_dataset, **of)

    return make
