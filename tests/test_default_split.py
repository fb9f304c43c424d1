"""Split of a data set whose user names none, random folds, and volumes and patients that a split must not cut."""

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btlib.data.dataset import Dataset
from btlib.data.grouping import group_names, in_several_parts, patient_groups, unit_of
from btlib.data.sources.tasks import PHANTOM
from btlib.data.task import Task
from btlib.errors import BtlibWarning, SplitError
from btlib.splits import SPLITS, Split, default_split, folds_of, make_split, pooled_name, random_folds

Make = Callable[..., Dataset]
Own = Callable[..., Dataset]


@pytest.fixture(scope="module")
def own(make_dataset: Make) -> Own:
    """Samples of a task of the user's own, with the same pixels as the phantoms."""

    def make(n: int, patients: tuple[str | None, ...] | None = None, *, independent: bool = False, **fields) -> Dataset:  # type: ignore[no-untyped-def]
        dataset = make_dataset(n, size=16)
        names = {name: getattr(dataset.task, name) for name in ("classes", "structures", "channels")}
        task = Task(name="mine", independent=independent, **names)
        return replace(dataset, task=task, patients=patients or (None,) * n, **fields)

    return make


def people(n: int, each: int = 2) -> tuple[str, ...]:
    return tuple(f"P{i // each}" for i in range(n))


def test_the_tasks_of_btlib_keep_the_split_of_the_thesis(make_dataset: Make) -> None:
    dataset = make_dataset(10, size=16)
    assert dataset.task == PHANTOM
    stated = replace(dataset, official=("train", "test") * 5)
    assert default_split(dataset) == default_split(stated) == ("slice-seed42", "")


def test_other_data_decide(own: Own) -> None:
    """The official split, before patients, before independence."""
    official = ("train", "test", "val") * 4
    assert default_split(own(12, people(12), independent=True, official=official)) == ("official", "the data state it")
    assert default_split(own(12, people(12), independent=True)) == ("patient-5fold-1", "the patients are known")
    assert default_split(own(12, independent=True)).name == "random-5fold-1"
    assert default_split(replace(own(12), independent=True)).name == "random-5fold-1"  # as the user states


@pytest.mark.parametrize("n", [3, 4])
def test_few_patients_have_as_many_folds(own: Own, n: int) -> None:
    dataset = own(2 * n, people(2 * n))
    name, reason = default_split(dataset)
    assert (name, reason) == (
        f"patient-{n}fold-1",
        f"the patients are known; {n} folds, because there are only {n} patients",
    )
    folds = [make_split(fold, dataset, alone=False) for fold in folds_of(f"patient-{n}fold")]
    assert sorted(i for split in folds for i in split.test) == list(range(2 * n))
    assert pooled_name([split.name for split in folds]) == f"patient-{n}fold"


def test_few_volumes_of_unknown_patients_have_as_many_folds(own: Own) -> None:
    dataset = own(12, independent=True, volumes=tuple(f"V{i // 3}" for i in range(12)))
    name, reason = default_split(dataset)
    assert (name, reason.split("; ")[1]) == ("random-4fold-1", "4 folds, because there are only 4 samples or volumes")
    assert len(make_split(name, dataset, alone=False).test) == 3


def test_what_cannot_be_split_says_what_to_do(own: Own) -> None:
    with pytest.raises(SplitError, match=r"at least 3 patients for training, validation and test, got 2\n.*split of"):
        default_split(own(8, people(8, 4)))
    with pytest.raises(SplitError, match=r"12 of 12 samples have no patient id, and the task .*\n.*independent = true"):
        default_split(own(12))
    with pytest.raises(SplitError, match=r"default split of mine: .* 1 of 12 samples have no patient id"):
        default_split(own(12, (*people(11), None)))
    with pytest.raises(SplitError, match=r"random-5fold-1: 12 of 12 samples .*\n.*column patient"):
        make_split("random-5fold-1", own(12))
    with pytest.raises(SplitError, match="random-5fold-1: expected at least 5 samples, volumes or patients, got 4"):
        make_split("random-5fold-1", own(4, independent=True))
    with pytest.raises(SplitError, match="expected a fold 1…5 of at least 3 folds, got 6"):
        random_folds(own(12, independent=True), fold=6)


@given(st.permutations(range(30)))
def test_random_folds_are_of_ids_and_stratified(own: Own, order: list[int]) -> None:
    """Each sample is tested once, in the same fold in any order, and each fold has its share of each class."""
    labels = np.array([0] * 20 + [1] * 10)
    dataset = replace(own(30, independent=True), labels=labels, cohort=None)
    moved = dataset.subset(np.array(order))
    tested: list[str] = []
    for fold in range(1, 6):
        split, other = (random_folds(one, fold=fold) for one in (dataset, moved))
        assert set(dataset.ids[split.test]) == set(moved.ids[other.test])
        assert set(dataset.ids[split.val]) == set(moved.ids[other.val])
        assert np.bincount(labels[split.test], minlength=2).tolist() == [4, 2]
        tested += dataset.ids[split.test].tolist()
    assert sorted(tested) == sorted(dataset.ids.tolist())


