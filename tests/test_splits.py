import sys
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from btlib import fingerprint, splits
from btlib.data.dataset import Cohort, Dataset
from btlib.data.sources.figshare.patient_table import figshare_patients
from btlib.data.sources.tasks import FIGSHARE
from btlib.data.task import Task
from btlib.errors import BtlibWarning, SplitError, UnknownNameError

Make = Callable[..., Dataset]


@pytest.mark.parametrize("n", [5, 6, 10, 99, 600, 3064])
def test_slice_seed42_is_torchs_random_split(n: int) -> None:
    torch = pytest.importorskip("torch")
    n_test = int(0.2 * n)
    n_val = int(0.1 * (n - n_test))
    lengths = [n - n_test - n_val, n_val, n_test]
    theirs = torch.utils.data.random_split(range(n), lengths, generator=torch.Generator().manual_seed(42))
    ours = splits.slice_seed42(n)
    for part, subset in zip((ours.train, ours.val, ours.test), theirs, strict=True):
        assert part.tolist() == list(subset.indices)


def test_the_thesis_has_2207_245_and_612() -> None:
    split = splits.slice_seed42(3064)
    assert [len(part) for part in (split.train, split.val, split.test)] == [2207, 245, 612]
    assert split.fingerprint == splits.slice_seed42(3064).fingerprint != splits.slice_seed42(3063).fingerprint


@given(st.integers(5, 400))
@settings(max_examples=25)
def test_every_slice_stands_in_one_part(n: int) -> None:
    split = splits.slice_seed42(n)
    assert sorted(np.concatenate([split.train, split.val, split.test]).tolist()) == list(range(n))


@pytest.mark.parametrize(("n", "part"), [(0, "train"), (1, "test"), (4, "test")])
def test_too_few_slices_for_a_test_set(n: int, part: str) -> None:
    with pytest.raises(SplitError, match=f"no sample is left for {part}"):
        splits.slice_seed42(n)


def test_test_slices_in_the_training_set_are_refused() -> None:
    with pytest.raises(SplitError, match="1 samples occur more than once, first position 2"):
        splits.Split("leaky", np.array([0, 1, 2]), np.array([3]), np.array([2, 4]))


PARTS = {"name": "a", "train": [0, 1], "val": [2, 5], "test": [3, 4]}


def make_parts(**changes: object) -> splits.Split:
    parts = PARTS | changes
    return splits.Split(str(parts["name"]), *(np.array(parts[part], int) for part in ("train", "val", "test")))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "b"},
        {"train": [1, 0]},
        {"train": [0, 6]},
        {"val": [5, 2]},
        {"val": [2, 6]},
        {"val": [2]},
        {"test": [4, 3]},
        {"test": [3, 6]},
        {"train": [0, 1, 2], "val": [5]},
        {"val": [2], "test": [5, 3, 4]},
        {"val": [3, 4], "test": [2, 5]},
        {"train": [2, 5], "val": [0, 1]},
    ],
    ids=str,
)
def test_a_fingerprint_is_of_name_and_positions(changes: dict[str, object]) -> None:
    """Of every part, its order, and where one part ends and the next begins."""
    assert make_parts().fingerprint == make_parts().fingerprint == "8d6620241ab8f921"
    assert make_parts(**changes).fingerprint != make_parts().fingerprint


@pytest.mark.parametrize("part", ["train", "val", "test"])
@pytest.mark.parametrize("other", ["train", "val", "test"])
def test_no_position_stands_in_two_parts_or_twice_in_one(part: str, other: str) -> None:
    own, more = PARTS[part], PARTS[other]
    with pytest.raises(SplitError, match=f"a: 1 samples occur more than once, first position {more[-1]}"):
        make_parts(**{part: [*own, more[-1]]})


def test_only_the_validation_part_may_be_empty() -> None:
    assert make_parts(val=[]).val.tolist() == []
    for part in ("train", "test"):
        with pytest.raises(SplitError, match=f"a: no sample is left for {part}\n"):
            make_parts(**{part: []})


