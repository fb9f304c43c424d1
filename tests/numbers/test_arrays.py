"""Scores from arrays: shapes, seeds, and arguments that are refused."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from btlib.errors import DataError, OptionError
from btlib.numbers import as_conditions, as_result, from_arrays
from btlib.numbers.sample_scores import define

IDS = ["a", "b", "c"]


@pytest.mark.parametrize(
    ("values", "expected", "seeded"),
    [
        ([1, 2, 3], {0: [1, 2, 3]}, False),
        (np.array([1.0, 2.0, 3.0], np.float32), {0: [1, 2, 3]}, False),
        ([True, False, True], {0: [1, 0, 1]}, False),
        ([[1, 2, 3], [4, 5, 6]], {0: [1, 2, 3], 1: [4, 5, 6]}, True),
        (np.arange(6.0).reshape(2, 3), {0: [0, 1, 2], 1: [3, 4, 5]}, True),
        (np.arange(9).reshape(3, 3), {0: [0, 1, 2], 1: [3, 4, 5], 2: [6, 7, 8]}, True),
        ({7: [4, 5, 6], 3: [1, 2, 3]}, {3: [1, 2, 3], 7: [4, 5, 6]}, True),
        ({7: np.array([4, 5, 6])}, {7: [4, 5, 6]}, True),
    ],
)
def test_values_by_seed(values: Any, expected: dict[int, list[float]], seeded: bool):
    found = from_arrays("wer", IDS, values, ["s", "s", "t"])
    assert {seed: columns["wer"].tolist() for seed, columns in found.values.items()} == expected
    assert found.seeded is seeded


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"values": [1, 2]}, "wer: expected 3 values, one per id, got 2"),
        ({"values": [[1, 2], [3, 4]]}, "wer, seed 0: expected 3 values"),
        ({"values": [1, None, 3]}, "expected a finite number for id 'b', got None"),
        ({"values": {5: [1, 2, float("nan")]}}, "wer, seed 5: expected a finite number for id 'c', got nan"),
        ({"values": [1, 2, "3"]}, "expected a finite number for id 'c', got '3'"),
        ({"values": [1, float("inf"), 3]}, "for id 'b', got inf"),
        ({"values": 3}, "expected 3 values, one per id, got 1"),
        ({"values": {}}, "at least one seed"),
        ({"values": {1: 0.5, 2: 0.5, 3: 0.5}}, "wer, seed 1: expected a list of values, got 0.5"),
        ({"values": [1, 10**400, 3]}, "expected a finite number for id 'b', got 1000"),
        ({"values": {1.0, 2.0, 3.0}}, "values: expected a list"),
        ({"ids": {"a", "b", "c"}}, "ids: expected a list"),
        ({"groups": {"s", "t", "u"}}, "groups: expected a list"),
        ({"values": {"x": [1, 2, 3]}}, "whole numbers as seeds, got 'x'"),
        ({"ids": ["a", "b", "a"]}, "id 'a' occurs more than once"),
        ({"ids": [1, 1, 2]}, "id '1' occurs more than once"),
        ({"ids": ["a", "b", None]}, "at position 2, got None"),
        ({"ids": ["a", "b", ""]}, "at position 2, got ''"),
        ({"ids": "abc"}, "ids: expected a list, got 'abc'"),
        ({"ids": [], "values": [], "groups": []}, "at least one id"),
        ({"groups": ["s", "t"]}, "expected 3 groups, one per id, got 2"),
        ({"groups": ["s", "t", None]}, "groups: expected text or a whole number at position 2"),
        ({"groups": None}, "either groups or independent=True"),
        ({"independent": True}, "either groups or independent=True"),
    ],
)
def test_what_is_refused(changes: dict[str, Any], told: str):
    given = {"ids": IDS, "values": [1.0, 2.0, 3.0], "groups": ["s", "s", "t"]} | changes
    with pytest.raises(DataError, match=told):
        from_arrays("wer", **given)


@pytest.mark.parametrize(
    ("name", "fields", "told"),
    [
        ("wer", {"margin": 0.0}, "wer.margin"),
        ("wer", {"margin": float("nan")}, "wer.margin"),
        ("wer", {"margin": float("inf")}, "wer.margin"),
        ("wer", {"margin": 1.0, "range": (0.0, 1.0)}, "less than the width of the range"),
        ("wer", {"range": (1.0, 0.0)}, "lower limit below the upper limit"),
        ("wer", {"direction": "down"}, "wer.direction"),
        ("wer", {"version": 0}, "wer.version"),
        ("w/r", {}, "expected letters"),
        ("", {}, "name"),
        ("seed", {}, "reserved"),
        ("a|b", {}, "expected letters"),
    ],
)
def test_a_definition_that_is_refused(name: str, fields: dict[str, Any], told: str):
    with pytest.raises(OptionError, match=told):
        define(name, **fields)


def test_a_value_out_of_range_is_named():
    found = from_arrays("wer", IDS, [0.1, 0.2, -0.1], ["s", "s", "t"])
    with pytest.raises(DataError, match=r"wer: expected values in 0…inf, got -0.1 for id 'c'"):
        as_conditions(found, [define("wer", range=(0.0, None))])


def test_identity_is_ids_and_groups_and_not_their_order():
    score = [define("wer", margin=0.1)]

    def identity(ids: list[str], groups: list[str] | None) -> str | None:
        found = from_arrays("wer", ids, np.arange(3.0), groups, independent=groups is None)
        return as_conditions(found, score).truth_fingerprint

    known = identity(IDS, ["s", "s", "t"])
    assert identity(["c", "a", "b"], ["t", "s", "s"]) == known
    assert len({known, identity(IDS, ["s", "t", "t"]), identity(IDS, None), identity(IDS, IDS)}) == 4


def test_without_seeds_no_training_lies_between():
    scores = [define("wer")]
    once = from_arrays("wer", IDS, [1.0, 2.0, 3.0], IDS)
    several = from_arrays("wer", IDS, [[1.0, 2.0, 3.0]], IDS)
    models = [
        as_result(found, "x", scores, retrained=retrained).runs[0].file_digest
        for found, retrained in ((once, False), (once, True), (several, False))
    ]
    assert models[0] is not None
    assert models[1:] == [None, None]


def test_decimals_of_a_database_are_numbers():
    found = from_arrays("m", ["a", "b"], [Decimal("0.1"), Decimal(2)], None, independent=True)
    assert found.values[0]["m"].tolist() == [0.1, 2.0]
    for bad in ("NaN", "sNaN", "Infinity"):
        with pytest.raises(DataError, match="expected a finite number for id 'b'"):
            from_arrays("m", ["a", "b"], [Decimal("0.1"), Decimal(bad)], None, independent=True)


@pytest.mark.parametrize("where", ["ids", "groups"])
def test_half_of_a_character_is_one_clear_error(where: str):
    given = {"ids": ["a", "b"], "groups": ["a", "b"]} | {where: ["a", "b\ud800"]}
    with pytest.raises(DataError, match=rf"{where}, position 1: expected valid text.*lone surrogate"):
        from_arrays("m", given["ids"], [1.0, 2.0], given["groups"])
