"""Identities of values that a function closes over: what tells two apart, and what is left out."""

import functools
import json
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib import fingerprint
from btlib.cases import Work, closure
from btlib.cases.closure import closure_of
from btlib.data.dataset import Dataset
from btlib.data.sources.tasks import FIGSHARE
from btlib.protocol import Protocol, Recipe


def identity(work: Work, value: Any) -> str | None:
    """Of a value that a function closes over; None where it is left out."""
    return closure_of(lambda folder: [value], work, where="a test").get("value")


def takes(a: int, b: int = 2, *, c: int = 3) -> list[int]:
    return [a, b, c]


def with_attribute(width: int) -> Callable[[], int]:
    def inner() -> int:
        return 0

    inner.width = width  # type: ignore[attr-defined]
    return inner


def with_default(width: int) -> Callable[..., int]:
    return lambda a, b=width: b


def with_keyword(width: int) -> Callable[..., int]:
    return lambda *, b=width: b


def of_methods(kind: Callable[[Any], Any], width: int) -> type:
    """Two classes of the same lines: the method closes over the width."""

    class Local:
        method = kind(lambda *args: width)

    return Local


class Base1:
    pass


class Base2:
    pass


def derived(base: type) -> type:
    class Local(base):  # type: ignore[misc]
        pass

    return Local


@dataclass
class Point:
    x: Any
    y: Any


class Plain:
    def __init__(self, width: int) -> None:
        self.width = width

    def one(self) -> int:
        return self.width

    def two(self) -> int:
        return self.width


DIFFERENT = {
    "kinds of number": (1, 1.0, True, "1"),
    "numbers": (9, 10, -9),
    "nothing": (None, 0, "", False, [], ()),
    "order": ([1, 2], [2, 1], [1, 2, 2]),
    "list or tuple": ([1, 2], (1, 2)),
    "nesting": ([[1], [2]], [[1, 2]], [1, [2]]),
    "kinds of key": ({1: "a"}, {"1": "a"}),
    "keys and values": ({"a": 1}, {"a": 2}, {"b": 1}),
    "sets": ({1, 2}, {1, 3}),
    "bytes": (b"a", b"b"),
    "shapes": (np.zeros((2, 3)), np.zeros((3, 2)), np.zeros(6)),
    "kinds of array": (np.zeros(3, np.float32), np.zeros(3, np.float64)),
    "fields": (Point(1, 2), Point(2, 1), Point(1, None)),
    "dataclasses": (Recipe(epochs=3), Recipe(epochs=4), Recipe(name="other", epochs=3)),
    "values of a plain object": (Plain(1), Plain(2)),
    "bound methods": (Plain(1).one, Plain(2).one, Plain(1).two),
    "called functions": (lambda: len(()), lambda: sum(())),
    "constants": (lambda: 1, lambda: 2, lambda: "1"),
    "functions within": (lambda: [i + 1 for i in range(3)], lambda: [i + 2 for i in range(3)]),
    "names within": (lambda a, b: a, lambda a, b: b),
    "defaults": (with_default(1), with_default(2)),
    "defaults by keyword": (with_keyword(1), with_keyword(2)),
    "attributes of functions": (with_attribute(1), with_attribute(2)),
    "positions of bound arguments": (functools.partial(takes, 1, 2), functools.partial(takes, 2, 1)),
    "names of bound arguments": (functools.partial(takes, b=1), functools.partial(takes, c=1)),
    "bound functions": (functools.partial(len), functools.partial(sum)),
    "built in": (len, sum),
    "of packages": (json.dumps, json.loads),
    "classes of packages": (json.JSONEncoder, json.JSONDecoder),
    "modules": (json, np),
    "properties": (of_methods(property, 1), of_methods(property, 2)),
    "class methods": (of_methods(classmethod, 1), of_methods(classmethod, 2)),
    "static methods": (of_methods(staticmethod, 1), of_methods(staticmethod, 2)),
    "base classes": (derived(Base1), derived(Base2)),
}


@pytest.mark.parametrize("values", DIFFERENT.values(), ids=DIFFERENT)
def test_values_that_differ(values: tuple[Any, ...], work: Work) -> None:
    found = [identity(work, value) for value in values]
    assert None not in found
    assert len(set(found)) == len(values)
    assert [identity(work, value) for value in values] == found