@pytest.mark.parametrize("part", ["train", "val", "test"])
@pytest.mark.parametrize("given", [[0.5], [True], [-1], [[8]], ["8"]], ids=str)
def test_what_are_no_positions_is_refused_in_every_part(part: str, given: list[object]) -> None:
    with pytest.raises(SplitError, match=f"a: {part}: expected positions from 0"):
        splits.Split(
            "a", **{name: np.array(given if name == part else PARTS[name]) for name in ("train", "val", "test")}
        )


def test_positions_are_int64_whatever_they_were() -> None:
    split = splits.Split("a", np.array([1, 0], np.uint8), np.array([]), np.array([255], np.int16))
    for part, positions in ((split.train, [1, 0]), (split.val, []), (split.test, [255])):
        assert part.dtype == np.int64
        assert part.tolist() == positions


def test_patient_folds_keep_patients_apart_and_test_each_slice_once(make_dataset: Make) -> None:
    dataset = make_dataset(120)
    tested = []
    for k in range(1, 6):
        split = splits.make_split(f"patient-5fold-{k}", dataset)
        people = [{dataset.patients[i] for i in part} for part in (split.train, split.val, split.test)]
        assert not people[0] & people[1]
        assert not people[0] & people[2]
        assert not people[1] & people[2]
        tested += split.test.tolist()
        shares = np.bincount(dataset.labels[split.test], minlength=3) / len(split.test)
        assert abs(shares - 1 / 3).max() < 0.15
    assert sorted(tested) == list(range(120))


def test_a_patient_split_without_patient_ids_says_so(make_dataset: Make) -> None:
    with pytest.raises(
        SplitError, match=r"patient-5fold-2: 24 of 24 samples have no patient id\n.*column patient.*random-5fold-1"
    ):
        splits.make_split("patient-5fold-2", make_dataset(patients=False))


def test_fewer_patients_than_folds(make_dataset: Make) -> None:
    with pytest.raises(SplitError, match="at least 5 patients, got 4"):
        splits.make_split("patient-5fold-1", make_dataset(8))


def test_cvind_folds_follow_the_file(tmp_path: Path, make_dataset: Make) -> None:
    from scipy.io import savemat

    folds = np.array([1, 2, 3, 4, 5] * 50)
    (tmp_path / "data").mkdir()
    savemat(tmp_path / "cvind.mat", {"cvind": folds[:, None]})
    dataset = replace(make_dataset(20), folder=tmp_path / "data")  # ids 10, 20 … 200: all of them in fold 5
    dataset = replace(dataset, ids=np.arange(3, 23).astype(str))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BtlibWarning)  # of classes absent in so small a fold
        split = splits.make_split("cvind-3", dataset)
    assert [folds[int(n) - 1] for n in dataset.ids[split.test]] == [3] * 4
    assert [folds[int(n) - 1] for n in dataset.ids[split.val]] == [4] * 4
    assert len(split.train) == 12


def test_cvind_folds_are_found_by_file_number(monkeypatch: pytest.MonkeyPatch, make_dataset: Make) -> None:
    """The last slice of the file has a fold too; one beyond it has none."""
    unordered = [7, 2, 9, 6, 3, 1, 8, 10, 5, 4]
    folds = np.array([3, 1, 4, 1, 5, 2, 2, 3, 5, 4])
    asked: list[tuple[object, ...]] = []

    def read(*given: object) -> np.ndarray:
        asked.append(given)
        return folds

    monkeypatch.setattr("btlib.data.sources.figshare.cvind.read_cvind", read)
    ids, folder = np.array(unordered).astype(str), Path("slices")
    dataset = replace(make_dataset(10), ids=ids, labels=np.zeros(10, int), folder=folder)
    for k in range(1, 6):
        split = splits.make_split(f"cvind-{k}", dataset)
        assert split.name == f"cvind-{k}"
        assert sorted(map(int, dataset.ids[split.test])) == (np.flatnonzero(folds == k) + 1).tolist()
        assert sorted(map(int, dataset.ids[split.val])) == (np.flatnonzero(folds == k % 5 + 1) + 1).tolist()
    assert asked == [(Path("slices"), f"cvind-{k}") for k in range(1, 6)]
    for last, problem in (
        ("11", "contains folds of 10 slices, but there is a slice 11"),
        ("9" * 30, f"contains folds of 10 slices, but there is a slice {'9' * 30}"),
        *((name, f"contains folds of numbered slices, but there is a sample {name}") for name in ("0", "-1", "case 4")),
    ):
        beyond = replace(dataset, ids=np.array([*map(str, unordered[:-1]), last]))
        with pytest.raises(SplitError, match=rf"cvind-2: cvind\.mat {problem}\n"):
            splits.make_split("cvind-2", beyond)


