"""What a function carries with it decides which model is its own."""

import functools
import json
import pickle
import sys
import threading
import types
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib.cases import FittedModel, Work, fit_or_load
from btlib.data.dataset import Dataset, Samples
from btlib.errors import BtlibError
from btlib.protocol import Recipe


def fitted(work: Work, fit: Callable[[Path], Any]) -> FittedModel[Any]:
    return fit_or_load(
        work,
        "net",
        fit,
        save=lambda model, folder: (folder / "model.json").write_text(json.dumps(model)),
        load=lambda folder: json.loads((folder / "model.json").read_text()),
    )


def source(work: Work, value: Any) -> str:
    """Whether the model of a training that closes over the value was trained or loaded."""
    return fitted(work, lambda folder: [len([value])]).source


def nets(widths: list[Any], name: str = "net") -> list[Callable[[Path], list[Any]]]:
    """Functions of the same lines, told apart by what they carry with them in every way that Python knows."""

    def closed(width: Any) -> Callable[[Path], list[Any]]:
        return lambda folder: [str(width)]

    def through(width: Any) -> Callable[[Path], list[Any]]:
        def inner() -> str:
            return str(width)

        return lambda folder: [inner()]

    def default(width: Any) -> Callable[[Path], list[Any]]:
        return lambda folder, width=width: [str(width)]

    def keyword(width: Any) -> Callable[[Path], list[Any]]:
        return lambda folder, *, width=width: [str(width)]

    def bound(width: Any) -> Callable[[Path], list[Any]]:
        return partial(lambda width, folder: [str(width)], width)

    def method(width: Any) -> Callable[[Path], list[Any]]:
        return Net(width).fit

    return [way(width) for way in (closed, through, default, keyword, bound, method, Net) for width in widths]


class Net:
    def __init__(self, width: Any) -> None:
        self.width = width

    def fit(self, folder: Path) -> list[Any]:
        return [str(self.width)]

    __call__ = fit


@pytest.mark.parametrize(
    "widths",
    [
        (8, 16),
        ("8", 8),
        (None, 0),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (Recipe(epochs=3), Recipe(epochs=4)),
        ({"a": [1, 2]}, {"a": [2, 1]}),
    ],
    ids=str,
)
def test_what_a_function_carries_with_it_is_part_of_the_identity(work: Work, widths: tuple[Any, Any]):
    for first, second in zip(nets([*widths])[::2], nets([*widths])[1::2], strict=True):
        work = replace(work, seed=work.seed + 1)
        found = [fitted(work, fit) for fit in (first, second, first, second)]
        assert [one.source for one in found] == ["trained", "trained", "loaded", "loaded"]
        assert [one.model for one in found] == [[str(widths[0])], [str(widths[1])]] * 2


def wrapped(width: int) -> Callable[[], int]:
    @functools.wraps(fitted)
    def inner() -> int:
        return width

    return inner


def classes(width: int) -> type:
    class Local:
        value = width

        def build(self) -> int:
            return self.value

    return Local


PAIRS = {
    "lambdas": (lambda: 1, lambda: 2),
    "wrapped functions": (wrapped(1), wrapped(2)),
    "cached functions": (functools.lru_cache(wrapped(1)), functools.lru_cache(wrapped(2))),
    "local classes": (classes(1), classes(2)),
    "classes made at run time": (type("Net", (), {"width": 1}), type("Net", (), {"width": 2})),
    "bound methods of built-in types": ({"w": 1}.get, {"w": 2}.get),
    "functions in a dict": ({"make": lambda: 1}, {"make": lambda: 2}),
    "modules": (json, pickle),
    "functions of one name in two modules": (json.dumps, pickle.dumps),
    "partials": (partial(pow, 2), partial(pow, 3)),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_functions_and_classes_count_with_what_they_do(work: Work, pair: tuple[Any, Any]):
    assert [source(work, value) for value in (*pair, *pair)] == ["trained", "trained", "loaded", "loaded"]


def test_two_functions_under_one_name_are_two_models(work: Work):
    found = [fitted(work, fit).model for fit in (lambda folder: [1], lambda folder: [2])]
    assert found == [[1], [2]]


def test_files_works_and_images_that_it_closes_over(work: Work, tmp_path: Path):
    (tmp_path / "a.pt").write_text("weights")
    (tmp_path / "b.pt").write_text("other weights")
    assert [source(work, tmp_path / name) for name in ("a.pt", "b.pt", "a.pt")] == ["trained", "trained", "loaded"]
    works = [replace(work, seed=seed) for seed in (1, 2, 1)]
    assert [source(work, one) for one in works] == ["trained", "trained", "loaded"]
    samples = [replace(work.train, images=work.train.images * factor) for factor in (1, 0, 1)]
    assert [source(work, one) for one in samples] == ["trained", "trained", "loaded"]


def test_where_the_work_is_done_is_no_part_of_the_identity(
    work: Work, tmp_path: Path, make_dataset: Callable[..., Dataset]
):
    def get(place: Path, data: Samples) -> str:
        return fitted(work, lambda folder: [len([place, data])]).source

    smaller = make_dataset(12, 16)
    assert get(tmp_path / "a", work.train) == "trained"
    assert get(tmp_path / "b", work.train) == "loaded"
    assert get(tmp_path / "b", smaller) == "trained", "another size is another model"


def test_a_value_of_which_nothing_can_be_told_is_refused(work: Work):
    lock = threading.Lock()
    with pytest.raises(BtlibError, match=r"fit of net: the function closes over 'lock', a lock, .*\n.*depends_on="):
        fitted(work, lambda folder: [str(lock)])


def test_code_of_a_notebook_counts(work: Work, monkeypatch: pytest.MonkeyPatch):
    """It has a module without a file, like `__main__` in a notebook."""
    notebook = types.ModuleType("notebook_of_a_test")
    monkeypatch.setitem(sys.modules, notebook.__name__, notebook)

    def cell(text: str) -> Any:
        exec(text, notebook.__dict__)
        return notebook.__dict__["build"]

    for text in ("def build():\n    return {}\n", "class build:\n    width = {}\n"):
        cells = [cell(text.format(width)) for width in (1, 2, 1)]
        assert [source(work, value) for value in cells] == ["trained", "trained", "loaded"]
