"""Raw data of nnU-Net: pixels, structures, channels and parts come back exactly."""

import json
from pathlib import Path

import numpy as np
import pytest

from btlib.data.sources.table.source import TableSource
from btlib.errors import DataError

from .conftest import D, H, Make, W, pixels, regions, regions_of_volume, run, samples, volume

V2 = {
    "channel_names": {"0": "T1", "1": "FLAIR"},
    "labels": {"background": 0, "core": 1, "rim": 2},
    "numTraining": 3,
    "file_ending": ".png",
}
CASES = ("case_b", "case_a", "x_0001")


def files(about: dict[str, object], *, test: bool = True) -> dict[str, object]:
    """Three training cases and one test case of two channels."""
    found: dict[str, object] = {"dataset.json": json.dumps(about)}
    for i, case in enumerate((*CASES, "last")):
        part = "Ts" if case == "last" else "Tr"
        if part == "Ts" and not test:
            continue
        found |= {f"images{part}/{case}_000{k}.png": pixels(10 * i + k) for k in (0, 1)}
        found[f"labels{part}/{case}.png"] = regions(i)
    return found


def changed(**change: object) -> dict[str, object]:
    return {**V2, **change}


@pytest.mark.parametrize("copy", [True, False])
def test_images_of_two_channels_and_structures(make: Make, copy: bool) -> None:
    source = make(files(V2))
    out, done = run("nnunet", source, copy=copy)
    assert (done.n, done.notes) == (4, ())
    read = samples(out)
    for i, case in enumerate((*CASES, "last")):
        part = "Ts" if case == "last" else "Tr"
        sample = read[f"images{part}/{case}_0000.png"]
        assert np.array_equal(sample.image, np.stack([pixels(10 * i), pixels(10 * i + 1)]))
        assert np.array_equal(sample.mask, np.stack([regions(i) == 1, regions(i) == 2]))
        assert (sample.label, sample.patient, sample.spacing) == (None, None, None)
    task = TableSource(out).task
    assert (task.channels, task.structures) == (("T1", "FLAIR"), ("core", "rim"))
    assert (out / "imagesTr").exists() == copy
    parts = TableSource(out).official_split()
    assert parts is not None
    assert [parts[f"images{'Ts' if c == 'last' else 'Tr'}/{c}_0000.png"] for c in (*CASES, "last")] == [
        *("train", "train", "train"),
        "test",
    ]


def test_regions_are_unions_of_labels(make: Make) -> None:
    about = changed(labels={"background": 0, "whole": [1, 2], "core": [2]}, regions_class_order=[1, 2])
    read = samples(run("nnunet", make(files(about)))[0])
    sample = read["imagesTr/case_b_0000.png"]
    assert np.array_equal(sample.mask, np.stack([regions(0) > 0, regions(0) == 2]))


def test_the_ignore_label_needs_an_answer(make: Make) -> None:
    about = changed(labels={"background": 0, "core": 1, "ignore": 2})
    source = make({**files(about), "labelsTr/case_a.png": (regions(1) == 1).astype(np.uint8)})
    with pytest.raises(DataError, match=r"ignore label, 2; btlib scores every pixel\n.*--ignore-label background"):
        run("nnunet", source)
    out, done = run("nnunet", source, ignore_label="background")
    assert np.array_equal(samples(out)["imagesTr/case_b_0000.png"].mask, (regions(0) == 1)[None])
    assert "scored as background" in done.notes[0]
    out, done = run("nnunet", source, ignore_label="leave-out", out="some")
    assert [*samples(out)] == ["imagesTr/case_a_0000.png"]
    assert "3 of 4 samples contain the ignore label 2" in " ".join(done.notes)


def v1(files_in_json: bool) -> dict[str, object]:
    about = {
        "name": "Heart",
        "modality": {"0": "MRI"},
        "labels": {"0": "background", "1": "core", "2": "rim"},
        "numTraining": 2,
        "test": ["./imagesTs/h_9.nii.gz"],
        "training": [{"image": f"./imagesTr/h_{i}.nii.gz", "label": f"./labelsTr/h_{i}.nii.gz"} for i in (2, 10)],
    }
    return about if files_in_json else {k: v for k, v in about.items() if k not in ("training", "test")}


@pytest.mark.parametrize("suffix", ["", "_0000"])
@pytest.mark.parametrize("files_in_json", [True, False])
def test_volumes_of_version_1(make: Make, suffix: str, files_in_json: bool) -> None:
    """As of the Decathlon, whose images have no channel number, and of nnU-Net 1."""
    found: dict[str, object] = {f"imagesTr/h_{i}{suffix}.nii.gz": volume(i) for i in (2, 10)}
    found |= {f"labelsTr/h_{i}.nii.gz": regions_of_volume(i) for i in (2, 10)}
    found |= {"dataset.json": json.dumps(v1(files_in_json)), f"imagesTs/h_9{suffix}.nii.gz": volume(9)}
    source = make(found)
    out, done = run("nnunet", source)
    read = samples(out)
    assert len(read) == done.n == 2 * D
    for i in (2, 10):
        for z in range(D):
            sample = read[f"imagesTr/h_{i}{suffix}.nii.gz slice {z}"]
            assert np.array_equal(sample.image[0], volume(i)[..., z].T)
            assert np.array_equal(sample.mask[1], regions_of_volume(i)[..., z].T == 2)
            assert (sample.patient, sample.volume, sample.spacing) == (f"h_{i}", f"h_{i}", (0.75, 0.5))
    assert TableSource(out).task.name == "Heart"
    assert "1 test cases have no labels and are left out: h_9" in done.notes[0]
    out, _ = run("nnunet", source, out="masked", slices="mask", axis=0, patient=r"(h)_")
    read = samples(out)
    assert {sample.patient for sample in read.values()} == {"h"}
    filled = np.flatnonzero(regions_of_volume(2).any(axis=(1, 2)))
    assert [key for key in read if "h_2" in key] == [f"imagesTr/h_2{suffix}.nii.gz 0:{x}" for x in filled]
    first = read[f"imagesTr/h_2{suffix}.nii.gz 0:{filled[0]}"]
    assert np.array_equal(first.image[0], volume(2)[filled[0]].T)
    assert first.spacing == (3.0, 0.75)
    out, done = run("nnunet", source, out="some", slices="every:3")
    assert [key.split()[-1] for key in samples(out)] == ["0", "3"] * 2


