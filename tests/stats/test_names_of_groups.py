"""Equal groups give equal results, whatever their names are: numbers, texts of these numbers, arrays of either."""

import dataclasses
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btlib import stats
from btlib.data.grouping import patient_groups
from btlib.stats.checks import group_numbers

N = 12
RNG = np.random.default_rng(3)
A, B, FOLD = RNG.random(N), RNG.random(N), RNG.random((3, 4))

CALLS: dict[str, Callable[[Any], Any]] = {
    "paired.groups": lambda g: stats.paired(A, B, g, n_resamples=200),
    "paired_many.groups": lambda g: stats.paired_many([A - B, B], g, n_resamples=200).rows(),
    "family_tests.groups": lambda g: [x.tolist() for x in vars(stats.family_tests([A - B, B - 0.4], g)).values()],
    "unpaired.groups_a": lambda g: stats.unpaired(A, B, g, list(range(N))),
    "unpaired.groups_b": lambda g: stats.unpaired(A, B, list(range(N)), g),
    "design_effect.groups": lambda g: stats.design_effect(A, g),
    "crossed.groups": lambda g: stats.crossed(np.stack([A, B]), B, g, between_trainings=stats.Variance(0.1, 3)),
    "crossed_with_published.groups": lambda g: stats.crossed_with_published(
        A, 0.5, 0.1, 20, g, between_trainings=stats.Variance(0.1, 3)
    ),
    "interaction.groups": lambda g: stats.interaction(np.stack([A, B, A * B]), g),
    "sample_weights.groups": lambda g: [x.tolist() for x in stats.sample_weights(N, g)[1]],
    "between_seeds.folds": lambda g: stats.between_seeds(np.stack([A, B, A * B]), g),
}
COUNTS = {"with_numbers.groups"}
"""Parameters of this name that are a number of groups."""


def test_every_function_that_takes_groups_is_called_here():
    taking = {
        f"{name}.{parameter}"
        for name in stats.__all__
        if inspect.isfunction(function := getattr(stats, name))
        for parameter in inspect.signature(function).parameters
        if parameter.startswith(("groups", "folds"))
    }
    assert taking - COUNTS == set(CALLS)


def names_of(numbers: list[int]) -> list[Any]:
    """The same groups under several names whose order is that of the numbers."""
    texts = [str(number) for number in numbers]
    return [
        texts,
        tuple(numbers),
        np.array(numbers),
        np.array(numbers, np.int32),
        np.array(texts),
        np.array(texts, object),
        np.array(numbers, np.float64),
        [f"P{number}" for number in numbers],
        [f"P{number:05d}" for number in numbers],
        [np.int64(number) for number in numbers],
    ]


def plain(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else value


@pytest.mark.parametrize("name", CALLS)
@given(numbers=st.lists(st.integers(0, 130), min_size=N, max_size=N).filter(lambda x: len(set(x)) > 1))
@settings(max_examples=12, deadline=None)
def test_equal_groups_give_equal_results(name: str, numbers: list[int]):
    expected = plain(CALLS[name](numbers))
    for groups in names_of(numbers):
        assert plain(CALLS[name](groups)) == expected


@given(st.lists(st.integers(-120, 120) | st.floats(-20, 20).map(lambda x: round(x, 2) + 0.0), min_size=1, max_size=15))
@settings(max_examples=60, deadline=None)
def test_any_numbers_are_the_groups_of_their_texts(numbers: list[float]):
    array = np.array(numbers)
    texts = [str(value) for value in array]
    found = group_numbers(array, len(array)).tolist()
    assert found == group_numbers(texts, len(array)).tolist()
    assert found == group_numbers(list(array), len(array)).tolist()
    assert sorted(set(found)) == list(range(len(set(texts))))


@given(st.lists(st.integers(0, 130), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_patients_of_samples_are_numbered_alike(numbers: list[int]):
    """The groups of a case's samples are those that the statistics make of its patients."""
    texts = [str(number) for number in numbers]
    assert patient_groups(texts).tolist() == group_numbers(texts, len(texts)).tolist()
    assert patient_groups([f"P{text}" for text in texts]).tolist() == group_numbers(numbers, len(texts)).tolist()
