"""Each check finds what was planted for it, and is silent on sound data."""

from pathlib import Path

import numpy as np
import pytest

from btlib.data.audit.fact_accuracy import fact_accuracy, p_value
from btlib.data.audit.run import audit
from btlib.errors import DataError

from .conftest import H, W, Write, of, save, scan, write_table


def test_sound_data_have_no_errors_and_no_warnings(write: Write):
    report = audit(write(90)[0])
    assert [one for one in report.findings if one.severity != "info"] == []
    assert (report.samples, report.readable, report.split) == (90, 90, "official")


def test_every_fault_is_named_and_the_other_samples_are_still_checked(write: Write):
    home, rows = write(60)
    (home / "images/3.png").unlink()
    (home / "images/4.png").write_bytes(b"no image")
    data = (home / "images/5.png").read_bytes()
    (home / "images/6.png").write_bytes(data[: len(data) // 2])
    save(home / "masks/7.png", np.full((H, W), 7, np.uint8))
    save(home / "masks/8.png", np.zeros((H, W + 1), np.uint8))
    rows[9]["mask"] = "masks/none.png"
    save(home / "images/10.png", scan(11)[0])
    report = audit(write_table(home, rows))
    faults = "\n".join(item.message for one in of(report, "files") for item in one.items)
    for k in (3, 4, 6, 7, 8, 9):
        assert f"(images/{k}.png)" in faults
    assert sum(one.numbers["faults"] for one in of(report, "files")) == 6
    hints = [one.hint for one in of(report, "files")]
    assert len(hints) == len(set(hints)), "each hint once"
    assert "2 images" in of(report, "duplicates", "exact")[0].title
    assert report.readable == 54


def test_a_folder_without_any_sound_row_is_still_reported(write: Write):
    home, rows = write(9)
    for row in rows:
        (home / row["file_name"]).unlink()
    report = audit(home)
    assert len([item for one in of(report, "files") for item in one.items]) == 9
    with pytest.raises(DataError):
        audit(home / "nowhere")


def test_patients_in_two_parts(write: Write):
    home, rows = write(30)
    rows[0]["split"] = "test"
    (found,) = of(audit(write_table(home, rows)), "patients")
    assert found.severity == "error"
    assert found.items[0].message == "P0: 1 test, 2 train"
    for row in rows:
        row["patient"] = ""
    (found,) = of(audit(write_table(home, rows)), "patients")
    assert "the patient of 30 of 30 samples is unknown" in found.title


def test_masks_that_are_empty_full_on_the_background_shared_or_lost(write: Write):
    home, _rows = write(60)
    corner = np.zeros((H, W), np.uint8)
    corner[:6, :9] = 255
    single = np.zeros((H, W), np.uint8)
    single[48, 60] = 255
    save(home / "masks/1.png", np.zeros((H, W), np.uint8))
    save(home / "masks/2.png", np.full((H, W), 255, np.uint8))
    save(home / "masks/3.png", corner)
    save(home / "masks/4.png", single)
    save(home / "masks/5.png", scan(7)[1])
    report = audit(home, image_size=32)
    for text, names, severity in (
        ("1 of 60 masks of lesion are empty", ["images/1.png"], "info"),
        ("in class a are empty", ["images/1.png"], "warning"),
        ("cover the whole image", ["images/2.png"], "error"),
        ("on the dark background", ["images/3.png"], "error"),
        ("vanish at 32 × 32", ["images/4.png"], "error"),
        ("several different images share", ["images/5.png", "images/7.png"], "warning"),
    ):
        (found,) = of(report, "masks", text)
        assert [name for item in found.items for name in item.samples] == names
        assert found.severity == severity


def test_swapped_masks(write: Write):
    home, rows = write(150)
    for a, b in ((10, 80), (31, 62)):
        rows[a]["mask"], rows[b]["mask"] = rows[b]["mask"], rows[a]["mask"]
    report = audit(write_table(home, rows))
    found = of(report, "swapped", "be swapped")
    assert found[0].severity == "error"
    expected = {("images/10.png", "images/80.png"), ("images/31.png", "images/62.png")}
    assert {item.samples for one in found for item in one.items} == expected


def test_images_without_content(write: Write):
    home, _ = write(12)
    save(home / "images/2.png", np.full((H, W), 9, np.uint8))
    save(home / "images/3.png", np.full((H, W), 9, np.uint8))
    report = audit(home)
    assert [item.samples for item in of(report, "files", "without content")[0].items] == [
        ("images/2.png",),
        ("images/3.png",),
    ]
    assert not of(report, "duplicates"), "constant images are one fault, not two"


@pytest.mark.parametrize("fact", ["colour mode", "size", "file format", "mean intensity", "padding"])
def test_a_class_that_differs_in_one_fact(write: Write, fact: str):
    home, rows = write(60)
    for k, row in enumerate(rows):
        if row["label"] == "b":
            image, mask = scan(k)
            if fact == "colour mode":
                save(home / row["file_name"], np.repeat(image[..., None], 3, axis=2))
            elif fact == "file format":
                row["file_name"] = f"images/{k}.bmp"
                save(home / row["file_name"], image)
            elif fact == "mean intensity":
                save(home / row["file_name"], image // 2)
            else:
                wide = ((10, 10), (0, 0))
                mode = "constant" if fact == "padding" else "reflect"
                save(home / row["file_name"], np.pad(image, wide, mode))
                save(home / row["mask"], np.pad(mask, wide))
    found = [one for one in of(audit(write_table(home, rows)), "shortcuts") if f"the {fact} alone" in one.title]
    assert len(found) == 1
    assert found[0].numbers["balanced accuracy"] >= 0.9
    assert found[0].numbers["chance"] == 0.5
    assert found[0].severity == ("error" if fact in ("colour mode", "size", "file format") else "warning")


def test_classes_are_counted_and_missing_ones_named(write: Write):
    home, rows = write(30)
    for row in rows:
        if row["split"] == "test":
            row["label"] = "a"
    report = audit(write_table(home, rows))
    counts = of(report, "classes", "classes:")[0].numbers
    assert counts == {"a": sum(row["label"] == "a" for row in rows), "b": sum(row["label"] == "b" for row in rows)}
    assert of(report, "classes", "the part test has no sample of b")[0].severity == "error"


def test_a_fact_without_information_gives_chance():
    rng = np.random.default_rng(0)
    classes, groups = rng.integers(0, 3, 300), np.arange(300) // 3
    assert fact_accuracy(["same"] * 300, classes, groups)[0] == pytest.approx(1 / 3)
    alarms = [p_value(np.random.default_rng(seed).random(300).tolist(), classes, groups) <= 0.05 for seed in range(60)]
    assert sum(alarms) <= 8, "at 5 %, more than 8 of 60 has a probability of 0.5 %"
    assert p_value(classes.astype(str).tolist(), classes, groups) < 0.002
    perfect = fact_accuracy([str(c) for c in classes], classes, groups)
    assert perfect[:3] == (1, 1, 1)


def test_a_patient_is_never_in_training_and_testing_at_once():
    """Each patient has a value and a class of its own: nothing can be told about other patients."""
    groups = np.arange(200) // 10
    classes = np.random.default_rng(1).permutation(20)[groups] % 2
    assert fact_accuracy([f"value {g}" for g in groups], classes, groups).accuracy == pytest.approx(0.5)


def test_a_task_without_masks_or_without_classes(write: Write, tmp_path: Path):
    home, rows = write(24)
    for column in ("mask", "label"):
        kept = [{name: value for name, value in row.items() if name != column} for row in rows]
        report = audit(write_table(home, kept))
        assert not report.count("error")
        assert report.readable == 24
