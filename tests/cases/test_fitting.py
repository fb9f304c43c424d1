"""A case's own model is trained once, and loaded exactly where it was made from the same."""

import functools
import json
import pickle
import runpy
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib.cases import CASES, FittedModel, Work, fit_or_load, load_case
from btlib.data.dataset import Dataset
from btlib.errors import BtlibError, BtlibWarning, CheckpointError
from btlib.protocol import Protocol, Recipe
from btlib.splits import slice_seed42


@pytest.fixture
def work(tmp_path: Path, make_dataset: Callable[..., Dataset]) -> Work:
    protocol = Protocol(image_size=32)
    return Work(make_dataset(12), slice_seed42(12), protocol, Recipe(name="test"), 7, tmp_path / "checkpoints")


class StopError(Exception):
    """Thrown into a training."""


def save(model: list[int], folder: Path) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "model.json").write_text(json.dumps(model))


def load(folder: Path) -> list[int]:
    return json.loads((folder / "deep" / "model.json").read_text())


def get(work: Work, **more: object) -> FittedModel[list[int]]:
    return fit_or_load(work, "my net", lambda folder: [work.seed, 2], save=save, load=load, **more)


def test_trained_once_then_loaded(work: Work):
    first, second = get(work), get(work)
    assert (first.source, second.source) == ("trained", "loaded")
    assert first.model == second.model == [7, 2]
    assert first.seconds > 0 == second.seconds
    assert first.fingerprint == second.fingerprint
    assert first.folder == work.checkpoints / f"my_net-{first.fingerprint}"
    assert list((work.checkpoints / "work").glob("*/")) == []


def test_what_a_case_returns(work: Work):
    fitted = get(work)
    prepared = fitted.prepared("predictor", details={"device": "cpu"}, notes=("a note",))
    assert (prepared.source, prepared.fingerprint) == ("trained", fitted.fingerprint)
    assert prepared.details == {"checkpoint": fitted.folder.name, "device": "cpu"}
    assert prepared.notes == ("a note",)


def test_any_other_ingredient_trains_anew(work: Work, make_dataset: Callable[..., Dataset]):
    others = {
        "seed": replace(work, seed=8),
        "recipe": replace(work, recipe=replace(work.recipe, epochs=11)),
        "data": replace(work, dataset=make_dataset(12, seed=1)),
        "scaling": replace(work, dataset=replace(work.dataset, scaling="percentile")),
        "split": replace(work, split=replace(work.split, train=work.split.train[::-1])),
        "precision": replace(work, precision="fp32"),
    }
    get(work)
    assert {name: get(other).source for name, other in others.items()} == dict.fromkeys(others, "trained")
    assert get(work, depends_on="library 2").source == "trained"
    assert get(work).source == "loaded"


def test_why_it_trains_is_said(work: Work):
    said: list[str] = []
    work = replace(work, say=said.append)
    other = replace(work, seed=8, recipe=replace(work.recipe, epochs=11))
    get(work)
    fit_or_load(work, "my net-staged", lambda folder: [1], save=save, load=load)  # begins as the other's name
    (get(other).folder / "manifest.json").write_text("[]")
    get(replace(work, seed=8), depends_on={"library": 2})
    get(replace(work, retrain=True))
    assert said == [
        "my net, seed 7: training",
        "my net-staged, seed 7: training",
        "my net, seed 8: no stored model fits; the nearest differs in recipe.epochs, seed",
        "my net, seed 8: no stored model fits; the nearest differs in seed, depends_on.library",
        "my net, seed 7: trained anew, as asked",
    ]


def test_code_of_the_case_counts_and_its_comments_do_not(work: Work, tmp_path: Path):
    def of(text: str) -> str:
        (tmp_path / "case_file.py").write_text(text)
        space: dict[str, Callable[[Path], list[int]]] = {}
        exec(compile(text, str(tmp_path / "case_file.py"), "exec"), space)
        return fit_or_load(work, "net", space["fit"], save=save, load=load).source

    assert of("def fit(folder):\n    return [1]\n") == "trained"
    assert of("def fit(folder):\n    return [1]  # one\n") == "loaded"
    assert of("def fit(folder):\n    return [2]\n") == "trained"


def test_retrain_trains(work: Work):
    get(work)
    assert get(replace(work, retrain=True)).source == "trained"


@pytest.mark.parametrize("damage", ["cut", "gone", "more", "manifest"])
def test_a_damaged_model_is_set_aside(work: Work, damage: str):
    folder = get(work).folder
    file = folder / "deep" / "model.json"
    match damage:
        case "cut":
            file.write_text("[")
        case "gone":
            file.unlink()
        case "more":
            (folder / "stray").write_text("")
        case "manifest":
            (folder / "manifest.json").write_text("{}")
    with pytest.warns(BtlibWarning, match=r"damaged; kept as my_net-\w+\.damaged"):
        assert get(work).source == "trained"
    assert folder.with_name(f"{folder.name}.damaged").is_dir()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert get(work).source == "loaded"


