"""Numbers of seeds as users write them."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btlib.errors import OptionError
from btlib.options import RunOptions
from btlib.stages import normalised, stages


@pytest.mark.parametrize(
    ("text", "expected", "kept"),
    [
        ("1", (1,), 1),
        ("3", (3,), 3),
        ("010", (10,), 10),
        (3, (3,), 3),
        ("1..1", (1,), 1),
        ("3..3", (3,), 3),
        ("1..2", (1, 2), "1..2"),
        ("1..3", (1, 3), "1..3"),
        ("1..4", (1, 3, 4), "1..4"),
        ("1..5", (1, 3, 5), "1..5"),
        ("3..5", (3, 5), "3..5"),
        ("2..6", (2, 4, 6), "2..6"),
        ("2..7", (2, 4, 6, 7), "2..7"),
        ("9..10", (9, 10), "9..10"),
    ],
)
def test_a_number_is_one_stage_and_a_span_has_stages_of_two_more_seeds(
    text: str | int, expected: tuple[int, ...], kept: str | int
) -> None:
    assert stages(text) == expected
    assert normalised(text) == kept
    assert stages(kept) == expected


@given(st.integers(1, 60), st.integers(0, 60))
def test_stages_rise_by_two_to_the_last_number(first: int, more: int) -> None:
    found = stages(f"{first}..{first + more}")
    steps = [b - a for a, b in pairwise(found)]
    assert (found[0], found[-1]) == (first, first + more)
    assert set(steps[:-1]) <= {2}
    assert set(steps[-1:]) <= {1, 2}


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1.5", "many", "²", "0..3", "1..", "..3", "1...3", "1..3..5", " 1..3", "1..x", "1e3"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match=r"^--bt-seeds: expected a whole number from 1, got ") as caught:
        RunOptions(seeds=text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("value", [0, -2, True, 2.0, None, (1, 3)])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(OptionError, match=r"^--bt-seeds: expected a whole number from 1"):
        RunOptions(seeds=value)  # type: ignore[arg-type]


def test_the_smaller_number_is_first() -> None:
    with pytest.raises(OptionError, match=r"smaller number first, got '5\.\.3'\nHint: give 3\.\.5"):
        stages("5..3")


def test_options_keep_stages_in_json(tmp_path: Path) -> None:
    for seeds, expected, found in (("1..5", "1..5", (1, 3, 5)), ("2", 2, (2,)), (1, 1, (1,))):
        options = RunOptions(root=tmp_path, seeds=seeds)
        assert (options.as_json()["seeds"], options.stages) == (expected, found)
        assert RunOptions.from_json(options.as_json()) == options