@pytest.mark.parametrize("strange", [0, 6, -1])
def test_cvind_holds_folds_1_to_5(strange: int) -> None:
    with pytest.raises(SplitError, match=f"cvind: expected folds 1…5, got {strange}\n"):
        splits.cvind_folds(np.array([1, 2, 3, 4, 5, strange]), 1)


@pytest.mark.parametrize("fold", [0, 6, -1])
def test_there_is_no_fold_before_the_first_or_beyond_the_last(fold: int) -> None:
    with pytest.raises(SplitError, match=f"cvind-{fold}: expected a fold 1…5 of at least 3 folds, got {fold}\n"):
        splits.cvind_folds(np.array([1, 2, 3, 4, 5] * 2), fold)
    patients = [f"P{i}" for i in range(10)]
    with pytest.raises(
        SplitError, match=f"patient-5fold-{fold}: expected a fold 1…5 of at least 3 folds, got {fold}\n"
    ):
        splits.patient_folds(patients, np.zeros(10, int), fold=fold)


def test_cvind_without_its_file(tmp_path: Path, make_dataset: Make) -> None:
    with pytest.raises(SplitError, match=r"cvind-1: needs cvind\.mat: not found in "):
        splits.make_split("cvind-1", replace(make_dataset(), folder=tmp_path))


def test_a_split_nobody_knows_offers_the_nearest(make_dataset: Make) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'slice-seed42'"):
        splits.make_split("slice-seed43", make_dataset())


def test_a_test_set_without_a_class_is_warned_of(monkeypatch: pytest.MonkeyPatch, make_dataset: Make) -> None:
    """Of classes that the data have and the test part lacks, whatever the other parts lack."""
    folds = np.array([1, 2, 3, 4, 5] * 4)
    monkeypatch.setattr("btlib.data.sources.figshare.cvind.read_cvind", lambda *_: folds)
    labels = np.select([folds == 1, folds == 2], [2, 0], 1)
    dataset = replace(make_dataset(20), ids=np.arange(1, 21).astype(str), labels=labels)
    with pytest.warns(BtlibWarning) as caught:
        splits.make_split("cvind-2", dataset)
    assert [str(one.message) for one in caught] == ["cvind-2: no test sample of class [1, 2]; use more samples"]
    assert caught[0].filename == __file__
    absent_elsewhere = np.where(
        folds == 4, 0, np.arange(20) % 2 * 2
    )  # class 1 everywhere, class 2 in the validation part
    splits.make_split("cvind-3", replace(dataset, labels=absent_elsewhere))
    with warnings.catch_warnings():
        warnings.simplefilter("error", BtlibWarning)  # for other folds, pooled with it, have the classes that it lacks
        splits.make_split("cvind-2", dataset, alone=False)