def test_a_training_that_fails_leaves_nothing(work: Work):
    def fail(folder: Path) -> list[int]:
        raise ZeroDivisionError

    def half(model: list[int], folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError("disk full")

    with pytest.raises(ZeroDivisionError):
        fit_or_load(work, "my net", fail, save=save, load=load)
    with pytest.raises(OSError, match="disk full"):
        fit_or_load(work, "my net", lambda folder: [1], save=half, load=load)
    with pytest.raises(CheckpointError, match="save wrote no file"):
        fit_or_load(work, "my net", lambda folder: [1], save=lambda model, folder: None, load=load)
    assert [path.name for path in work.checkpoints.iterdir()] == ["work"]
    assert not [path for path in (work.checkpoints / "work").iterdir() if path.suffix != ".lock"]


def test_code_counts_as_it_was_imported(work: Work, tmp_path: Path):
    """An edit during an hour of training is not what ran: the next seed must not be kept under the new code's name."""
    path = tmp_path / "case_file.py"
    path.write_text(
        "from btlib.cases import case, fit_or_load\n"
        "@case('edited', 'a case', has_mask=True, has_classes=False)\n"
        "def prepare(work):\n"
        "    return fit_or_load(work, 'net', lambda folder: 1, save=lambda model, folder: (folder / 'm').touch(),\n"
        "                       load=lambda folder: 1)\n"
    )
    prepare = load_case(f"{path}::edited").prepare
    first = prepare(work).fingerprint
    path.write_text(path.read_text().replace("lambda folder: 1,", "lambda folder: 2,"))
    assert prepare(work).fingerprint == first
    assert prepare(work).source == "loaded"
    del CASES._items["edited"]


def test_a_training_that_found_its_state_damaged_is_not_called_resumed(work: Work):
    def fit(folder: Path) -> list[int]:
        state = folder / "state"
        if not state.exists():
            state.write_text("half")
            raise StopError
        state.replace(folder / "state.damaged")
        return [1]

    with pytest.raises(StopError):
        fit_or_load(work, "my net", fit, save=save, load=load)
    assert fit_or_load(work, "my net", fit, save=save, load=load).source == "trained"


def test_retraining_starts_from_nothing(work: Work, tmp_path: Path):
    def interrupted(folder: Path) -> list[int]:
        with (tmp_path / "log").open("a") as file:
            print(sorted(path.name for path in folder.iterdir()), file=file)
        (folder / "state").write_text("half")
        raise StopError

    for retrain in (False, False, True):
        with pytest.raises(StopError):
            fit_or_load(replace(work, retrain=retrain), "my net", interrupted, save=save, load=load)
    assert (tmp_path / "log").read_text().splitlines() == ["[]", "['state']", "[]"]


def test_a_state_that_cannot_be_cleared_away_is_not_trained_on(work: Work, tmp_path: Path):
    def interrupted(folder: Path) -> list[int]:
        (folder / "state").write_text("half")
        raise StopError

    with pytest.raises(StopError):
        fit_or_load(work, "my net", interrupted, save=save, load=load)
    (state,) = (work.checkpoints / "work").glob("*/")
    state.rename(tmp_path / "scratch")
    state.symlink_to(tmp_path / "scratch")
    with pytest.raises(OSError, match="symbolic link"):
        fit_or_load(replace(work, retrain=True), "my net", interrupted, save=save, load=load)
    assert (tmp_path / "scratch" / "state").exists()


INTERRUPTED = """
import json, os, pickle, sys
from btlib.cases import fit_or_load

def count(folder):
    state = folder / "epochs.json"
    done = json.loads(state.read_text()) if state.exists() else []
    state.write_text(json.dumps([*done, len(done)]))
    if len(done) == 0:
        raise KeyboardInterrupt
    if len(done) == 1:
        os._exit(9)
    return [*done, len(done)]

def save(model, folder):
    (folder / "model.json").write_text(json.dumps(model))

def load(folder):
    return json.loads((folder / "model.json").read_text())

def run(work):
    return fit_or_load(work, "my net", count, save=save, load=load)

if __name__ == "__main__":
    run(pickle.loads(sys.stdin.buffer.read()))
"""


def test_an_interrupted_training_finds_what_it_left(work: Work, tmp_path: Path):
    """Whatever stops it: an error of its own, or a death that runs no more code."""
    program = tmp_path / "interrupted.py"
    program.write_text(INTERRUPTED)
    run = runpy.run_path(str(program))["run"]

    with pytest.raises(KeyboardInterrupt):
        run(work)
    died = subprocess.run([sys.executable, program], input=pickle.dumps(replace(work, say=print)), check=False)
    assert died.returncode == 9
    fitted = run(work)
    assert (fitted.source, fitted.model) == ("resumed", [0, 1, 2])
    assert list((work.checkpoints / "work").glob("*/")) == []
    assert (run(work).source, run(work).model) == ("loaded", [0, 1, 2])
    with pytest.raises(KeyboardInterrupt):  # of another seed nothing was left
        run(replace(work, seed=8))


def test_code_without_a_file_is_refused(work: Work):
    for fit in (partial(np.zeros, 3), eval("lambda folder: [1]")):
        with pytest.raises(BtlibError, match="fit of net: its source file cannot be found"):
            fit_or_load(work, "net", fit, save=save, load=load)


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
        found = [fit_or_load(work, "net", fit, save=save, load=load) for fit in (first, second, first, second)]
        assert [fitted.source for fitted in found] == ["trained", "trained", "loaded", "loaded"]
        assert [fitted.model for fitted in found] == [[str(widths[0])], [str(widths[1])]] * 2


def test_two_cases_of_one_name_for_their_models(work: Work):
    one, other = (fit_or_load(replace(work, case=name), "net", fit_one, save=save, load=load) for name in ("a", "b"))
    assert (one.source, other.source) == ("trained", "trained")


def fit_one(folder: Path) -> list[int]:
    return [1]


def wrapped(width: int) -> Callable[[], int]:
    @functools.wraps(get)
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
    def source(value: Any) -> str:
        return fit_or_load(work, "net", lambda folder: [len([value])], save=save, load=load).source

    assert [source(value) for value in (*pair, *pair)] == ["trained", "trained", "loaded", "loaded"]


def test_two_functions_under_one_name_are_two_models(work: Work):
    found = [
        fit_or_load(work, "net", fit, save=save, load=load).model for fit in (lambda folder: [1], lambda folder: [2])
    ]
    assert found == [[1], [2]]


def test_files_works_and_images_that_it_closes_over(work: Work, tmp_path: Path):
    def source(value: Any) -> str:
        return fit_or_load(work, "net", lambda folder: [len([value])], save=save, load=load).source

    (tmp_path / "a.pt").write_text("weights")
    (tmp_path / "b.pt").write_text("other weights")
    assert [source(tmp_path / name) for name in ("a.pt", "b.pt", "a.pt")] == ["trained", "trained", "loaded"]
    works = [replace(work, seed=seed) for seed in (1, 2, 1)]
    assert [source(one) for one in works] == ["trained", "trained", "loaded"]
    datasets = [replace(work.dataset, images=work.dataset.images * factor) for factor in (1, 0, 1)]
    assert [source(one) for one in datasets] == ["trained", "trained", "loaded"]


def test_the_file_of_the_case_counts_where_fit_is_of_another(tmp_path: Path, work: Work):
    """The model depends on what `mine.py` gives to a function of a library of the user's."""
    (tmp_path / "train_lib_of_a_test.py").write_text("def train(value, folder):\n    return [value()]\n")
    text = """
import functools, train_lib_of_a_test
from btlib.cases import Prepared, case, fit_or_load
def value():
    return {value}
@case("mine-{value}", "mine", has_mask=True, has_classes=False)
def prepare(work):
    fit = functools.partial(train_lib_of_a_test.train, value)
    fitted = fit_or_load(work, "net", fit, save=lambda m, f: (f / "m").write_text(str(m)), load=lambda f: None)
    return fitted.prepared(None, details={{"model": fitted.model}})
"""
    found = []
    for value in (1, 2):
        (tmp_path / f"mine{value}.py").write_text(text.format(value=value))
        case = load_case(f"{tmp_path / f'mine{value}.py'}::mine-{value}")
        found.append(case.prepare(replace(work, case="")).source)  # whatever the case is called
    assert found == ["trained", "trained"]


def test_where_the_work_is_done_is_no_part_of_the_identity(
    work: Work, tmp_path: Path, make_dataset: Callable[..., Dataset]
):
    def get(place: Path, data: Dataset) -> str:
        return fit_or_load(work, "net", lambda folder: [len([place, data])], save=save, load=load).source

    smaller = make_dataset(12, 16)
    assert get(tmp_path / "a", work.dataset) == "trained"
    assert get(tmp_path / "b", work.dataset) == "loaded"
    assert get(tmp_path / "b", smaller) == "trained", "another size is another model"


def test_a_value_of_which_nothing_can_be_told_is_refused(work: Work):
    lock = threading.Lock()
    with pytest.raises(BtlibError, match=r"fit of net: it closes over 'lock', a lock, .*\n.*depends_on="):
        fit_or_load(work, "net", lambda folder: [str(lock)], save=save, load=load)


def test_a_very_long_name(work: Work):
    found = [fit_or_load(work, "n" * 300 + end, fit_one, save=save, load=load).source for end in ("1", "2", "1")]
    assert found == ["trained", "trained", "loaded"]