def test_random_folds_are_frozen(own: Own) -> None:
    """Every version of btlib draws the same folds, and they are not in the order of the samples."""
    split = random_folds(replace(own(12, independent=True), ids=np.array([f"scan {i}" for i in range(12)])), fold=1)
    assert (split.test.tolist(), split.val.tolist()) == FROZEN


FROZEN = ([7, 9, 11], [6, 8, 10])


@given(st.lists(st.tuples(st.sampled_from(["A", "B", None]), st.sampled_from("abcdefg")), min_size=14, max_size=24))
def test_random_folds_cut_neither_patients_nor_volumes(own: Own, drawn: list[tuple[str | None, str]]) -> None:
    patients = tuple(patient for patient, _ in drawn)
    volumes = tuple(f"{patient} {volume}" for patient, volume in drawn)
    dataset = own(len(drawn), patients, independent=True, volumes=volumes)
    groups = group_names(dataset.ids.tolist(), patients, volumes)
    if len(set(groups)) < 3:
        with pytest.raises(SplitError, match="at least 3"):
            make_split("random-3fold-1", dataset)
        return
    split = make_split("random-3fold-2", dataset, alone=False)
    parts = [part.tolist() for part in (split.train, split.val, split.test)]
    assert in_several_parts(groups, parts) == in_several_parts(volumes, parts) == []


def test_no_split_cuts_a_volume(own: Own, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = ("train", "train", "val", "test", "test", "train")
    volumes = ("V10", "V2", "V10", "V2", "V3", "V4")
    with pytest.raises(SplitError, match=r"official: 2 volumes have samples in several parts, the first is 'V2'\n"):
        make_split("official", own(6, volumes=volumes, official=parts))
    monkeypatch.setitem(SPLITS._items, "halves", lambda d: Split("halves", np.arange(3), np.arange(0), np.arange(3, 6)))
    with pytest.warns(BtlibWarning, match=r"^halves: 1 volume has samples in several parts, the first is 'V2'; "):
        make_split("halves", own(6, volumes=volumes))  # of another package, which may know no volumes


def test_the_split_of_the_thesis_warns_of_cut_volumes(own: Own) -> None:
    with pytest.warns(BtlibWarning, match=r"^slice-seed42: 2 volumes have .* the first is 'V2'; scores by volume are"):
        make_split("slice-seed42", own(10, volumes=tuple(f"V{i % 5}" for i in range(10))))


def test_patients_in_several_official_parts_are_named_once(own: Own) -> None:
    parts = ("train",) * 12 + ("val", "test") * 6
    dataset = own(24, tuple(f"P{i % 12}" for i in range(24)), official=parts)
    with pytest.warns(BtlibWarning) as caught:
        make_split("official", dataset)
    (message,) = [str(one.message) for one in caught]
    assert message == (
        "official: 6 of 12 patients are in test samples and other samples, so the results do not hold for new "
        "patients: P1, P3, P5, P7, P9, P11"
    )
    many = own(24, tuple(f"P{i % 12}" for i in range(24)), official=("train",) * 12 + ("test",) * 12)
    with pytest.warns(BtlibWarning, match=r"12 of 12 patients .* P9 and 2 more$"):
        make_split("official", many)


def test_patients_in_training_and_validation_are_named(own: Own) -> None:
    dataset = own(4, ("A", "A", "B", None), official=("train", "val", "test", "train"))
    with pytest.warns(
        BtlibWarning, match=r"1 of 2 patients are in train and val, so validation does not show new .* A$"
    ):
        make_split("official", dataset, alone=False)


def test_disjoint_official_parts_warn_of_nothing(own: Own) -> None:
    dataset = own(4, ("A", "A", "B", None), official=("train", "train", "test", "train"))
    with warnings.catch_warnings():
        warnings.simplefilter("error", BtlibWarning)
        split = make_split("official", dataset, alone=False)
    assert (split.val.tolist(), split.test.tolist()) in (([3], [2]), ([0, 1], [2]))


def test_a_volume_of_an_unknown_patient_is_a_group() -> None:
    """Intervals draw patients; where none is known, they draw volumes, and never single slices of one."""
    patients, volumes = (None, "P10", None, "P9", None), ("V1", "V2", "V1", "V3", "V0")
    assert patient_groups(patients, volumes).tolist() == [2, 1, 2, 0, 3]
    assert patient_groups(patients).tolist() == [2, 1, 3, 0, 4]
    assert [unit_of((None, None)), unit_of((None, None), volumes=("A", "A"))] == ["sample", "volume"]
    assert unit_of(("P", None), "speaker", volumes=("A", "B")) == "speaker"
