"""A case by itself: what it declares, where it comes from, and when two are one."""

import functools
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from btlib.cases import CASES, Case, Prepared, Work, case, load_case, load_cases, project_cases
from btlib.cases.case import definition_of
from btlib.data.dataset import Dataset
from btlib.errors import BtlibError, OptionError, UnknownNameError
from btlib.protocol import Protocol, Recipe
from btlib.splits import slice_seed42


@pytest.fixture(autouse=True)
def _known_cases() -> Iterator[None]:
    known = dict(load_cases()._items)
    yield
    CASES._items.clear()
    CASES._items.update(known)


def prepare(work: Work) -> Prepared:
    return Prepared(None, "given")  # type: ignore[arg-type]


class Callee:
    def __call__(self, work: Work) -> Prepared:
        return prepare(work)


def test_what_a_case_is_given_unless_said(work: Work, dataset: Dataset) -> None:
    plain = Work.on(dataset, slice_seed42(12), work.protocol, work.recipe, 0, work.checkpoints)
    assert (plain.device, plain.precision, plain.engine) == ("auto", "auto", "eager")
    assert (plain.retrain, plain.options, plain.progress_bars, plain.case) == (False, {}, False, "")
    plain.report("a line")  # which goes nowhere
    ready = prepare(plain)
    assert (ready.seconds, ready.fingerprint, ready.details, ready.notes) == (0.0, None, {}, ())
    assert (ready.training_step, ready.curves, ready.threshold, ready.explainer) == (None, None, None, None)


def test_what_a_case_declares_by_its_decorator() -> None:
    def reference(recipe: object, threads: int) -> Any: ...

    more: dict[str, Any] = {"image_size": 64, "scaling": "percentile", "speed_reference": reference}
    case("declared", "all of it", has_mask=True, has_classes=False, needs=["A", "B"], **more)(prepare)
    found = CASES["declared"]
    assert (found.title, found.has_mask, found.has_classes, found.prepare) == ("all of it", True, False, prepare)
    assert (found.needs, found.registered_in) == (("A", "B"), __name__)
    assert {name: getattr(found, name) for name in more} == more


def test_a_case_is_given_training_and_validation_samples_and_no_others(dataset: Dataset, tmp_path: Path) -> None:
    split = slice_seed42(12)
    work = Work.on(dataset, split, Protocol(image_size=32), Recipe(), 0, tmp_path)
    for samples, at in ((work.train, split.train), (work.val, split.val)):
        assert samples.task == work.task == dataset.task
        assert samples.ids.tolist() == dataset.ids[at].tolist()
        assert np.array_equal(samples.images, dataset.images[at])
        assert np.array_equal(samples.masks, dataset.masks[at])
        assert samples.labels.tolist() == dataset.labels[at].tolist()
        assert samples.patients == tuple(dataset.patients[i] for i in at)
    assert (work.data, work.split) == (dataset.fingerprint, split.fingerprint)
    assert not any(value is dataset or value is split for value in vars(work).values())


def test_what_a_case_is_given_cannot_be_written_to(work: Work, dataset: Dataset) -> None:
    """And what it reads are copies: the data set stays as it is."""
    before = dataset.masks.copy(), dataset.images.copy(), dataset.labels.copy()
    for name in ("images", "masks", "labels", "ids"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(work.train, name)[0] = 0
    work.train.masks[:2][:] = True
    work.train.images[0][:] = 7
    for now, then in zip((dataset.masks, dataset.images, dataset.labels), before, strict=True):
        assert np.array_equal(now, then)


def test_samples_to_choose_by(work: Work, dataset: Dataset) -> None:
    """Those that validate, or those of the training where none do."""
    assert work.held_out is work.val
    split = slice_seed42(12)
    none = Work.on(dataset, replace(split, val=split.val[:0]), work.protocol, work.recipe, 0, work.checkpoints)
    assert none.held_out is none.train


@pytest.mark.parametrize(
    ("mask", "classes", "metrics"),
    [(True, False, ("dice",)), (False, True, ("accuracy",)), (True, True, ("dice", "accuracy"))],
)
def test_metrics_are_of_what_is_predicted(mask: bool, classes: bool, metrics: tuple[str, ...]) -> None:
    assert Case("x", "", mask, classes, prepare).metrics == metrics


def test_a_case_that_predicts_nothing() -> None:
    with pytest.raises(BtlibError, match="case x: predicts neither masks nor classes"):
        Case("x", "", False, False, prepare)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"image_size": 1}, OptionError),
        ({"image_size": 0}, OptionError),
        ({"scaling": "percent"}, UnknownNameError),
        ({"image_size": 1, "scaling": "thesis"}, OptionError),
        ({"image_size": 48, "scaling": "percent"}, UnknownNameError),
    ],
)
def test_size_and_scaling_are_checked_each(fields: dict[str, Any], error: type[BtlibError]) -> None:
    with pytest.raises(error):
        Case("x", "", True, True, prepare, **fields)


