"""Identity by content: frozen, of every part, and independent of where and in which order files lie."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from btlib import fingerprint


@dataclass(frozen=True)
class Recipe:
    epochs: int
    seed: int = 7


@dataclass(frozen=True)
class Plan:
    recipe: Recipe
    name: str = "A"


def test_a_fingerprint_is_frozen() -> None:
    """Every stored split, model and record is found by it."""
    assert fingerprint.of() == "4f53cda18c2baa0c"
    assert (
        fingerprint.of("a", [1, 2.5], {"b": None, "a": True})
        == hashlib.sha256(b'["a",[1,2.5],{"a":true,"b":null}]').hexdigest()[:16]
    )


def test_parts_are_told_apart_from_their_list() -> None:
    found = [fingerprint.of(*parts) for parts in ((1, 2), ([1, 2],), (1, [2]), (2, 1), (12,), (1,), ("1", 2), (1.0, 2))]
    assert len(set(found)) == len(found)


def test_a_dataclass_is_its_fields_at_any_depth() -> None:
    plan = Plan(Recipe(3))
    assert fingerprint.of(plan) == fingerprint.of({"name": "A", "recipe": {"epochs": 3, "seed": 7}})
    others = [Plan(Recipe(4)), Plan(Recipe(3, 8)), Plan(Recipe(3), "B")]
    assert len({fingerprint.of(one) for one in [plan, *others]}) == 4
    with pytest.raises(TypeError, match="cannot take the fingerprint of type"):
        fingerprint.of(Recipe)


def test_a_file_is_all_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    for content in (b"", b"\r\n\x00", b"x" * 300_000):
        path.write_bytes(content)
        assert fingerprint.of_file(path) == hashlib.sha256(content).hexdigest()


def write(folder: Path, **sources: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{name}.py" for name in sources]
    for path, source in zip(paths, sources.values(), strict=True):
        path.write_text(source, encoding="utf-8")
    return paths


def test_sources_are_all_files_by_name_in_any_order(tmp_path: Path) -> None:
    paths = write(tmp_path / "one", b="x = 1", a="y = 'ü'")
    found = fingerprint.of_sources(paths)
    assert found == fingerprint.of_sources(paths[::-1]) == fingerprint.of_sources(iter(paths))
    assert found == fingerprint.of_sources(write(tmp_path / "elsewhere", b="x = 1", a="y = 'ü'"))
    others = [
        write(tmp_path / "2", b="x = 1", a="y = 'u'"),
        write(tmp_path / "3", b="x = 2", a="y = 'ü'"),
        write(tmp_path / "4", a="x = 1", b="y = 'ü'"),
        write(tmp_path / "5", c="x = 1", a="y = 'ü'"),
        write(tmp_path / "6", a="y = 'ü'"),
    ]
    assert len({found, *(fingerprint.of_sources(other) for other in others)}) == 6


@pytest.mark.parametrize("kind", ["def f():", "async def f():", "class C:"])
def test_docstrings_do_not_count_and_other_text_does(kind: str, tmp_path: Path) -> None:
    def of(source: str) -> str:
        return fingerprint.of_sources(write(tmp_path, a=source))

    assert of(f'{kind}\n    """One."""\n    x = 1') == of(f"{kind}\n    x = 1  # two")
    assert of(f'{kind}\n    """One."""') == of(f"{kind}\n    pass")
    assert of(f"{kind}\n    x = 1\n    'text'") != of(f"{kind}\n    x = 1")
    assert of(f"{kind}\n    1\n    x = 1") != of(f"{kind}\n    x = 1")
    assert of("'One.'\nx = 1") == of("'Two.'\nx = 1") == of("x = 1")


def stored(**ingredients: object) -> dict[str, object]:
    return {"ingredients": ingredients}


def test_the_nearest_stored_model_says_in_what_it_differs() -> None:
    wanted = {"seed": 7, "data": "d", "recipe": {"epochs": 2, "loss": {"dice": 1.0}}}
    near = stored(seed=7, data="d", recipe={"epochs": 3, "loss": {"dice": 2.0}})
    far = stored(seed=8, data="e", recipe={"epochs": 3, "loss": {"dice": 1.0}})
    expected = "no stored model matches; the most similar one differs in recipe.epochs, recipe.loss.dice"
    assert fingerprint.no_model_fits(wanted, [far, None, near]) == expected
    assert fingerprint.no_model_fits(wanted, [near, far]) == expected
    assert (
        fingerprint.no_model_fits(wanted, [far])
        == "no stored model matches; the most similar one differs in seed, data, recipe.epochs"
    )
    assert fingerprint.no_model_fits(wanted, [None]) == fingerprint.no_model_fits(wanted, []) == ""
    assert fingerprint.no_model_fits(wanted, iter([stored(seed=7, more=1)])).endswith(
        "in data, recipe.epochs, recipe.loss.dice"
    )
