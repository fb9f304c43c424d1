"""Folds by the name of their family, or named one by one."""

from collections.abc import Iterator

import pytest

from btlib.errors import SplitError, UnknownNameError
from btlib.splits import SPLITS, folds_of, pooled_name

PATIENT = tuple(f"patient-5fold-{fold}" for fold in range(1, 6))


@pytest.fixture
def eleven() -> Iterator[None]:
    """A family of eleven folds, registered in no order, and a split that is named alike."""
    names = [f"mine-{fold}" for fold in (10, 2, 11, 1, 3, 4, 5, 6, 7, 8, 9)] + ["mine-1-1"]
    for name in names:
        SPLITS.add(name, lambda dataset: None)  # type: ignore[arg-type,return-value]
    yield
    for name in names:
        SPLITS._items.pop(name)


@pytest.mark.parametrize(
    ("name", "folds"),
    [
        ("patient-5fold", PATIENT),
        ("cvind", ("cvind-1", "cvind-2", "cvind-3", "cvind-4", "cvind-5")),
        ("slice-seed42", ("slice-seed42",)),
        ("patient-5fold-3", ("patient-5fold-3",)),
        ("patient-5fold-3,patient-5fold-1", ("patient-5fold-3", "patient-5fold-1")),
        (" cvind-1 , cvind-5", ("cvind-1", "cvind-5")),
    ],
)
def test_what_a_name_stands_for(name: str, folds: tuple[str, ...]):
    assert folds_of(name) == folds


@pytest.mark.usefixtures("eleven")
def test_folds_of_a_family_are_in_the_order_of_their_numbers():
    assert folds_of("mine") == tuple(f"mine-{fold}" for fold in range(1, 12))
    assert folds_of("mine-1") == ("mine-1",), "a split is itself before it is a family"
    assert pooled_name(folds_of("mine")) == "mine"
    assert pooled_name(["mine-10", "mine-2"]) == "mine-2+10"


@pytest.mark.parametrize(
    "name",
    [
        "patient-5fold-1,cvind-2",
        "patient-5fold-1,patient-5fold-2,slice-seed42",
        "slice-seed42,patient-5fold-1",
        "cvind-2,cvind-2",
        "cvind-1,cvind-2,cvind-1",
        "slice-seed42,slice-seed42",
    ],
)
def test_folds_are_different_ones_of_one_family(name: str):
    with pytest.raises(SplitError, match=f"expected different folds of one family, got {name.replace(',', ', ')}"):
        folds_of(name)


@pytest.mark.parametrize(
    ("name", "strange", "nearest"),
    [
        ("patient-5fold-6", "patient-5fold-6", "patient-5fold-5"),
        ("cvnd-3", "cvnd-3", "cvind-3"),
        ("slice-seed43", "slice-seed43", "slice-seed42"),
        ("cvind-1,cvind-22", "cvind-22", "cvind-2"),
        ("patient-5fodl", "patient-5fodl", "patient-5fold"),
        ("cvind,", "cvind", "cvind-"),
    ],
)
def test_an_unknown_name_offers_the_nearest(name: str, strange: str, nearest: str):
    with pytest.raises(UnknownNameError, match=f"unknown split '{strange}'") as caught:
        folds_of(name)
    assert f"did you mean '{nearest}" in str(caught.value)


def test_a_fold_without_a_name_is_none():
    with pytest.raises(UnknownNameError, match="unknown split ''"):
        folds_of("cvind-1,")
    with pytest.raises(UnknownNameError, match="unknown split ''"):
        folds_of("")


def test_a_split_that_was_withdrawn_is_refused():
    with pytest.raises(SplitError, match="withdrawn"):
        folds_of("block-seed42")


@pytest.mark.parametrize(
    ("folds", "name"),
    [
        (PATIENT, "patient-5fold"),
        (PATIENT[::-1], "patient-5fold"),
        (PATIENT[:4], "patient-5fold-1+2+3+4"),
        (("patient-5fold-5", "patient-5fold-2"), "patient-5fold-2+5"),
        (("cvind-4",), "cvind-4"),
    ],
)
def test_the_name_of_folds_together(folds: tuple[str, ...], name: str):
    assert pooled_name(folds) == name
