"""What is exported and imported again is the same: pixels, classes, structures, patients, volumes and parts."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from btlib.data.exports.cases import _case_name
from btlib.data.exports.exporting import Format, export
from btlib.data.layouts.cases_file import read_cases
from btlib.data.layouts.importing import import_folder
from btlib.data.load import load_dataset
from btlib.data.sample import Sample
from btlib.data.source import DatasetSource, SampleInfo
from btlib.data.sources.table.source import TableSource
from btlib.data.task import Task
from btlib.errors import DataError, OptionError


class Made(DatasetSource):
    """Samples of any task in memory."""

    folder = None

    def __init__(self, task: Task, samples: list[Sample]) -> None:
        self._task, self._samples = task, {sample.id: sample for sample in samples}

    @property
    def task(self) -> Task:
        return self._task

    def samples(self) -> list[SampleInfo]:
        return [SampleInfo(name, name, s.label, s.patient, s.volume) for name, s in self._samples.items()]

    def signature(self) -> str:
        return str(id(self))

    def read(self, info: SampleInfo) -> Sample:
        return self._samples[info.id]


IDS = ("a/1.png", "a 1.png", "ä", "b.nii.gz slice 3", "x_0000", "X-0000")
DTYPES = (np.uint8, np.uint16, np.int16, np.int32, np.float32, np.float64)


@st.composite
def made(draw: st.DrawFn) -> tuple[Made, dict[str, list[int]]]:
    """Some samples of a task, and a split of them."""
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    k, c, channels = draw(st.integers(0, 3)), draw(st.integers(0, 3)), draw(st.integers(1, 3))
    c = max(c, 2) if k == 0 else c
    names = "ABC"
    task = Task(
        name="any",
        classes=tuple(f"class {n}" for n in range(c, 0, -1)),
        structures=tuple(names[:k][::-1]),
        channels=tuple(f"ch {n}" for n in range(channels)),
        spacing=draw(st.sampled_from([None, (0.5, 0.75)])),
        licence="CC0",
    )
    dtype, patients = draw(st.sampled_from(DTYPES)), draw(st.booleans())
    overlap, volumes = draw(st.booleans()), draw(st.booleans())
    samples = []
    for i, name in enumerate(IDS):
        image = rng.integers(0 if np.dtype(dtype).kind == "u" else -90, 200, (channels, 5 + i, 9)).astype(dtype)
        mask = rng.random((k, 5 + i, 9)) < 0.3
        if not overlap and k:
            mask &= np.cumsum(mask, 0) == 1
        label = int(rng.integers(c)) if c else None
        samples.append(
            Sample(name, image, mask, label, f"P{i // 2}" if patients else None, f"V{i // 2}" if volumes else None)
        )
    order = rng.permutation(len(IDS)).tolist()
    return Made(task, samples), {"train": order[:2], "val": order[2:3], "test": order[3:5]}


@pytest.mark.parametrize("form", ["nnunet", "monai"])
@given(case=made())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_changes(
    form: Format, case: tuple[Made, dict[str, list[int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    source, parts = case
    if form == "nnunet" and not source.task.structures:
        return
    home = tmp_path_factory.mktemp("export")
    dataset = load_dataset(source, 8, "percentile")
    done = export(form, source, dataset, parts, home / "out")
    assert (done.counts, done.left_out) == ({"train": 2, "val": 1, "test": 2}, 1)
    import_folder(form, home / "out", home / "back")
    back = TableSource(home / "back")
    cases = read_cases(home / "out")
    assert (back.task.structures, back.task.channels) == (source.task.structures, source.task.channels)
    assert (back.task.classes, back.task.spacing) == (source.task.classes, source.task.spacing)
    assert (back.task.name, back.task.licence) == ("any", "CC0")
    read = {Path(info.id).name.partition(".")[0].removesuffix("_0000"): back.read(info) for info in back.samples()}
    assert {cases[name].id for name in read} == {IDS[at] for of in parts.values() for at in of}
    official = back.official_split()
    assert official is not None
    for name, sample in read.items():
        first = source.read(SampleInfo(cases[name].id))
        assert np.array_equal(sample.image, first.image)
        assert np.array_equal(sample.mask, first.mask)
        assert (sample.label, sample.patient, sample.volume) == (first.label, first.patient, first.volume)
        assert IDS.index(first.id) in parts[official[sample.id]]
        if source.task.spacing:
            assert sample.spacing == source.task.spacing


def two(k: int, mask: Callable[[int], np.ndarray]) -> tuple[Made, dict[str, list[int]]]:
    task = Task(name="t", structures=("core", "whole")[:k])
    samples = [Sample(str(i), np.full((1, 4, 6), i, np.uint8), mask(i), None, None) for i in range(3)]
    return Made(task, samples), {"train": [0], "val": [1], "test": [2]}


def nested(i: int) -> np.ndarray:
    mask = np.zeros((2, 4, 6), bool)
    mask[1, 1:3], mask[0, 1, 2:4] = True, True
    return mask


def test_nested_structures_are_regions_of_nnunet(tmp_path: Path) -> None:
    """By nnU-Net's rule: regions are written in their order, each with its own value, later over earlier ones."""
    source, parts = two(2, nested)
    export("nnunet", source, load_dataset(source, 8), parts, tmp_path / "out")
    about = json.loads((tmp_path / "out/dataset.json").read_text())
    assert [*about["labels"]] == ["background", "whole", "core"]
    written = np.zeros((4, 6), int)
    regions = dict(zip(("core", "whole"), nested(0), strict=True))
    for value, name in zip(about["regions_class_order"], [*about["labels"]][1:], strict=True):
        written[regions[name]] = value
    for name, mask in regions.items():
        assert np.array_equal(np.isin(written, about["labels"][name]), mask)


