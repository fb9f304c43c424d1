"""Somebody else's package, installed for real: its case is there like our own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from btlib.data import write_phantoms

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which the package is installed, beside everything else."""
    home = tmp_path_factory.mktemp("external")
    shutil.copytree(Path(__file__).parent / "external_package", home / "source")  # building leaves files behind
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    done = subprocess.run(
        [*pip, "--target", home / "site", home / "source"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_XDIST")} | {
        "PYTHONPATH": str(home / "site")
    }


def python(environment: dict[str, str], *args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)


def test_its_case_is_known_by_name_and_keeps_its_promises(environment: dict[str, str]):
    done = python(environment, "-c", "from btlib.cli import app; app()", "check", "constant")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("case constant: the same for every sample\n")
    assert done.stdout.endswith("all checks passed\n")


def test_its_case_is_measured_by_the_suite(environment: dict[str, str], tmp_path: Path):
    write_phantoms(tmp_path / "phantoms", 24)
    folders = [f"--bt-{name}={tmp_path / name}" for name in ("output", "checkpoints")]
    options = [*folders, f"--bt-data={tmp_path / 'phantoms'}", "--benchmark-disable", "-p", "no:cacheprovider"]
    done = python(environment, "-m", "pytest", "benchmarks/test_quality.py", "-m", "smoke", "-k", "constant", *options)
    record = next(tmp_path.glob("output/*-smoke/records/constant-seed42.json"), None)
    assert record is not None, done.stdout + done.stderr
    assert '"outcome": "done"' in record.read_text()
    assert "the same for every sample" in next(tmp_path.glob("output/*-smoke/comparison.md")).read_text()


USES_ALL = """
import numpy as np, torch
from btlib.adapters import Outputs
from btlib.data import load_dataset
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.task import Task
from btlib.engines import Subject, choose, engine_names
from btlib.evaluation import evaluate, summarise
from btlib.splits import SPLITS, make_split

task = Task(name="t", structures=("s",), synthetic=True)
dataset = load_dataset(PhantomSource(task, 16, size=32), 32)
split = make_split("last-quarter", dataset)
subject = Subject(torch.nn.Conv2d(1, 1, 3, padding=1), Outputs(mask=0), torch.device("cpu"), "fp32", 32)
chosen = choose(subject, "as-it-is", dataset.part(split.val), 0.5)
told = summarise(evaluate(chosen.predictor, dataset, split.test, threshold=0.5).samples)
print(split.name, split.test.tolist(), chosen.engine, told["area_error"]["slice_mean"] >= 0, engine_names()[-1])
"""


def test_a_metric_a_split_and_an_engine_are_one_file_each(environment: dict[str, str]):
    """Of another package, by an entry point: nothing of btlib is touched."""
    done = python(environment, "-c", USES_ALL)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "last-quarter [12, 13, 14, 15] as-it-is True as-it-is\n"


def test_a_source_is_one_file(environment: dict[str, str], tmp_path: Path):
    """A folder of its kind is recognised, and serves where a folder of samples does."""
    for k in range(5):
        np.save(tmp_path / f"scan {k}.npy", np.random.default_rng(k).random((2, 20, 24)) > 0.5)
    program = f"""
from btlib.data import load_dataset
dataset = load_dataset({str(tmp_path)!r}, 16)
print(dataset.task.name, dataset.images.shape, dataset.ids[0], dataset.labels, dataset.folder)
"""
    done = python(environment, "-c", program)
    assert done.stdout == f"arrays (5, 1, 16, 16) scan 0 None {tmp_path}\n", done.stderr


def test_a_layout_is_one_file(environment: dict[str, str], tmp_path: Path):
    """`btlib data import` finds it."""
    (tmp_path / "source").mkdir()
    for name in ("cat_1.png", "dog_1.png"):
        Image.fromarray(np.zeros((8, 9), np.uint8)).save(tmp_path / "source" / name)
    program = "from btlib.cli import app; app()"
    done = python(environment, "-c", program, "data", "import", "named", tmp_path / "source", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/metadata.csv").read_text() == "file_name,label\ncat_1.png,cat\ndog_1.png,dog\n"


MEASURES_TWICE = """
import pytest
from btlib.plugin.run import Run

@pytest.mark.btlib_cases("constant")
@pytest.mark.btlib_measures("turned")
def test_it(bt_run: Run, bt_case: str, bt_metric: str) -> None:
    bt_run.verdict(bt_case, bt_metric)
"""


def test_measure_export_option_column_and_figure_are_one_file_each(environment: dict[str, str], tmp_path: Path):
    """All of them in one session of pytest, and in one run of `btlib run`."""
    write_phantoms(tmp_path / "phantoms", 24)
    (tmp_path / "test_it.py").write_text(MEASURES_TWICE)
    options = {name: tmp_path / folder for name, folder in (("output", "out"), ("data", "phantoms"))}
    options |= {"checkpoints": tmp_path / "checkpoints"}
    session = ["-m", "pytest", tmp_path / "test_it.py", f"--rootdir={tmp_path}", "-p", "no:cacheprovider"]
    session += [f"--bt-{name}={value}" for name, value in options.items()]
    command = ["-c", "from btlib.cli import app; app()", "run", "constant", "--tier=smoke", "--measure=turned"]
    command += [f"--{name}={value}" for name, value in options.items()]
    for args in ([*session, "--bt-modesty=40", "--bt-baseline=none"], [*command, "--modesty=40", "--baseline=none"]):
        done = python(environment, *args)
        assert done.returncode == 0, done.stdout + done.stderr
        (folder,) = (tmp_path / "out").glob("*-smoke")
        record = json.loads((folder / "records" / "constant-seed42.json").read_text())
        assert record["measured"] == ["quality", "turned"]
        assert record["problems"] == {}
        assert record["model"]["details"]["modesty"] == 0.4
        said = json.loads((folder / "turned" / "constant, seed 42.json").read_text())
        assert said["change"] == 0.0, "its predictions are the same for every image"
        assert len(said["samples"]) == 2
        verdicts = (folder / "verdicts.txt").read_text().splitlines()
        assert [line.rpartition(" ")[0] for line in verdicts] == ["constant dice", "constant accuracy"], "once a run"
        page = (folder / "index.html").read_text()
        assert "Bars of the example" in page
        assert page.count('<rect x="0" y="0" width="15" height="50"/>') == 1
        comparison = (folder / "comparison.md").read_text()
        assert "tested [samples]" in comparison
        (row,) = json.loads((folder / "comparison.json").read_text())["cases"]
        assert row["own"] == {"tested": record["conditions"]["n_test"]}
        assert "tested" in page
        assert "tested" in done.stdout, "the table of the terminal"
        shutil.rmtree(tmp_path / "out")
    for args in ([*session, "--bt-modesty=140"], [*command, "--modesty=140"]):
        done = python(environment, *args)
        assert "--bt-modesty: expected a percentage" in done.stdout + done.stderr
        assert done.returncode in (2, 4)
        assert not (tmp_path / "out").exists(), "it is told before anything is read or written"


def test_without_it_the_name_is_unknown():
    from btlib.cases import load_case
    from btlib.errors import UnknownNameError

    with pytest.raises(UnknownNameError, match="unknown case 'constant'"):
        load_case("constant")
