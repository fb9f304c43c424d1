"""A run on a user's own folder: four classes, one of them with empty masks, and an official split."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import btlib
from btlib.cases import Case, Prepared, Work
from btlib.errors import BaselineError, DataError, OptionError, SplitError
from btlib.gate.acceptance import accept, propose
from btlib.runs import RunStore
from btlib.types import Predictions

from .toys import Toys

CLASSES = ("a", "b", "c", "none")
N = 48


class Reader:
    """Finds the class in the grey of the background, and the lesion in the white pixels."""

    def predict(self, images: NDArray[np.float32]) -> Predictions:
        label = np.rint(images[:, 0, 0, 0] * 255 / 40).astype(int)
        return Predictions((images > 0.9).astype(np.float32), np.eye(4)[label])


@pytest.fixture
def reader(cases: Toys) -> Case:
    def prepare(work: Work) -> Prepared:
        assert len(work.task.classes) == 4
        return Prepared(Reader(), "given")

    made = Case("reader", "reads the file", True, True, prepare)
    cases.put(made)
    return made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BTLIB_CACHE", str(tmp_path / "cache"))
    home = tmp_path / "mine"
    home.mkdir()
    rows = ["file_name,mask,label,patient,split"]
    for i in range(N):
        label, lesion = i % 4, np.zeros((24, 40), bool)
        lesion[6:18, 10:30] = label < 3
        Image.fromarray(np.where(lesion, 255, 40 * label).astype(np.uint8)).save(home / f"{i}.png")
        if label < 3:
            Image.fromarray(lesion).save(home / f"{i}-mask.png")
        mask = f"{i}-mask.png" if label < 3 else ""
        rows.append(f"{i}.png,{mask},{CLASSES[label]},P{i // 4},{'train' if i < 32 else 'test'}")
    (home / "metadata.csv").write_text("\n".join(rows))
    (home / "task.toml").write_text('blank_mask = "empty"\n[gate]\ndice = 0.04\n')
    return home


def run(folder: Path, reader: Case, **options: object) -> btlib.api.Finished:
    options = {"scaling": "thesis"} | options  # the reader knows intensities
    places = {"root": folder.parent, "output": folder.parent / "out", "checkpoints": folder.parent / "models"}
    return btlib.run(reader, folder, image_size=24, no_tune=True, **places, **options)


def test_first_numbers_then_a_baseline_then_a_verdict(folder: Path, reader: Case) -> None:
    """Without a baseline the numbers are measured; accepted, they are compared."""
    first = run(folder, reader)
    assert first.exit_code == 0
    found = {v.metric: (v.status, v.measured) for v in first.judgement.cases["reader"].verdicts}
    assert found == {"dice": ("measured", 1.0), "accuracy": ("measured", 1.0)}
    (record,) = RunStore(first.folder).records()
    assert record.samples.n == 16
    assert record.conditions.patients is not None
    assert record.conditions.patients.seen == 0

    proposal = replace(propose(first.folder, "mine", "first numbers"), refusals=())  # this file may not be committed
    accept(proposal, folder.parent / "baselines" / "mine.json")
    assert proposal.new.figure("reader", "dice").margin == 0.04
    again = run(folder, reader, baseline="mine")
    assert [v.status for v in again.judgement.cases["reader"].verdicts] == ["pass", "pass"]


def test_strict_needs_a_baseline(folder: Path, reader: Case) -> None:
    with pytest.raises(OptionError, match=r"^--bt-strict: this .*\n.*the task 'mine' has no baseline: name one with"):
        run(folder, reader, strict=True)


def test_a_baseline_that_was_named_must_be_there(folder: Path, reader: Case) -> None:
    with pytest.raises(BaselineError, match=r"nowhere.json"):
        run(folder, reader, baseline="nowhere")


@pytest.mark.parametrize("columns", ["file_name,mask,label,patient", "file_name,mask,label"])
def test_the_split_follows_the_data(folder: Path, reader: Case, columns: str) -> None:
    """The official split, else patients, else an error that names the ways out; an option is obeyed."""
    found = RunStore(run(folder, reader).folder)
    assert found.split(None).name == "official"
    assert "split official (default: the data state it): 28 train, 4 validation, 16 test" in found.info().data
    table, n = folder / "metadata.csv", len(columns.split(","))
    table.write_text("\n".join(",".join(row.split(",")[:n]) for row in table.read_text().splitlines()))
    if "patient" in columns:
        found = RunStore(run(folder, reader).folder)
        assert found.split(None).name == "patient-5fold-1"
        assert "split patient-5fold-1 (default: the patients are known)" in found.info().data
        found = RunStore(run(folder, reader, split="patient-5fold-2").folder)
        assert "split patient-5fold-2:" in found.info().data
        return
    with pytest.raises(SplitError, match=r"default split of mine: .*48 of 48 samples have no patient id"):
        run(folder, reader)
    found = RunStore(run(folder, reader, independent=True).folder)
    assert "split random-5fold-1 (default: the samples are stated to be independent)" in found.info().data


def test_the_scaling_suits_every_depth_unless_it_is_named(folder: Path, reader: Case) -> None:
    """Images of 16 bits are scaled by percentiles, in a run as by `load_dataset`; "thesis" must be asked for."""
    for file in folder.glob("*[0-9].png"):
        Image.fromarray(np.asarray(Image.open(file)).astype(np.uint16) * 16).save(file)
    finished = run(folder, reader, scaling=None)
    store = RunStore(finished.folder)
    assert finished.exit_code == 0
    assert "24 px, percentile scaling" in store.info().data
    assert [record.conditions.scaling for record in store.records()] == ["percentile"]
    assert btlib.load_dataset(folder, 24).scaling == "percentile"
    with pytest.raises(DataError, match='the scaling "thesis" divides 8-bit images'):
        run(folder, reader)