@pytest.mark.parametrize(
    "fields", [{}, {"image_size": 2}, {"scaling": "percentile"}, {"image_size": 3, "scaling": "thesis"}]
)
def test_what_is_declared_is_registered(fields: dict[str, Any]) -> None:
    assert case("mine", "a title", has_mask=False, has_classes=True, **fields)(prepare) is prepare
    found = CASES["mine"]
    assert (found.name, found.title, found.has_mask, found.has_classes) == ("mine", "a title", False, True)
    assert (found.image_size, found.scaling) == (fields.get("image_size"), fields.get("scaling"))
    assert found.prepare is prepare
    assert found.registered_in == found.module == __name__


def test_a_case_is_of_the_module_that_registers_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or else of the one that defines its function."""
    module = types.ModuleType("registers_a_case")
    (tmp_path / "registers.py").write_text("")
    module.__file__ = str(tmp_path / "registers.py")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    registered = Case("x", "", True, False, prepare, registered_in=module.__name__)
    assert (registered.module, registered.file) == (module.__name__, (tmp_path / "registers.py").resolve())
    for function in (prepare, functools.partial(functools.partial(prepare)), Callee()):
        plain = Case("x", "", True, False, function)
        assert plain.module == __name__
        assert plain.file == Path(__file__).resolve()
    (tmp_path / "registers.py").unlink()
    assert registered.file is None
    built_in: Any = dict
    assert Case("x", "", True, False, built_in).file is None


def test_the_definition_of_what_can_be_called() -> None:
    @functools.wraps(prepare)
    def wrapper(work: Work) -> Prepared:
        return prepare(work)

    assert definition_of(wrapper) is prepare
    assert definition_of(functools.partial(wrapper)) is prepare
    assert definition_of(functools.partial(functools.partial(prepare), None)) is prepare
    assert definition_of(Callee()) is Callee

    @functools.wraps(functools.partial(prepare))
    def around(work: Work) -> Prepared:
        return prepare(work)

    assert definition_of(functools.partial(around)) is prepare


def test_one_file_as_two_modules_is_one_case_and_two_files_are_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (
        "from btlib.cases import case\n@case('twice', '', has_mask=True, has_classes=False)\ndef prepare(work): ...\n"
    )
    for name in ("one", "other"):
        (tmp_path / f"{name}.py").write_text(text)

    def imported(module: str, file: str) -> None:
        space = types.ModuleType(module)
        space.__file__ = str(tmp_path / file)
        monkeypatch.setitem(sys.modules, module, space)
        exec(compile(text, space.__file__, "exec"), space.__dict__)

    imported("module_a", "one.py")
    first = CASES["twice"]
    imported("module_b", "one.py")
    assert CASES["twice"] is first
    with pytest.raises(BtlibError, match="case 'twice' is registered twice"):
        imported("module_c", "other.py")
    with pytest.raises(BtlibError, match="case 'twice' is registered twice"):
        imported("module_a", "one.py")  # twice within one module
    assert CASES["twice"] is first


class Point:
    def __init__(self, module: str) -> None:
        self.module, self.name, self.dist = module, "a point", types.SimpleNamespace(name="a-package")


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Point]:
    """Entry points of the group, beside which there are none."""
    found: list[Point] = []
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: found if group == "btlib.cases" else [])
    monkeypatch.syspath_prepend(tmp_path)  # what is installed on a path is asked for once
    return found


def test_an_entry_point_that_cannot_be_imported(points: list[Point]) -> None:
    points.append(Point("no_such_module_of_a_test"))
    with pytest.raises(BtlibError) as caught:
        load_cases()
    assert caught.value.where == "package a-package"
    assert caught.value.problem == (
        "its entry point 'a point' in the group 'btlib.cases' cannot be imported: "
        "No module named 'no_such_module_of_a_test'"
    )


@pytest.mark.parametrize(
    ("file", "own"),
    [
        ("project/pack_of_a_test/cases.py", True),  # a package that the user develops
        ("other/pack_of_a_test/cases.py", False),
        ("project/.venv/site-packages/pack_of_a_test/cases.py", False),
    ],
)
def test_cases_of_the_user_s_own_project(
    file: str, own: bool, points: list[Point], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    for path in (root / "pyproject.toml", tmp_path / "other" / "pyproject.toml", tmp_path / file, root / "bench.py"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    points.append(Point("pack_of_a_test.cases"))
    elsewhere = tmp_path / "other" / "bench.py"  # which was asked for by its path
    elsewhere.parent.mkdir(exist_ok=True)
    elsewhere.write_text("")
    for module, place in (
        ("pack_of_a_test.cases", tmp_path / file),
        ("bench_of_a_test", root / "bench.py"),
        ("bench_elsewhere", elsewhere),
    ):
        space = types.ModuleType(module)
        space.__file__ = str(place)
        monkeypatch.setitem(sys.modules, module, space)
    CASES._items.clear()
    for name, module in (
        ("packed", "pack_of_a_test.cases"),
        ("loose", "bench_of_a_test"),
        ("elsewhere", "bench_elsewhere"),
    ):
        CASES.add(name, Case(name, "", True, False, prepare, registered_in=module))
    without_file: Any = dict
    CASES.add("typed", Case("typed", "", True, False, without_file, registered_in="pack_of_a_test.typed"))
    assert list(project_cases(root)) == [*(["packed"] if own else []), "loose", "elsewhere", "typed"]
    assert project_cases(root)["loose"] is CASES["loose"]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    monkeypatch.setattr(sys, "path", list(sys.path))

    def make(name: str, title: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(
            f"from btlib.cases import case\n@case({title!r}, {title!r}, has_mask=True, has_classes=False)\n"
            "def prepare(work): ...\n"
        )
        return path

    return make


def test_a_path_is_relative_to_the_folder_that_is_given(
    write: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And to no other then."""
    write("here.py", "where I stand")
    write("there/there.py", "in the folder")
    monkeypatch.chdir(tmp_path)
    assert load_case("there.py", tmp_path / "there").name == "in the folder"
    with pytest.raises(BtlibError, match="the file does not exist"):
        load_case("here.py", tmp_path / "there")