@pytest.mark.parametrize("text", ["def build():\n    return {}\n", "class build:\n    width = {}\n"])
def test_an_installed_package_counts_by_name_and_the_user_s_own_code_by_what_it_does(
    text: str, work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("library_of_a_test")
    module.__file__ = str(tmp_path / "library" / "library_of_a_test.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)

    def built(width: int) -> Any:
        exec(text.format(width), module.__dict__)
        return module.__dict__["build"]

    assert identity(work, built(1)) != identity(work, built(2))
    monkeypatch.setattr(closure, "_LIBRARIES", (str((tmp_path / "library").resolve()),))
    assert identity(work, built(1)) == identity(work, built(2)) is not None
    assert identity(work, functools.lru_cache(built(1))) == identity(work, functools.lru_cache(built(2)))


SAME = {
    "order of keys": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    "copies": (np.arange(6).reshape(2, 3), np.arange(6).reshape(2, 3)),
    "functions of the same code": (with_default(1), with_default(1)),
    "classes of the same code": (of_methods(property, 1), of_methods(property, 1)),
    "fields": (Point(1, [2]), Point(1, [2])),
}


@pytest.mark.parametrize("values", SAME.values(), ids=SAME)
def test_values_that_are_the_same(values: tuple[Any, Any], work: Work) -> None:
    first, second = (identity(work, value) for value in values)
    assert first == second is not None


@pytest.mark.parametrize("name", ["seed", "precision", "recipe", "protocol", "split", "data", "task"])
def test_another_work_counts_with_what_decides_a_model(name: str, work: Work) -> None:
    other: dict[str, Any] = {
        "seed": 70,
        "precision": "bf16",
        "recipe": replace(work.recipe, epochs=99),
        "protocol": Protocol(image_size=48),
        "split": "another",
        "data": "others",
        "task": FIGSHARE,
    }
    assert identity(work, replace(work, **{name: other[name]})) != identity(work, replace(work)) is not None


def test_another_work_counts_without_what_does_not(work: Work, tmp_path: Path) -> None:
    where = replace(
        work, checkpoints=tmp_path / "x", device="cuda", progress_bars=True, retrain=True, case="other", report=print
    )
    assert identity(work, where) == identity(work, replace(work))


@pytest.mark.parametrize("name", ["images", "masks", "labels", "scaling", "ids"])
def test_other_samples_count_with_all_that_is_learned_from(name: str, work: Work) -> None:
    """The fingerprint of the data as it was read does not know what a case made of it in memory."""
    data = work.train
    assert data.labels is not None
    changed: dict[str, Any] = {
        "images": data.images[:, :, ::-1].copy(),
        "masks": ~data.masks,
        "labels": data.labels[::-1].copy(),
        "scaling": "percentile",
        "ids": data.ids[::-1].copy(),
    }
    assert identity(work, replace(data, **{name: changed[name]})) != identity(work, replace(data)) is not None


@pytest.mark.parametrize("name", ["images", "masks"])
def test_pixels_that_are_read_when_asked_for_count_by_their_values(
    name: str, work: Work, make_dataset: Callable[..., Dataset]
) -> None:
    def rows(dataset: Dataset, positions: list[int]) -> str | None:
        return identity(work, getattr(dataset.part(np.array(positions)), name))

    one, same, other = make_dataset(12), make_dataset(18), make_dataset(12, seed=1)
    changed = replace(
        same, images=np.concatenate([one.images, one.images[:6]]), masks=np.tile(one.masks, (2, 1, 1, 1))[:18]
    )
    assert rows(one, [0, 5]) == rows(changed, [0, 5]) == rows(changed, [12, 17]) is not None
    assert len({rows(one, [0, 5]), rows(one, [5, 0]), rows(one, [0]), rows(other, [0, 5])}) == 4


def test_what_is_left_out(work: Work, tmp_path: Path) -> None:
    """The work and its samples, which have identities of their own; folders, and files that are not there."""
    for value in (work, work.train, work.val, tmp_path, tmp_path / "missing"):
        assert identity(work, value) is None
    assert closure_of(lambda folder: [work.seed], work, where="a test").keys() == {"function"}


def test_a_device_is_left_out(work: Work) -> None:
    torch = pytest.importorskip("torch")
    assert identity(work, torch.device("cpu")) is None


def test_a_file_counts_by_its_content(work: Work, tmp_path: Path) -> None:
    for name, text in (("a", "one"), ("b", "one"), ("c", "two")):
        (tmp_path / name).write_text(text)
    a, b, c = (identity(work, tmp_path / name) for name in "abc")
    assert a == b == fingerprint.of_file(tmp_path / "a") != c


def test_the_names_of_what_a_function_carries(work: Work) -> None:
    """Defaults stand with the last arguments; a cell that is not filled yet has nothing."""
    closed, width = 5, 6

    def fit(folder: Path, first: int, b: int = 2, *, c: int = 3, d: int) -> list[int]:
        return [closed, width, later]

    found = closure_of(fit, work, where="a test")
    assert found.keys() == {"function", "closed", "width", "b", "c"}
    assert found["b"] == identity(work, 2)
    assert found["c"] == identity(work, 3)
    assert found["closed"] == identity(work, 5)
    later = 7
    assert closure_of(fit, work, where="a test")["later"] == identity(work, 7)


def test_values_that_contain_themselves(work: Work) -> None:
    ring: list[Any] = [1]
    ring.append(ring)
    other: list[Any] = [2]
    other.append(other)
    assert identity(work, ring) != identity(work, other)

    def again(n: int) -> int:
        return 0 if n == 0 else again(n - 1)

    def fit(folder: Path) -> Any:
        return fit, again

    assert closure_of(fit, work, where="a test").keys() == {"function", "again"}
    assert identity(work, [[1], [1]]) != identity(work, [[1]])
