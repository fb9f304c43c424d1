"""What a session is asked for: tier, protocol, recipe, options, samples; and sessions that ask for nothing."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from btlib import Baseline
from btlib.gate.verdict import COULD_NOT_JUDGE
from btlib.runs import RunStore

Run = Callable[..., pytest.RunResult]
Latest = Callable[[], Path]


def test_nothing_ran_has_its_own_exit_code(accepted: Run):
    assert accepted(select="no_such_case").ret == 5


def test_full_is_asked_for_by_its_marker(accepted: Run, latest: Latest, pytester: pytest.Pytester):
    smoke = Baseline.load(pytester.path / "baselines" / "smoke.json")
    smoke.model_copy(update={"name": "mine"}).save(pytester.path / "baselines" / "mine.json")
    result = accepted("--benchmark-disable", "-m", "full", "--bt-baseline=mine")
    assert result.ret == 0
    assert latest().name.endswith("-full")
    result.stdout.fnmatch_lines(["*btlib full compared with mine*", "toy1 a toy*pass*"])
    result.stdout.no_fnmatch_line("*btlib smoke*")


def test_a_named_protocol_brings_its_recipe_and_baseline(project: Run, latest: Latest):
    result = project("--benchmark-disable", "-m", "full", "--bt-protocol=cpu128", "--bt-recipe=modern")
    assert result.ret == COULD_NOT_JUDGE
    info, record = RunStore(latest()).info(), RunStore(latest()).records()[0]
    assert Path(info.baseline).name == "figshare-cpu128-modern.json"
    assert (info.recipe["name"], info.recipe["scaling"], info.recipe["keep"]) == ("modern", "percentile", "best")
    assert "percentile scaling" in info.data
    assert record.conditions.scaling == "thesis", "masks are scored as ever, whatever a recipe feeds its models"


@pytest.mark.nightly
def test_a_recipe_decides_what_models_see(project: Run, pytester: pytest.Pytester):
    """The toys know the truth by the very images they are given."""
    text = (pytester.path / "conftest.py").read_text()
    spy = "        predictor = Knows(name)"
    assert spy in text
    seen = "        open('seen.txt', 'a').write(work.train.scaling + ' ')"
    (pytester.path / "conftest.py").write_text(text.replace(spy, f"{seen}\n{spy}"))
    project("--benchmark-disable", "-m", "full", "--bt-recipe=modern", select="toy1 and quality")
    project("--benchmark-disable", "-m", "full", select="toy1 and quality")
    project("--benchmark-disable", "-m", "full", "--bt-recipe=modern", "--bt-scaling=thesis", select="toy1 and quality")
    project("--benchmark-disable", "-m", "full", "--bt-scaling=percentile", select="toy1 and quality")
    seen = (pytester.path / "seen.txt").read_text().split()
    assert seen == ["percentile", "thesis", "thesis", "percentile"], "what is asked for wins over the recipe's own"


def test_an_item_named_by_its_id_runs_whatever_its_tier(accepted: Run, pytester: pytest.Pytester, phantoms: Path):
    result = pytester.runpytest_subprocess(
        "benchmarks/test_quality.py::test_quality[full-toy1-dice]", f"--bt-data={phantoms}", "--bt-image-size=32"
    )
    assert sum(result.parseoutcomes().get(k, 0) for k in ("passed", "failed")) == 1


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--bt-limit=0"], "*--bt-limit: expected a whole number from 1, got '0'*"),
        (["--bt-epochs=many"], "*--bt-epochs: expected a whole number from 1, got 'many'*"),
        (["--bt-device=tpu"], "*--bt-device: invalid choice: 'tpu'*"),
        (["--bt-weights=cocoa"], "*--bt-weights: invalid choice: 'cocoa'*"),
        (["--bt-data=nowhere"], "*--bt-data: *nowhere is not a folder*"),
        (["--bt-split=slice-seed41"], "*unknown split 'slice-seed41'*"),
        (["--bt-baseline=smoek"], "*smoek.json: no such baseline file*"),
        (["--bt-limit=4"], "*no sample is left for test*"),
        (["--bt-image-size=1"], "*image*"),
        (
            ["--bt-protocol=cpu128"],
            "*--bt-protocol: the protocol and the recipe of the tier smoke are fixed*",
        ),
        *(
            (
                ["-m", "full", "--bt-thesis-checkpoints=.", f"--bt-{given}"],
                f"*--bt-{name} with --bt-thesis-checkpoints*",
            )
            for name, given in (("retrain", "retrain"), ("recipe", "recipe=modern"), ("seeds", "seeds=2"))
        ),
        (["-m", "full", "--bt-protocol=cpu129"], "*unknown protocol 'cpu129'\n*did you mean 'cpu128'*"),
        (["-m", "full", "--bt-recipe=moderm"], "*protocol slice42: unknown recipe 'moderm'\n*did you mean 'modern'*"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_bad_options_are_told_before_anything_runs(project: Run, pytester: pytest.Pytester, args: list[str], told: str):
    result = project(*args)
    assert result.ret == 4
    result.stderr.fnmatch_lines(told.splitlines())
    assert not (pytester.path / "prepared.txt").exists()
    assert "Traceback" not in result.stderr.str() + result.stdout.str()


def test_a_bad_slice_stops_the_run_and_is_named(project: Run, phantoms: Path, tmp_path: Path):
    folder = tmp_path / "some"
    shutil.copytree(phantoms, folder)
    (folder / "3.mat").write_bytes(b"not HDF5")
    result = project(data=folder)
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*3.mat: *"])


def test_an_empty_folder_of_slices(project: Run, tmp_path: Path):
    result = project(data=tmp_path)
    assert result.ret == 4
    result.stderr.fnmatch_lines([f"*{tmp_path}*no slices*", "*btlib data download*"])


def test_sessions_without_benchmarks_are_left_alone(pytester: pytest.Pytester):
    pytester.makepyfile(
        "import sys\ndef test_nothing():\n    assert 'pandas' not in sys.modules and 'torch' not in sys.modules"
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    assert not (pytester.path / "reports").exists()
    result.stdout.no_fnmatch_line("*btlib smoke*")


def test_markers_are_registered(pytester: pytest.Pytester):
    result = pytester.runpytest_subprocess("--markers")
    result.stdout.fnmatch_lines(["@pytest.mark.btlib_smoke: *", "@pytest.mark.btlib_full: *"])