def test_a_task_without_classes_is_split_by_patients_alone(make_dataset: Make) -> None:
    """Folds are those of samples of one class, and nothing is said of classes that are absent."""
    dataset = make_dataset(60)
    task = Task(name="made up", structures=dataset.task.structures, channels=dataset.task.channels)
    bare = replace(dataset, task=task, labels=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error", BtlibWarning)
        found = [splits.make_split(f"patient-5fold-{k}", bare) for k in range(1, 6)]
    alike = [splits.patient_folds(dataset.patients, np.zeros(60, int), fold=k) for k in range(1, 6)]
    assert [split.fingerprint for split in found] == [split.fingerprint for split in alike]
    assert splits.make_split("slice-seed42", bare).fingerprint == splits.slice_seed42(60).fingerprint


# Frozen folds

LABELS = (0, 2, 0, 1, 0, 2, 1, 2, 1, 0, 1, 0)
LENGTHS = (58, 1, 149, 2, 498, 6, 203, 923, 1189, 1, 32, 2)
"""The runs of labels in the Figshare data set, in file order."""

DIGESTS = {
    "slice-seed42": "383453610fafbdf2",
    "patient-5fold-1": "5080a3bfd02ce053",
    "patient-5fold-2": "a61ddca4495f4d43",
    "patient-5fold-3": "c5fb5f80355b666a",
    "patient-5fold-4": "5c2cb05fec77f78a",
    "patient-5fold-5": "d2d16bb6ad8177de",
    "patient-3fold-1": "232e296056eac9bc",
    "patient-3fold-2": "4e7c8358c75d71f6",
    "patient-3fold-3": "33c113919c76209b",
    "patient-4fold-1": "c18919002e9edabb",
    "patient-4fold-2": "721696289c250dcd",
    "patient-4fold-3": "c41416898aaef80a",
    "patient-4fold-4": "6b3ba1df5294de4f",
    "random-5fold-1": "50ab4ac249b05a3f",
    "random-5fold-2": "21cac887a67dbd6e",
    "random-5fold-3": "659a49a961d1e9f9",
    "random-5fold-4": "4ac6909991c1bf25",
    "random-5fold-5": "db05c3d6f917af96",
    "random-3fold-1": "b4cbd80cd53c8fee",
    "random-3fold-2": "ef96ba5bdf3fd96a",
    "random-3fold-3": "28c66c54bee6f633",
    "random-4fold-1": "a5e5d1aed164e913",
    "random-4fold-2": "b89b07ff6321e187",
    "random-4fold-3": "ba46a6c333f7ce7e",
    "random-4fold-4": "df9c31ffa46c9286",
}
"""Fingerprints of the splits of all 3064 Figshare slices. A change here makes every stored number incomparable."""


CVIND_DIGESTS = ["fc62f67268e34185", "4b821b281e944bd0", "ddb77b5ffe0f2ffa", "daa54d600e270549", "e80971e8948339aa"]


@pytest.fixture(scope="module")
def figshare() -> Dataset:
    """All slices of the data set but for their pixels: ids, classes, persons and folds."""
    known = figshare_patients()
    labels = np.repeat(LABELS, LENGTHS)
    patients = tuple(map(str, known.persons.tolist()))
    folds = {str(person): int(fold) for person, fold in enumerate(known.folds, start=1)}
    n = len(labels)
    return Dataset(
        images=np.zeros((n, 1, 1, 1), dtype=np.float32),
        masks=np.zeros((n, 1, 1, 1), dtype=bool),
        labels=labels,
        ids=np.arange(1, n + 1).astype(str),
        patients=patients,
        task=FIGSHARE,
        scaling="thesis",
        image_size=1,
        folder=None,
        cohort=Cohort(patients, labels, folds),
    )


def test_every_builtin_split_of_figshare_is_frozen(figshare: Dataset) -> None:
    named = [name for name in splits.SPLITS if not name.startswith(("cvind", "official"))]
    assert sorted(named) == sorted(DIGESTS)
    assert {name: splits.make_split(name, figshare).fingerprint for name in named} == DIGESTS


def test_folds_of_cvind_are_frozen() -> None:
    """Of a file of 3064 folds in turn: which fold tests, which validates, in which order."""
    folds = 1 + np.arange(3064) * 7 % 5
    found = [splits.cvind_folds(folds, k).fingerprint for k in range(1, 6)]
    assert found == CVIND_DIGESTS


def test_figshare_folds_are_disjoint_complete_and_balanced(figshare: Dataset) -> None:
    shares = np.bincount(figshare.labels) / len(figshare)
    tested: list[int] = []
    for k in range(1, 6):
        split = splits.make_split(f"patient-5fold-{k}", figshare)
        people = [{figshare.patients[i] for i in part} for part in (split.train, split.val, split.test)]
        assert len(people[0] | people[1] | people[2]) == sum(map(len, people)) == 209
        tested += split.test.tolist()
        assert abs(np.bincount(figshare.labels[split.test]) / len(split.test) - shares).max() < 0.03
    assert sorted(tested) == list(range(len(figshare)))


@pytest.mark.filterwarnings("ignore:.*no test sample of class:btlib.errors.BtlibWarning")
@given(data=st.data())
@settings(max_examples=20)
def test_a_subset_keeps_every_patients_fold(data: st.DataObject, figshare: Dataset) -> None:
    size = data.draw(st.integers(30, len(figshare)))
    part = figshare.limit(size)
    if data.draw(st.booleans()):
        part = part.subset(np.arange(len(part))[::2])
    for k in (1, 5):
        whole, some = (splits.make_split(f"patient-5fold-{k}", d) for d in (figshare, part))
        people = {figshare.patients[i] for i in whole.test}
        ids = {str(name) for name, p in zip(part.ids, part.patients, strict=True) if p in people}
        assert set(part.ids[some.test].tolist()) == ids


def test_folds_of_other_data_are_frozen() -> None:
    """Of patients with unequal slices and classes; the digest is the algorithm's, and of no library."""
    patients = [f"case {(i * i + i // 7) % 40:02d}" for i in range(400)]
    labels = np.array([int(p[-2:]) % 3 for p in patients])
    folds = splits.assign_folds(patients, labels, 5)
    assert fingerprint.of(sorted(folds.items())) == "92606bade43a7b64"
    order = np.random.default_rng(0).permutation(400)
    assert splits.assign_folds([patients[i] for i in order], labels[order], 5) == folds
    split = splits.patient_folds(patients, labels, fold=2)
    assert {patients[i] for i in split.test} == {p for p, fold in folds.items() if fold == 2}


@given(
    st.lists(st.tuples(st.integers(0, 25), st.integers(0, 2)), min_size=60, max_size=300),
    st.integers(2, 6),
)
@settings(max_examples=40)
def test_folds_keep_patients_whole_and_use_every_fold(rows: list[tuple[int, int]], k: int) -> None:
    patients, labels = [str(p) for p, _ in rows], np.array([label for _, label in rows])
    folds = splits.assign_folds(patients, labels, k)
    assert folds.keys() == set(patients)
    assert set(folds.values()) <= set(range(1, k + 1))
    if len(folds) >= 3 * k:
        assert set(folds.values()) == set(range(1, k + 1))


def test_folds_need_no_scikit_learn(monkeypatch: pytest.MonkeyPatch, figshare: Dataset) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.model_selection", None)
    assert splits.make_split("patient-5fold-1", figshare).fingerprint == DIGESTS["patient-5fold-1"]


@pytest.mark.parametrize(
    ("classes", "sizes"),
    [([0, 0, 1, 1, 2], [1] * 5), ([0, 1, 2] * 3, [2, 2, 2, 2, 1]), ([0, 1, 2] * 16, [10, 10, 10, 9, 9])],
)
def test_few_patients_are_spread_over_all_folds(classes: list[int], sizes: list[int]) -> None:
    """Balance in all, and not by class alone: else the first fold gets the first patient of every class."""
    patients = [str(p) for p in range(len(classes)) for _ in range(4)]
    folds = splits.assign_folds(patients, np.repeat(classes, 4), 5)
    assert sorted(np.bincount(list(folds.values()), minlength=6)[1:].tolist(), reverse=True) == sizes


def test_replaced_patients_need_a_cohort_of_their_own(figshare: Dataset) -> None:
    stale = replace(figshare, patients=("someone", *figshare.patients[1:]))
    with pytest.raises(SplitError, match="'someone' is not a patient of the complete data set"):
        splits.make_split("patient-5fold-1", stale)


def test_a_patient_that_the_stored_folds_do_not_know_has_a_fold_all_the_same(figshare: Dataset) -> None:
    patients = ("someone", *figshare.patients[1:])
    stranger = replace(figshare, patients=patients, cohort=replace(figshare.whole, patients=patients))
    tests = [splits.make_split(f"patient-5fold-{k}", stranger).test for k in range(1, 6)]
    assert sum(0 in test for test in tests) == 1
    assert sum(map(len, tests)) == 3064


def test_the_split_that_was_withdrawn_names_what_to_use(make_dataset: Make) -> None:
    with pytest.raises(SplitError, match=r"block-seed42: .*withdrawn.*567(?s:.)*patient-5fold-1"):
        splits.make_split("block-seed42", make_dataset())
    assert "block-seed42" not in splits.SPLITS
