"""A converted model is made once for all that decides it; a damaged one is noticed before it is run."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from btlib.engines import Subject
from btlib.engines.converted import converted
from btlib.errors import BtlibWarning

Make = Callable[..., Subject]


def write(folder: Path) -> None:
    (folder / "program.xml").write_text("program")
    (folder / "program.bin").write_bytes(bytes(1000))


def read(folder: Path) -> tuple[str, bytes]:
    return (folder / "program.xml").read_text(), (folder / "program.bin").read_bytes()


SOUND = ("program", bytes(1000))


def refuse(folder: Path) -> None:
    raise AssertionError("it was converted again")


def test_each_model_size_kind_and_version_has_one_of_its_own(subject: Make, tmp_path: Path) -> None:
    one = subject("D")
    asks = [
        *((one, "kind", ("1",)), (one, "kind", ("2",)), (one, "other", ("1",)), (one, "kind", ("1", 2))),
        *((replace(one, identity="other"), "kind", ("1",)), (replace(one, image_size=48), "kind", ("1",))),
    ]
    for number, (given, kind, depends_on) in enumerate(asks):
        text = f"program {number}"
        made = converted(
            given, kind, depends_on, lambda f, t=text: (f / "a").write_text(t), lambda f: (f / "a").read_text()
        )  # type: ignore[misc]
        assert made == text
    for number, (given, kind, depends_on) in enumerate(asks):
        assert converted(given, kind, depends_on, refuse, lambda f: (f / "a").read_text()) == f"program {number}"
    folders = [path for path in (tmp_path / "engines").iterdir() if path.is_dir()]
    assert len(folders) == 6
    assert all(sorted(path.name for path in folder.iterdir()) == ["a", "manifest.json"] for folder in folders)


def test_without_an_identity_or_a_folder_nothing_is_kept(subject: Make, tmp_path: Path) -> None:
    for alone in (replace(subject("D"), identity=None), replace(subject("D"), cache=None)):
        convert = Mock(side_effect=write)
        for _ in range(2):
            assert converted(alone, "kind", (), convert, read) == SOUND
        assert convert.call_count == 2
        assert not any(call.args[0].exists() for call in convert.call_args_list)
    assert not (tmp_path / "engines").exists()


def flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a bit of the weights": lambda folder: flip(folder / "program.bin"),
    "a bit of the program": lambda folder: flip(folder / "program.xml"),
    "cut": lambda folder: (folder / "program.xml").write_text("prog"),
    "gone": lambda folder: (folder / "program.bin").unlink(),
    "the manifest": lambda folder: flip(folder / "manifest.json"),
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
    "a file in its place": lambda folder: (shutil.rmtree(folder), folder.write_text("")),
    "a link in its place": lambda folder: (shutil.rmtree(folder), folder.symlink_to(folder.parent)),
    "another manifest": lambda folder: (folder / "manifest.json").write_text("[]"),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_one_is_made_anew(damage: Callable[[Path], object], subject: Make, tmp_path: Path) -> None:
    assert converted(subject("D"), "kind", (), write, read) == SOUND
    (folder,) = (path for path in (tmp_path / "engines").iterdir() if path.is_dir())
    damage(folder)
    with pytest.warns(BtlibWarning, match="the converted model is damaged .*; it is converted again"):
        assert converted(subject("D"), "kind", (), write, read) == SOUND
    assert converted(subject("D"), "kind", (), refuse, read) == SOUND


def test_one_model_in_the_place_of_another_is_made_anew(subject: Make, tmp_path: Path) -> None:
    """Both are whole: only their names tell what they are of."""
    one, other = (replace(subject("D"), identity=name) for name in ("one", "other"))
    texts = {
        name: lambda folder, name=name: (folder / "a").write_text(name)  # type: ignore[misc]
        for name in ("one", "other")
    }
    for given in (one, other):
        converted(given, "kind", (), texts[str(given.identity)], lambda f: (f / "a").read_text())
    first, second = sorted(path for path in (tmp_path / "engines").iterdir() if path.is_dir())
    first.rename(tmp_path / "aside")
    second.rename(first)
    (tmp_path / "aside").rename(second)
    for given in (one, other):
        with pytest.warns(BtlibWarning, match="it contains the files of kind-"):
            found = converted(given, "kind", (), texts[str(given.identity)], lambda f: (f / "a").read_text())
        assert found == given.identity


def test_one_that_could_not_be_written_whole_is_none(subject: Make, tmp_path: Path) -> None:
    def half(folder: Path) -> None:
        (folder / "program.bin").write_text("half")
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        converted(subject("D"), "kind", (), half, read)
    assert [path for path in (tmp_path / "engines").iterdir() if path.suffix != ".lock"] == []


def test_it_is_locked_while_it_is_made_and_read(
    subject: Make, tmp_path: Path, is_locked: Callable[[Path], bool]
) -> None:
    locked: list[bool] = []

    def look(then: Callable[[Path], object]) -> Callable[[Path], object]:
        def go(folder: Path) -> object:
            (lock,) = (tmp_path / "engines").glob("kind-*.lock")
            locked.append(is_locked(lock))
            return then(folder)

        return go

    converted(subject("D"), "kind", (), look(write), look(read))
    assert locked == [True, True]
