"""What decides a fitted model, the lock around it, and a folder that is whole or not there."""

import json
import re
import shutil
import stat
import sys
import types
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from btlib import fingerprint
from btlib.cases import CASES, Case, FittedModel, Work, fit_or_load, fitting
from btlib.data.cache import PREPROCESSING
from btlib.data.dataset import Dataset
from btlib.errors import BtlibWarning
from btlib.protocol import Protocol, Recipe
from btlib.splits import slice_seed42

Fit = Callable[[Path], list[int]]


def fit_one(folder: Path) -> list[int]:
    return [1]


def save(model: list[int], folder: Path) -> None:
    (folder / "model.json").write_text(json.dumps(model))


def load(folder: Path) -> list[int]:
    found: list[int] = json.loads((folder / "model.json").read_text())
    return found


def get(work: Work, fit: Fit = fit_one, name: str = "net", **more: Any) -> FittedModel[list[int]]:
    return fit_or_load(work, name, fit, **{"save": save, "load": load} | more)


def manifest_of(fitted: FittedModel[Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((fitted.folder / "manifest.json").read_text())
    return found


def states(work: Work) -> list[str]:
    """What stands in the folder of unfinished work besides locks."""
    return sorted(path.name for path in (work.checkpoints / "work").iterdir() if path.suffix != ".lock")


def test_the_ingredients_are_those_of_the_data_that_is_trained_on(work: Work, dataset: Dataset) -> None:
    """Not of the protocol, where a case has a size or scaling of its own; each differs from the others here."""
    work = replace(
        work,
        train=replace(work.train, scaling="percentile"),
        protocol=Protocol(image_size=64),
        precision="bf16",
        case="a case",
        seed=10,
        recipe=Recipe(name="test", epochs=11),
    )
    fitted = get(work, depends_on={"library": 2})
    manifest = manifest_of(fitted)
    ingredients = manifest["ingredients"]
    code = ingredients.pop("code")
    assert code == fingerprint.of_sources([Path(__file__)])
    assert ingredients.pop("closure").keys() == {"function"}
    assert ingredients == {
        "case": "a case",
        "name": "net",
        "case_code": None,
        "task": {
            "classes": ["meningioma", "glioma", "pituitary"],
            "structures": ["tumour"],
            "channels": ["T1 contrast-enhanced"],
        },
        "recipe": work.recipe.identity(),
        "data": dataset.fingerprint,
        "image_size": 32,
        "scaling": "percentile",
        "split": slice_seed42(12).fingerprint,
        "seed": 10,
        "precision": "bf16",
        "preprocessing": PREPROCESSING,
        "depends_on": {"library": 2},
    }
    assert manifest["schema"] == "btlib-fitted/1"
    assert manifest["seconds"] == fitted.seconds
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", manifest["created"])
    assert manifest["files"] == {"model.json": fingerprint.of_file(fitted.folder / "model.json")}


def test_every_ingredient_decides(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """One model for each, and its fingerprint is that of all of them."""

    def other(**change: Any) -> str:
        return get(replace(work, **change)).fingerprint

    found = [
        get(work).fingerprint,
        get(work, name="other net").fingerprint,
        get(work, depends_on=0).fingerprint,
        get(work, fit=lambda folder: [2]).fingerprint,
        other(case="other"),
        other(seed=70),
        other(precision="fp32"),
        other(recipe=replace(work.recipe, batch_size=8)),
        other(data="others"),
        other(task=work.task.model_copy(update={"structures": ("lesion",)})),
        other(train=replace(work.train, scaling="percentile")),
        other(split="another"),
    ]
    monkeypatch.setattr(fitting, "PREPROCESSING", "another")
    found.append(get(work).fingerprint)
    assert len(set(found)) == len(found)


def test_the_file_of_the_case_decides_too(work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it does, and as it was imported where it was imported as a case's file."""
    path = tmp_path / "of_the_case.py"
    for name, module in (("plain", "a_module_of_a_test"), ("file", "btlib_case_abc123")):
        space = types.ModuleType(module)
        space.__file__ = str(path)
        monkeypatch.setitem(sys.modules, module, space)
        found = Case(name, "", True, False, lambda work: None, registered_in=module)  # type: ignore[arg-type, return-value]
        monkeypatch.setitem(CASES._items, name, found)
    codes: dict[str, list[str]] = {"plain": [], "file": [], "unknown": []}
    for text in ("x = 1\n", "x = 1  # a comment\n", "x = 2\n"):
        path.write_text(text)
        for name, seen in codes.items():
            seen.append(manifest_of(get(replace(work, case=name)))["ingredients"]["case_code"])
    first, same, other = codes["plain"]
    assert first == same != other
    assert other == fingerprint.of_sources([path])
    assert codes["file"] == ["abc123"] * 3
    assert codes["unknown"] == [None] * 3


def lock_of(work: Work, fitted: str) -> Path:
    return work.checkpoints / "work" / f"{fitted}.lock"


def test_the_model_is_locked_while_it_is_trained_saved_and_loaded(
    work: Work, is_locked: Callable[[Path], bool]
) -> None:
    other = get(replace(work, seed=8)).folder.name
    (work.checkpoints / "work").mkdir(exist_ok=True)
    name = get(work).folder.name  # which the same work has again
    seen: list[tuple[str, bool, bool]] = []

    def watched(what: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def inner(*args: Any) -> Any:
            seen.append((what, is_locked(lock_of(work, name)), is_locked(lock_of(work, other))))
            return function(*args)

        return inner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "_store", watched("store", fitting._store))
        patch.setattr(fitting, "_whole", watched("look", fitting._whole))
        patch.setattr(fitting, "_workplace", watched("train", fitting._workplace))
        for retrain in (True, False):
            get(replace(work, retrain=retrain), save=watched("save", save), load=watched("load", load))
    assert [what for what, *_ in seen] == ["train", "store", "save", "look", "load"]
    assert {(own, others) for _, own, others in seen} == {(True, False)}
    assert not is_locked(lock_of(work, name))


def test_the_lock_is_given_back_by_a_training_that_fails(work: Work, is_locked: Callable[[Path], bool]) -> None:
    def fail(folder: Path) -> list[int]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        get(work, fail)
    (lock,) = (work.checkpoints / "work").glob("*.lock")
    assert not is_locked(lock_of(work, lock.stem))


def half(model: list[int], folder: Path) -> None:
    (folder / "model.json").write_text("half")
    raise OSError("disk full")


def test_a_retraining_that_cannot_be_saved_leaves_the_old_model(work: Work) -> None:
    folder = get(work).folder
    before = {path: path.read_bytes() for path in folder.rglob("*")}
    with pytest.raises(OSError, match="disk full"):
        get(replace(work, retrain=True), save=half)
    assert {path: path.read_bytes() for path in folder.rglob("*")} == before
    assert states(work) == []
    assert get(work).source == "loaded"


def test_a_training_that_cannot_be_saved_is_taken_up_from_its_state(work: Work) -> None:
    def fit(folder: Path) -> list[int]:
        found = sorted(path.name for path in folder.iterdir())
        (folder / "state").touch()
        return [len(found)]

    with pytest.raises(OSError, match="disk full"):
        get(work, fit, save=half)
    again = get(work, fit)
    assert (again.source, again.model) == ("resumed", [1])
    assert states(work) == []


def test_a_state_that_cannot_be_cleared_away_costs_no_model(work: Work, tmp_path: Path) -> None:
    """Such as a link to another disk."""
    with pytest.raises(OSError, match="disk full"):
        get(work, save=half)
    (work.checkpoints / "work").mkdir(exist_ok=True)
    (lock,) = (work.checkpoints / "work").glob("*.lock")
    (tmp_path / "scratch").mkdir()
    lock.with_suffix("").symlink_to(tmp_path / "scratch")
    assert get(work).source == "trained"
    assert get(work).source == "loaded"


def test_a_hidden_file_is_no_state(work: Work) -> None:
    """As one that was half written; it is there again all the same."""

    def fit(folder: Path) -> list[int]:
        found = len(list(folder.iterdir()))
        if not found:
            (folder / ".state.part").touch()
            raise ZeroDivisionError
        return [found]

    with pytest.raises(ZeroDivisionError):
        get(work, fit)
    again = get(work, fit)
    assert (again.source, again.model) == ("trained", [1])


def test_the_model_of_another_seed_in_its_place_is_not_taken(work: Work) -> None:
    one, other = get(work), get(replace(work, seed=work.seed + 1))
    shutil.rmtree(one.folder)
    shutil.copytree(other.folder, one.folder)
    with pytest.warns(BtlibWarning, match="it contains the files of"):
        assert get(work).source == "trained"


def test_others_may_read_the_folder(work: Work) -> None:
    assert stat.S_IMODE(get(work).folder.stat().st_mode) == 0o755


@pytest.mark.parametrize("change", ["content", "name", "inner manifest"])
def test_content_and_names_are_what_a_whole_model_is(change: str, work: Work) -> None:
    """A file of the same size, one under another name, and a file of a model that is called as the manifest is."""

    def deep(model: list[int], folder: Path) -> None:
        (folder / "deep").mkdir()
        for path in (folder / "model.json", folder / "deep" / "manifest.json"):
            path.write_text("[1]")

    folder = get(work, save=deep).folder
    assert get(work, save=deep).source == "loaded"
    match change:
        case "content":
            (folder / "model.json").write_text("[2]")
        case "name":
            (folder / "model.json").rename(folder / "model2.json")
        case "inner manifest":
            (folder / "deep" / "manifest.json").write_text("[2]")
    damaged = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.warns(BtlibWarning) as told:
        assert get(work, save=deep).source == "trained"
    aside = folder.with_name(f"{folder.name}.damaged")
    assert [str(one.message) for one in told] == [
        f"{folder}: damaged (its files do not match its manifest); the folder was renamed to {aside.name}, "
        "and the model is trained again"
    ]
    assert {path.relative_to(aside): path.read_bytes() for path in aside.rglob("*") if path.is_file()} == damaged
    assert get(work, save=deep).source == "loaded"


def test_the_newest_damaged_model_is_the_one_that_stays(work: Work) -> None:
    for text in ("[2]", "[3]"):
        folder = get(work).folder
        (folder / "model.json").write_text(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", BtlibWarning)
            assert get(work).source == "trained"
    assert (folder.with_name(f"{folder.name}.damaged") / "model.json").read_text() == "[3]"


@pytest.mark.parametrize("content", ["[]", "{", "{}", '{"schema": "btlib-fitted/0", "ingredients": {}}', "null"])
def test_a_manifest_that_is_none_is_damage(content: str, work: Work) -> None:
    folder = get(work).folder
    (folder / "manifest.json").write_text(content)
    with pytest.warns(BtlibWarning, match="damaged"):
        assert get(work).source == "trained"


def test_names_of_folders(work: Work) -> None:
    """Safe on any disk, for people to read; the fingerprint tells those of one beginning apart."""
    for name, stem in (("my net/ü:2", "my_net_2"), ("a.b-c_d", "a.b-c_d"), ("n" * 300, "n" * 80)):
        fitted = get(work, name=name)
        assert fitted.folder == work.checkpoints / f"{stem}-{fitted.fingerprint}"


def test_a_model_of_a_longer_name_is_not_the_nearest(work: Work) -> None:
    said: list[str] = []
    work = replace(work, report=said.append)
    for name in ("net-staged", "net"):
        get(work, name=name)
    assert said == ["net-staged, seed 7: training", "net, seed 7: training"]


def test_what_a_case_returns_of_a_loaded_model(work: Work) -> None:
    trained, loaded = get(work), get(work)
    assert loaded.folder == trained.folder
    ready = trained.prepared(None, curves=trained.folder / "c.csv", threshold=0.4)  # type: ignore[arg-type]
    assert (ready.source, ready.seconds, ready.fingerprint) == ("trained", trained.seconds, trained.fingerprint)
    assert (ready.curves, ready.threshold) == (trained.folder / "c.csv", 0.4)
    again = loaded.prepared(None)  # type: ignore[arg-type]
    assert (again.source, again.seconds, again.details) == ("loaded", 0.0, {"checkpoint": loaded.folder.name})
    own = loaded.prepared(None, details={"checkpoint": "mine"})  # type: ignore[arg-type]
    assert own.details == {"checkpoint": "mine"}