def test_files_of_nnunet(tmp_path: Path) -> None:
    source, parts = two(1, lambda i: nested(i)[:1])
    export("nnunet", source, load_dataset(source, 8), parts, tmp_path / "out")
    names = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*"))
    assert names == [
        *("cases.csv", "dataset.json", "imagesTr/0_0000.png", "imagesTr/1_0000.png", "imagesTs/2_0000.png"),
        *("labelsTr/0.png", "labelsTr/1.png", "labelsTs/2.png", "splits_final.json"),
    ]
    about = json.loads((tmp_path / "out/dataset.json").read_text())
    assert (about["labels"], about["channel_names"]) == ({"background": 0, "core": 1}, {"0": "intensity"})
    assert (about["numTraining"], about["file_ending"]) == (2, ".png")
    assert json.loads((tmp_path / "out/splits_final.json").read_text()) == [{"train": ["0"], "val": ["1"]}]


def test_a_damaged_field_of_btlib_is_an_error(tmp_path: Path) -> None:
    source, parts = two(1, lambda i: nested(i)[:1])
    export("nnunet", source, load_dataset(source, 8), parts, tmp_path / "out")
    path = tmp_path / "out/dataset.json"
    text = path.read_text()
    path.write_text(text.replace('"classes": []', '"classes": 3'))
    with pytest.raises(DataError, match="btlib: is damaged"):
        import_folder("nnunet", tmp_path / "out", tmp_path / "back")
    path.write_text(text)
    with (tmp_path / "out/cases.csv").open("a") as file:
        file.write("0,0,,,\n")
    with pytest.raises(DataError, match="row 5: the case '0' occurs twice"):
        import_folder("nnunet", tmp_path / "out", tmp_path / "back")


def test_what_nnunet_cannot_express(tmp_path: Path) -> None:
    task = Task(name="t", classes=("a", "b"))
    samples = [Sample(str(i), np.zeros((1, 4, 6)), np.zeros((0, 4, 6), bool), i % 2, None) for i in range(3)]
    source = Made(task, samples)
    dataset, parts = load_dataset(source, 8, "percentile"), {"train": [0], "val": [], "test": [1]}
    with pytest.raises(OptionError, match="the task has no structures"):
        export("nnunet", source, dataset, parts, tmp_path / "o")
    (tmp_path / "o").mkdir()
    (tmp_path / "o/x").write_text("")
    with pytest.raises(OptionError, match="expected a new or empty folder"):
        export("monai", source, dataset, parts, tmp_path / "o")


@given(st.lists(st.text(max_size=8), min_size=1, max_size=30, unique=True))
def test_names_of_cases_are_unique_and_plain(ids: list[str]) -> None:
    from collections import Counter

    names: Counter[str] = Counter()
    found = [_case_name(name, names) for name in ids]
    assert len({name.lower() for name in found}) == len(ids)
    assert all(name.replace("-", "").replace("_", "").isalnum() and name.isascii() for name in found)
