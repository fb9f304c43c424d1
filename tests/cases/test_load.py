"""Cases from files: found by registered name, variable or function, and refused in words that help."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from btlib.cases import CASES, Case, load_case, load_cases
from btlib.errors import BtlibError, MissingExtraError, OptionError, UnknownNameError

HEAD = """
from btlib.cases import Case, Prepared, case

def ready(work):
    return Prepared(None, "given")
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Writes a file of cases; what it registers is forgotten afterwards."""
    known = dict(load_cases()._items)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def make(text: str, name: str = "mine.py") -> Path:
        (tmp_path / name).write_text(HEAD + text)
        return tmp_path / name

    yield make
    CASES._items.clear()
    CASES._items.update(known)


ONE = '@case("my-net", "a net", has_mask=True, has_classes=False, image_size=48, scaling="percentile")\n'


def test_by_registered_name_and_by_function(write: Callable[..., Path]):
    path = write(ONE + "def build(work):\n    return ready(work)\n")
    found = load_case(f"{path}::my-net")
    assert (found.name, found.title, found.image_size, found.scaling) == ("my-net", "a net", 48, "percentile")
    assert load_case(f"{path}::build") is load_case(str(path)) is load_case("my-net") is found


def test_a_variable_that_holds_a_case_is_registered(write: Callable[..., Path]):
    path = write('net = Case("my-net", "a net", True, False, ready)\n')
    assert load_case(f"{path}::net") is load_case(f"{path}::net") is CASES["my-net"]


def test_known_cases_need_no_file():
    assert isinstance(load_case("A"), Case)
    with pytest.raises(UnknownNameError, match="unknown case 'AA'"):
        load_case("AA")


def test_a_relative_path_and_a_neighbour(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    write("", "neighbour_of_mine.py")
    write("import neighbour_of_mine\n" + ONE + "def build(work): ...\n")
    monkeypatch.chdir(tmp_path)
    assert load_case("mine.py::my-net").name == "my-net"


def test_two_cases_of_one_file(write: Callable[..., Path]):
    path = write("".join(f'case("my-{i}", "", has_mask=True, has_classes=True)(ready)\n' for i in (1, 2)))
    assert [load_case(f"{path}::my-{i}").name for i in (2, 1)] == ["my-2", "my-1"]
    with pytest.raises(BtlibError, match=r"the file registers my-1, my-2\n.*name the case: .*mine\.py::NAME"):
        load_case(str(path))


def test_an_unknown_name_offers_the_nearest(write: Callable[..., Path]):
    path = write(ONE + 'def build(work): ...\nother = Case("x", "", True, True, ready)\n')
    with pytest.raises(
        UnknownNameError, match=r"mine\.py: unknown case 'mynet'\n.*did you mean 'my-net'\? known: .*other"
    ):
        load_case(f"{path}::mynet")


def test_a_function_that_is_no_case(write: Callable[..., Path]):
    with pytest.raises(BtlibError, match=r"'ready' is not a case\n.*decorate the function with @case"):
        load_case(f"{write('')}::ready")


def test_a_name_that_is_taken(write: Callable[..., Path]):
    path = write('case("A", "", has_mask=True, has_classes=True)(ready)\n')
    for _ in range(2):
        with pytest.raises(BtlibError, match=r"mine\.py: case 'A' is registered twice"):
            load_case(f"{path}::A")


def test_a_file_that_is_not_there(tmp_path: Path):
    for spec, message in (("nix.py::net", "the file does not exist"), (".::net", "expected a Python file")):
        with pytest.raises(BtlibError, match=message):
            load_case(f"{tmp_path}/{spec}")


def test_files_that_cannot_be_imported(write: Callable[..., Path]):
    for text, message in (("1 / 0\n", "ZeroDivisionError: division by zero"), ("def\n", "SyntaxError")):
        with pytest.raises(BtlibError, match=rf"mine\.py: cannot be imported: {message}"):
            load_case(f"{write(text)}::net")
    (path := write("")).rename(path.with_suffix(".txt"))
    with pytest.raises(BtlibError, match=r"mine\.txt: expected a Python file\n.*path/to/file\.py::NAME"):
        load_case(f"{path.with_suffix('.txt')}::net")


def test_a_framework_that_is_not_installed(write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    with pytest.raises(MissingExtraError, match=r"mine\.py: jax is not installed\n.*btlib\[jax\]"):
        load_case(f"{write('import jax')}::net")
    with pytest.raises(BtlibError, match="cannot be imported: ModuleNotFoundError: No module named 'no_such'"):
        load_case(f"{write('import no_such')}::net")


def test_sizes_and_scalings_are_checked_when_declared(write: Callable[..., Path]):
    for more, error in (("image_size=1", OptionError), ('scaling="percent"', UnknownNameError)):
        path = write(f'case("x", "", has_mask=True, has_classes=True, {more})(ready)')
        with pytest.raises(error):
            load_case(f"{path}::x")


def test_a_path_is_found_from_a_folder_below_the_root_of_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "pytest.ini").write_text("")
    (tmp_path / "sub").mkdir()
    text = "from btlib.cases import case\ncase('{}', '', has_mask=True, has_classes=False)(lambda work: None)\n"
    (tmp_path / "at_root.py").write_text(text.format("at the root"))
    (tmp_path / "sub" / "here.py").write_text(text.format("here"))
    monkeypatch.chdir(tmp_path / "sub")
    assert load_case("at_root.py::at the root").file == tmp_path / "at_root.py"
    assert load_case("here.py::here").file == tmp_path / "sub" / "here.py"
    with pytest.raises(BtlibError, match="the file does not exist"):
        load_case("nowhere.py::x")
