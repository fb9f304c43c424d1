"""Registry, fingerprints and atomic files: what all rooms stand on."""

import json
import signal
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btlib import files, fingerprint
from btlib.errors import BtlibError, BtlibWarning, UnknownNameError, warn
from btlib.registry import Registry

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def test_a_name_is_taken_once():
    registry: Registry[int] = Registry("case")
    registry.add("A", 1)
    with pytest.raises(BtlibError, match="case 'A' is registered twice"):
        registry.add("A", 2)
    assert (registry["A"], list(registry), len(registry), "A" in registry, "B" in registry) == (
        1,
        ["A"],
        1,
        True,
        False,
    )


@pytest.mark.parametrize(("asked", "offered"), [("unett", "did you mean 'UNet'? "), ("zzz", "")])
def test_an_unknown_name_offers_the_nearest(asked: str, offered: str):
    registry: Registry[int] = Registry("case")
    registry.add("UNet", 1)
    registry.add("FCN", 2)
    with pytest.raises(UnknownNameError) as caught:
        registry[asked]
    assert str(caught.value) == f"unknown case {asked!r}\nHint: {offered}known: FCN, UNet"


def test_unknown_variants_offer_the_nearest():
    from btlib.thesis.models import VARIANTS

    with pytest.raises(UnknownNameError, match=r"unknown variant 'a'\n.*did you mean 'A'"):
        VARIANTS["a"]
    with pytest.raises(UnknownNameError, match=r"unknown variant 'H'\n.*known: A, B, C, D, E, F, G"):
        VARIANTS["H"]


@given(JSON, JSON)
@settings(max_examples=40)
def test_fingerprints_tell_values_apart(a: object, b: object):
    assert (fingerprint.of(a) == fingerprint.of(b)) == (json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True))


def test_what_has_no_fingerprint_is_refused():
    with pytest.raises(TypeError, match="fingerprint of object"):
        fingerprint.of(object())
    with pytest.raises(ValueError, match="not JSON compliant"):
        fingerprint.of(float("nan"))


def test_code_is_what_it_does(tmp_path: Path):
    def of(text: str) -> str:
        (tmp_path / "a.py").write_text(text)
        return fingerprint.of_sources([tmp_path / "a.py"])

    before = of('"""Doc."""\ndef f(x):\n    """Doc."""\n    return x + 1  # why\n')
    assert of('"""Other."""\n\ndef f(x):\n\n    return (x + 1)\n') == before
    assert of("def f(x):\n    return x + 2\n") != before
    others = ["return x", "return", "return None", "x + 1", "return x - 1", "return x + '1'", "return x + 1.0", "pass"]
    assert len({of(f"def f(x):\n    {line}\n") for line in others} | {before}) == len(others) + 1
    assert of("async def f(x):\n    'Doc.'\n    return x\n") == of("async def f(x):\n    return x\n")
    assert of("f'{x}{y}'") != of("f'{x}.{y}'") != of("f'{y}{x}'")
    assert of("['', x]") != of("[x]")


def test_a_reader_sees_the_old_file_or_the_new_one(tmp_path: Path):
    """Killed while writing, for real: the target is whole."""
    target = tmp_path / "file.json"
    files.write_json(target, {"old": 1})
    code = """
    import sys, time
    from pathlib import Path
    from btlib import files
    with files.atomic_path(Path(sys.argv[1])) as part:
        with part.open("w") as f:
            f.write("half of the new")
            f.flush()
            print("writing", flush=True)
            time.sleep(60)
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code), str(target)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert json.loads(target.read_text()) == {"old": 1}
    files.write_json(target, {"new": 2})
    assert json.loads(target.read_text()) == {"new": 2}


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"x": float("inf")})
    with pytest.raises(FileNotFoundError), files.atomic_path(tmp_path / "b.json"):
        (tmp_path / "not there").read_text()
    assert list(tmp_path.iterdir()) == []


def test_files_can_be_read_by_others(tmp_path: Path):
    files.write_text(tmp_path / "deep" / "a.txt", "ü")
    assert (tmp_path / "deep" / "a.txt").read_text(encoding="utf-8") == "ü"
    assert (tmp_path / "deep" / "a.txt").stat().st_mode & 0o777 == 0o644


def test_an_error_says_where_what_and_what_to_do():
    error = BtlibError("expected 1, got 2", where=Path("a.mat"), hint="get it again")
    assert str(error) == "a.mat: expected 1, got 2\nHint: get it again"
    assert str(BtlibError("alone")) == "alone"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Installs a package that brings things of a kind: its module has this text."""

    def install(text: str) -> None:
        (tmp_path / "brings_more.py").write_text(textwrap.dedent(text))
        about = tmp_path / "brings_more-1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Name: brings-more\nVersion: 1\n")
        (about / "entry_points.txt").write_text("[btlib.things]\nmore = brings_more\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "brings_more", raising=False)

    return install


@pytest.fixture
def things(monkeypatch: pytest.MonkeyPatch) -> Registry[int]:
    """A registry that is open, and that the package's module finds."""
    registry: Registry[int] = Registry("thing", "btlib.things")
    registry.add("own", 1)
    monkeypatch.setitem(sys.modules, "where_things_are", SimpleNamespace(THINGS=registry))
    return registry


@pytest.mark.parametrize("ask", [list, len, lambda r: r["more"], lambda r: "more" in r])
def test_an_open_registry_has_what_packages_bring(
    ask: Callable[[Registry[int]], object], installed: Callable[[str], None], things: Registry[int]
):
    """Read when it is first asked; the module may look at what is there, and comes after btlib's own."""
    installed("""
        from where_things_are import THINGS
        assert list(THINGS) == ["own"]
        THINGS.add("more", 2)
    """)
    assert "brings_more" not in sys.modules
    ask(things)
    assert "brings_more" in sys.modules
    assert (list(things), things["more"]) == (["own", "more"], 2)


def test_a_package_that_cannot_be_imported_is_named_each_time(installed: Callable[[str], None], things: Registry[int]):
    installed("import a_module_that_nobody_has")
    for _ in range(2):
        with pytest.raises(
            BtlibError, match=r"package brings-more: its entry point 'more' in the group 'btlib\.things'"
        ):
            list(things)


def test_a_package_that_takes_a_name_is_told(installed: Callable[[str], None], things: Registry[int]):
    installed("""
        from where_things_are import THINGS
        THINGS.add("own", 2)
    """)
    with pytest.raises(BtlibError, match="thing 'own' is registered twice"):
        list(things)


@pytest.mark.parametrize(("action", "told"), [("error", 1), ("always", 1), ("default", 1), ("ignore", 0)])
def test_a_warning_of_btlib_is_never_an_exception(action: str, told: int):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter(action)  # type: ignore[arg-type]
        warn("told", stacklevel=1)
        assert [(str(one.message), one.category) for one in seen] == [("told", BtlibWarning)] * told
        assert all(one.filename == __file__ for one in seen)
        filters = list(warnings.filters)
        if action == "error":
            with pytest.raises(UserWarning, match="of others"):
                warnings.warn("of others", UserWarning, stacklevel=1)
        assert list(warnings.filters) == filters


def test_every_warning_of_btlib_takes_this_way():
    """`warnings.warn` elsewhere would end a benchmark with a traceback where warnings are errors."""
    root = Path(files.__file__).parent
    found = [path.name for path in root.rglob("*.py") if "warnings.warn(" in path.read_text(encoding="utf-8")]
    assert found == ["errors.py"]
