"""A run without a session around it: toy cases, small images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from btlib.api.benchmark_run import BenchmarkRun
from btlib.data.dataset import Dataset
from btlib.options import RunOptions
from btlib.runs import RunStore

from .toys import Toys, toy_run, toys


@pytest.fixture
def cases(monkeypatch: pytest.MonkeyPatch) -> Toys:
    """Two toys beside the registered cases."""
    return toys(monkeypatch)


@pytest.fixture
def make_run(tmp_path: Path, make_dataset: Callable[..., Dataset], cases: Toys) -> Callable[..., BenchmarkRun]:
    """A run of toys; options by name, and what `toy_run` takes under `of`."""

    def make(of: dict[str, Any] | None = None, **options: Any) -> BenchmarkRun:
        asked = RunOptions(root=tmp_path, image_size=32, **options)
        return toy_run(BenchmarkRun, cases, RunStore(tmp_path / "run"), asked, make_dataset, **(of or {}))

    return make