def test_colours_in_one_file(make: Make) -> None:
    colours = np.stack([pixels(k) for k in range(3)], -1)
    about = changed(channel_names={"0": "R", "1": "G", "2": "B"}, numTraining=1)
    source = make({"dataset.json": json.dumps(about), "imagesTr/a_0000.png": colours, "labelsTr/a.png": regions(0)})
    sample = samples(run("nnunet", source)[0])["imagesTr/a_0000.png"]
    assert np.array_equal(sample.image, np.moveaxis(colours, -1, 0))


def test_listed_files_of_version_2(make: Make) -> None:
    listed = {"one": {"images": ["raw/a.png", "raw/b.png"], "label": "raw/m.png"}}
    arrays = {"raw/a.png": pixels(0), "raw/b.png": pixels(1), "raw/m.png": regions(0)}
    source = make({"dataset.json": json.dumps(changed(numTraining=1, dataset=listed)), **arrays})
    assert np.array_equal(samples(run("nnunet", source)[0])["raw/a.png"].image, np.stack([pixels(0), pixels(1)]))


def test_the_first_fold_validates(make: Make) -> None:
    splits = json.dumps([{"train": ["case_a", "x_0001"], "val": ["case_b"]}])
    source = make({**files(V2), "splits_final.json": splits})
    parts = TableSource(run("nnunet", source)[0]).official_split()
    assert parts is not None
    assert [part for name, part in parts.items() if "case_b" in name] == ["val"]
    (source / "splits_final.json").write_text(json.dumps([{"train": ["case_a"], "val": ["case_z"]}]))
    with pytest.raises(DataError, match=r"case_z is no training case \(1 in all\)"):
        run("nnunet", source, out="no")
    (source / "splits_final.json").write_text("[]")
    with pytest.raises(DataError, match="expected a list of folds"):
        run("nnunet", source, out="no")


LIES = [
    (changed(numTraining=7), "numTraining is 7, found 3 training cases"),
    (changed(numTraining="3"), "numTraining: expected a whole number, got '3'"),
    (changed(channel_names={"0": "T1"}), "3 faults|expected 1 channels as in dataset.json, found 2 files"),
    (changed(channel_names={"1": "T1"}), "channel_names: expected the keys 0, 1 …, got 1"),
    (changed(labels={"core": 1}), "no label has the value 0"),
    (changed(labels={"background": 0}), "expected at least one structure"),
    (changed(labels={"background": 0, "core": 1.5}), "labels: core: expected whole numbers from 0, got 1.5"),
    (changed(labels={"background": 0, "core": 1}), r"case_a.png: the mask has the values 0, 1, 2"),
    (changed(labels=[1]), "labels: expected a JSON object"),
    (changed(file_ending=".mha"), "file_ending '.mha' is not supported"),
    (
        changed(dataset={"a": {"images": ["../../x.png"], "label": "m.png"}}),
        "path inside the folder, got '../../x.png'",
    ),
    (changed(dataset={"a": {"images": ["x.png"], "label": "m.png"}}), "a: m.png is missing"),
    (changed(dataset={"a": 3}), "a: expected images and label, got 3"),
]


@pytest.mark.parametrize(("about", "message"), LIES)
def test_a_description_that_lies(make: Make, about: dict[str, object], message: str) -> None:
    source = make(files(about))
    with pytest.raises(DataError, match=message):
        samples(run("nnunet", source)[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 10**5, "is not JSON"),
        ("[]", "expected a JSON object, got list"),
        ("\x80", "is not JSON"),
    ],
)
def test_a_broken_description(make: Make, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        run("nnunet", make({"dataset.json": text, "imagesTr/a_0000.png": pixels(0)}))


def test_missing_files_are_all_named(make: Make) -> None:
    source = make(files(changed(numTraining=3)))
    (source / "labelsTr/case_a.png").unlink()
    (source / "imagesTr/case_b_0000.png").unlink()
    with pytest.raises(DataError) as caught:
        run("nnunet", source)
    assert "case case_a has no label file" in str(caught.value)
    assert "case case_b has the channels 0001" in str(caught.value)
    with pytest.raises(DataError, match=r"there is no dataset.json"):
        run("nnunet", make({"a.txt": ""}) / "imagesTr")


def test_sizes_of_a_case_must_agree(make: Make) -> None:
    about = {**v1(files_in_json=False), "numTraining": 1}
    arrays = {"imagesTr/a_0000.nii.gz": volume(0), "labelsTr/a.nii.gz": np.zeros((W, H, D + 1), np.uint8)}
    source = make({"dataset.json": json.dumps(about), **arrays})
    with pytest.raises(DataError, match=f"labelsTr/a.nii.gz has {W} × {H} × {D + 1} voxels, the first file has"):
        run("nnunet", source)


def test_recognised(make: Make) -> None:
    from btlib.data.layouts.importing import LAYOUTS

    source = make(files(V2))
    assert LAYOUTS["nnunet"].recognises(source)
    assert not LAYOUTS["pairs"].recognises(source)
    assert not LAYOUTS["nnunet"].recognises(Path(source / "imagesTr"))
