"""What a session does with patients: unknown ones are not judged, and the split of a run is written out."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from btlib.gate.verdict import COULD_NOT_JUDGE
from btlib.runs import RunStore

Run = Callable[..., pytest.RunResult]
Latest = Callable[[], Path]


@pytest.fixture(scope="session")
def nobodys(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same phantoms, of nobody."""
    home = tmp_path_factory.mktemp("nobodys") / "data"
    shutil.copytree(phantoms / "data" if (phantoms / "data").is_dir() else phantoms, home)
    for path in home.glob("*.mat"):
        with h5py.File(path, "r+") as file:
            del file["cjdata/PID"], file["cjdata"].attrs["btlib_digest"]
    return home


def test_unknown_patients_are_shown_and_not_judged(accepted: Run, latest: Latest, nobodys: Path):
    result = accepted("--benchmark-disable", data=nobodys, select="toy1 and quality", pictures=True)
    assert result.ret == COULD_NOT_JUDGE
    result.stdout.fnmatch_lines(
        ["*patients unknown for 40 samples*", "*NOT-COMPARABLE*", "*too narrow*--bt-independent*"]
    )
    record = RunStore(latest()).records()[0]
    assert record.conditions.patients is None
    assert "too narrow" in (latest() / "index.html").read_text()


def test_independent_slices_are_judged(accepted: Run, latest: Latest, nobodys: Path):
    """The numbers are the accepted ones, for patients are no part of what is measured."""
    result = accepted("--benchmark-disable", "--bt-independent", data=nobodys, select="toy1 and quality")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*patients unknown for 40 samples, declared independent by the user*"])
    assert RunStore(latest()).records()[0].conditions.independent


def test_another_rendering_is_named_and_fails_where_the_user_is_strict(
    accepted: Run, latest: Latest, phantoms: Path, tmp_path: Path
):
    home = tmp_path / "data"
    shutil.copytree(phantoms / "data" if (phantoms / "data").is_dir() else phantoms, home)
    for path in home.glob("*.mat"):
        with h5py.File(path, "r+") as file:
            image = file["cjdata/image"][()]
            del file["cjdata/image"], file["cjdata"].attrs["btlib_digest"]
            file["cjdata"].create_dataset("image", data=image.astype(np.float32))
    result = accepted("--benchmark-disable", data=home, select="toy and quality")
    assert result.ret == 0
    assert "another rendering of the samples" in (latest() / "comparison.md").read_text()
    strict = accepted("--benchmark-disable", "--bt-strict", data=home, select="toy and quality")
    assert strict.ret == COULD_NOT_JUDGE
    assert RunStore(latest()).info().strict
    assert "not-comparable" in (latest() / "comparison.md").read_text()


def test_the_split_is_written_out(project: Run, latest: Latest, phantoms: Path):
    result = project("--benchmark-disable", "--bt-split=patient-5fold-2", "--bt-limit=30", select="toy1 and quality")
    assert result.ret == COULD_NOT_JUDGE, "there is no baseline of it"
    folder = RunStore(latest())
    split, conditions = folder.split(), folder.records()[0].conditions
    assert split is not None
    assert split.folds is not None
    assert conditions.patients is not None
    assert (split.name, conditions.patients.seen) == ("patient-5fold-2", 0)
    assert {split.folds[p] for p in split.test.patients or []} == {2}
    assert not set(split.train.patients or []) & set(split.test.patients or [])
    assert "simulated patients, 0 of " in folder.info().data


def test_the_withdrawn_split_is_refused_before_anything_is_trained(project: Run):
    result = project("--benchmark-disable", "--bt-split=block-seed42", select="toy1 and quality")
    assert result.ret != 0
    result.stderr.fnmatch_lines(["*block-seed42*withdrawn*", "*patient-5fold-1*"])
