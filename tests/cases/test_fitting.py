"""A case's own model is trained once, and loaded exactly where it was made from the same."""

import json
import pickle
import runpy
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from btlib.cases import CASES, FittedModel, Work, fit_or_load, load_case
from btlib.data.dataset import Dataset
from btlib.errors import BtlibError, BtlibWarning, CheckpointError
from btlib.splits import Split, slice_seed42


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


def test_any_other_ingredient_trains_anew(work: Work, dataset: Dataset, make_dataset: Callable[..., Dataset]):
    split = slice_seed42(12)

    def on(dataset: Dataset, split: Split) -> Work:
        return Work.on(dataset, split, work.protocol, work.recipe, work.seed, work.checkpoints)

    assert get(on(dataset, split)).fingerprint == get(work).fingerprint
    others = {
        "seed": replace(work, seed=8),
        "recipe": replace(work, recipe=replace(work.recipe, epochs=11)),
        "data": on(make_dataset(12, seed=1), split),
        "labels": on(replace(dataset, labels=(dataset.labels + 1) % 3), split),
        "scaling": on(replace(dataset, scaling="percentile"), split),
        "split": on(dataset, replace(split, train=split.train[::-1])),
        "precision": replace(work, precision="fp32"),
    }
    assert {name: get(other).source for name, other in others.items()} == dict.fromkeys(others, "trained")
    assert get(work, depends_on="library 2").source == "trained"
    assert get(work).source == "loaded"


def test_why_it_trains_is_said(work: Work):
    said: list[str] = []
    work = replace(work, report=said.append)
    other = replace(work, seed=8, recipe=replace(work.recipe, epochs=11))
    get(work)
    fit_or_load(work, "my net-staged", lambda folder: [1], save=save, load=load)  # begins as the other's name
    (get(other).folder / "manifest.json").write_text("[]")
    get(replace(work, seed=8), depends_on={"library": 2})
    get(replace(work, retrain=True))
    assert said == [
        "my net, seed 7: training",
        "my net-staged, seed 7: training",
        "my net, seed 8: no stored model matches; the most similar one differs in recipe.epochs, seed",
        "my net, seed 8: no stored model matches; the most similar one differs in seed, depends_on.library",
        "my net, seed 7: training again, as requested",
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
    with pytest.warns(BtlibWarning, match=r"damaged \(.*\); the folder was renamed to my_net-\w+\.damaged"):
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
    with pytest.raises(OSError, match=r"symbolic link|my_net-"):
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
    died = subprocess.run([sys.executable, program], input=pickle.dumps(replace(work, report=print)), check=False)
    assert died.returncode == 9
    fitted = run(work)
    assert (fitted.source, fitted.model) == ("resumed", [0, 1, 2])
    assert list((work.checkpoints / "work").glob("*/")) == []
    assert (run(work).source, run(work).model) == ("loaded", [0, 1, 2])
    with pytest.raises(KeyboardInterrupt):  # of another seed nothing was left
        run(replace(work, seed=8))


def test_code_without_a_file_is_refused(work: Work):
    for fit in (partial(np.zeros, 3), eval("lambda folder: [1]")):
        with pytest.raises(BtlibError, match="fit of net: the source file cannot be found"):
            fit_or_load(work, "net", fit, save=save, load=load)


def test_two_cases_of_one_name_for_their_models(work: Work):
    one, other = (fit_or_load(replace(work, case=name), "net", fit_one, save=save, load=load) for name in ("a", "b"))
    assert (one.source, other.source) == ("trained", "trained")


def fit_one(folder: Path) -> list[int]:
    return [1]


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


def test_a_very_long_name(work: Work):
    found = [fit_or_load(work, "n" * 300 + end, fit_one, save=save, load=load).source for end in ("1", "2", "1")]
    assert found == ["trained", "trained", "loaded"]
