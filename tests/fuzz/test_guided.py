"""Files that are wrong under a right checksum: refused in btlib's words, or read."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from btlib.errors import BtlibError

from . import guided
from .guided import CORPUS, TARGETS, Choices, Target, edited

FEW, MANY = 12, 1000


@pytest.fixture(scope="module", params=TARGETS)
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    if request.param == "checkpoint":
        pytest.importorskip("torchvision")
    found = Target(request.param)
    yield found
    found.close()


def some_bytes(target: Target, seed: int) -> bytes:
    """Decisions of an edit, or the sound file with a few bytes changed."""
    rng = random.Random(seed)
    if target.sealed:
        return rng.randbytes(rng.choice((4, 6, 8, 12, 20)))
    content = bytearray(target.sound)
    for _ in range(rng.randint(1, 4)):
        content[rng.randrange(len(content))] = rng.randrange(256)
    return bytes(content)


@pytest.mark.parametrize("inputs", [FEW, pytest.param(MANY, marks=pytest.mark.nightly)])
def test_only_our_errors_come_of_what_a_checksum_does_not_tell(target: Target, inputs: int):
    outcomes = {target.try_one(some_bytes(target, seed)) for seed in range(inputs)}
    assert outcomes <= {"read", "refused"}


def test_what_was_found_by_coverage_stays_with_hint(target: Target):
    for path in sorted((CORPUS / target.name).glob("*")):
        assert target.try_one(path.read_bytes()) in ("read", "refused"), path.name


def test_no_bytes_are_the_sound_file(target: Target):
    """With the digest that it has: else every change would be refused for its digest, and nothing be tried."""
    if target.sealed:
        assert target.content(b"").strip().startswith(b"{")
        assert target.try_one(b"") == "read"
    assert target.try_one(b"" if target.sealed else target.sound) == "read"


def test_an_edit_is_decided_by_its_bytes():
    value = {"a": [1, 2, {"b": "text"}], "c": None}
    made = [edited(value, Choices(bytes([0, k, 0, m, 0, n]))) for k in range(6) for m in range(8) for n in (0, 9)]
    assert value == {"a": [1, 2, {"b": "text"}], "c": None}
    assert len({repr(found) for found in made}) > 25
    assert edited(value, Choices(b"")) == value


def test_a_foreign_exception_is_no_outcome(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def read(folder: Path) -> str:
        raise KeyError("not ours")

    def refuse(folder: Path) -> str:
        raise BtlibError("ours")

    made = guided.Reader(lambda folder: [_written(folder / "a.json")], read)
    monkeypatch.setitem(guided.READERS, "record", made)
    with pytest.raises(KeyError, match="not ours"):
        Target("record").try_one(b"12345678")
    monkeypatch.setitem(guided.READERS, "record", guided.Reader(made.make, refuse))
    assert Target("record").try_one(b"12345678") == "refused"


def _written(path: Path) -> Path:
    path.write_text('{"a": 1}')
    return path