def test_a_folder_is_searched_once_and_after_all_others(write: Callable[[str, str], Path], tmp_path: Path) -> None:
    before = list(sys.path)
    for name in ("a", "b"):
        load_case(str(write(f"{name}.py", f"case {name}")))
    assert sys.path == [*before, str(tmp_path)]


def test_a_file_is_imported_once(
    write: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is asked of it, and though another file imported it under its own name."""
    path = write("once_of_a_test.py", "once")
    assert load_case(f"{path}::once") is load_case(f"{path}::prepare") is load_case(str(path))
    name = CASES["once"].module
    assert name.startswith("btlib_case_")
    assert sys.modules[name].__file__ == str(path)
    other = write("neighbour_of_a_test.py", "neighbour")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("neighbour_of_a_test")
    monkeypatch.setattr("btlib.cases.load._import", None)
    found = load_case(str(other))
    assert (found.name, found.prepare) == ("neighbour", module.prepare)
    assert found.module == "neighbour_of_a_test"


def test_of_several_functions_the_one_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    path = tmp_path / "several_of_a_test.py"
    lines = ["from btlib.cases import Case, case"]
    for name in ("one", "two", "three"):
        lines += [f"@case('case {name}', '', has_mask=True, has_classes=False)", f"def {name}(work): ..."]
    path.write_text("\n".join([*lines, "taken = Case('A', '', True, False, one)", ""]))
    assert [load_case(f"{path}::{name}").name for name in ("two", "three", "one")] == [
        "case two",
        "case three",
        "case one",
    ]
    with pytest.raises(BtlibError, match="case 'A' is registered twice"):
        load_case(f"{path}::taken")


def test_where_one_stands_comes_before_the_root_of_the_project(
    write: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pytest.ini").write_text("")
    write("both_of_a_test.py", "at the root")
    write("sub/both_of_a_test.py", "where I stand")
    monkeypatch.chdir(tmp_path / "sub")
    assert load_case("both_of_a_test.py").name == "where I stand"


def test_a_file_of_the_same_name_elsewhere_is_another(
    write: Callable[[str, str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("same_of_a_test.py", "the one")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.import_module("same_of_a_test")
    assert load_case(str(write("deeper/same_of_a_test.py", "the other"))).name == "the other"
