"""`btlib compare before.csv after.csv`: numbers of any kind, without a model."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from btlib import stats
from btlib.cli import app

N, SPEAKERS = 120, 12
BASE = np.random.default_rng(5).gamma(3.0, 0.05, N)
NOISE = np.random.default_rng(6).normal(0, 0.004, N)
WER = ("--metric", "wer", "--group", "speaker", "--lower-is-better", "--margin", "0.01")


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    monkeypatch.chdir(tmp_path)

    def of(name: str, wer: NDArray[np.float64], *, seeds: int = 0, **columns: list[object]) -> Path:
        known = {"id": [f"u{i}" for i in range(N)], "speaker": [f"s{i % SPEAKERS}" for i in range(N)]}
        names = [*known, *columns, "wer", *(["seed"] if seeds else [])]
        rng = np.random.default_rng(seeds)
        lines = [",".join(names)]
        for seed in range(max(1, seeds)):
            shift = rng.normal(0, 0.002) if seeds else 0.0
            for i in range(N):
                cells = [known["id"][i], known["speaker"][i], *(column[i] for column in columns.values())]
                lines.append(",".join(map(str, [*cells, wer[i] + shift, *([seed] if seeds else [])])))
        path = tmp_path / name
        path.write_text("\n".join(lines))
        return path

    return of


def run(*args: object) -> Result:
    return CliRunner().invoke(app, ["compare", *map(str, args)])


def test_the_three_ways_and_their_exit_codes(write: Callable[..., Path]):
    before = write("before.csv", BASE)
    for name, shift, status, code in (
        ("same", 0.0, "pass", 0),
        ("better", -0.05, "improved", 0),
        ("worse", 0.05, "regressed", 1),
    ):
        result = run(before, write(f"{name}.csv", BASE + NOISE + shift), *WER)
        assert f"wer       {status} " in result.stdout
        assert "trainings are not in the interval" in result.stdout
        assert "paired by speaker, without trainings" in result.stdout
        assert result.exit_code == code


def test_higher_is_better_by_default(write: Callable[..., Path]):
    before, after = write("before.csv", BASE), write("after.csv", BASE + NOISE + 0.05)
    result = run(before, after, "--metric", "wer", "--group", "speaker", "--margin", "0.01")
    assert "improved" in result.stdout
    assert result.exit_code == 0


def test_the_numbers_are_those_of_the_statistics(write: Callable[..., Path]):
    """The interval is that of speakers; samples alone would give a narrower one."""
    effect = np.random.default_rng(8).normal(0, 0.02, SPEAKERS)[np.arange(N) % SPEAKERS]
    after = BASE + NOISE + effect
    result = run(write("before.csv", BASE), write("after.csv", after), *WER)
    groups = np.arange(N) % SPEAKERS
    expected = stats.crossed(after, BASE, groups)
    alone = stats.crossed(after, BASE)
    shown = f"{expected.bound(0.025):+.4f} … {expected.bound(0.975):+.4f}"
    assert f"{(after - BASE).mean():+.4f}" in result.stdout
    assert shown in result.stdout
    assert expected.bound(0.975) - expected.bound(0.025) > 2 * (alone.bound(0.975) - alone.bound(0.025))


def test_retrained_puts_the_default_spread_in(write: Callable[..., Path]):
    before, after = write("before.csv", BASE), write("after.csv", BASE + NOISE)
    result = run(before, after, *WER, "--retrained")
    assert "inconclusive" in result.stdout
    assert "a standard deviation of 0.025 is assumed" in result.stdout
    assert "trainings are not in" not in result.stdout
    assert result.exit_code == 0
    assert run(before, after, *WER, "--retrained", "--strict").exit_code == 1


def test_seeds_are_trainings(write: Callable[..., Path]):
    before, after = write("before.csv", BASE, seeds=4), write("after.csv", BASE + NOISE, seeds=3)
    result = run(before, after, *WER)
    assert "paired by speaker, over trainings" in result.stdout
    assert "3 / 4" in result.stdout
    assert "trainings are not in" not in result.stdout


def test_several_metrics(write: Callable[..., Path]):
    right, wrong = [0.8] * N, [0.5 + 0.001 * (i % 7) for i in range(N)]
    before = write("before.csv", BASE, correctness=right)
    after = write("after.csv", BASE + NOISE, correctness=wrong)
    args = (before, after, "--metric", "wer", "--metric", "correctness", "--group", "speaker", "--lower", "wer")
    result = run(*args, "--margin", "wer=0.01", "--margin", "correctness=0.1")
    rows = {line.split()[2]: line.split()[3] for line in result.stdout.splitlines() if line.startswith("all samples ")}
    assert rows.items() >= {"wer": "pass", "correctness": "regressed"}.items()
    assert result.exit_code == 1
    missing = run(*args, "--margin", "wer=0.01")
    assert missing.exit_code == 2
    assert "expected the loss of correctness to tolerate" in missing.stderr


def test_other_samples_are_not_comparable(write: Callable[..., Path]):
    before, after = write("before.csv", BASE), write("after.csv", BASE)
    after.write_text(after.read_text().replace("u7,", "v7,"))
    result = run(before, after, *WER)
    assert result.exit_code == 7
    assert "not-comparable" in result.stdout
    assert "2 are on one side only, the first one is u7" in result.stdout
    assert "fingerprint" not in result.stdout


def test_another_group_is_not_comparable(write: Callable[..., Path]):
    before, after = write("before.csv", BASE), write("after.csv", BASE)
    after.write_text(after.read_text().replace("u7,s7", "u7,s8"))
    result = run(before, after, *WER)
    assert result.exit_code == 7
    assert "sample u7: measured group s8, baseline group s7" in result.stdout


def test_independent_samples(write: Callable[..., Path]):
    before, after = write("before.csv", BASE), write("after.csv", BASE + NOISE)
    result = run(before, after, "--metric", "wer", "--independent", "--lower-is-better", "--margin", "0.01")
    assert "paired by sample" in result.stdout
    assert result.exit_code == 0


def test_one_baseline_for_several_files(write: Callable[..., Path]):
    base, same, worse = (write(f"{k}.csv", BASE + k * 0.05 + NOISE * (k > 0)) for k in (0, 0.01, 1))
    result = run(same, worse, "--against", base, *WER, "--name", "v1", "--name", "v2")
    assert result.exit_code == 1
    assert [line for line in result.stdout.splitlines() if "compared with" in line] == [
        f"v1 compared with {base}",
        f"v2 compared with {base}",
    ]


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--metric", "wre", "--independent", "--margin", "1"), "did you mean 'wer'"),
        (("--metric", "wer", "--independent"), "expected the loss of wer to tolerate"),
        (("--independent", "--margin", "1"), "expected the columns to compare"),
        (("--metric", "wer", "--margin", "1"), "expected either --group COLUMN or --independent"),
        ((*WER, "--independent"), "expected either --group COLUMN or --independent"),
        *(
            (("--metric", "wer", "--independent", "--margin", margin), "a finite number above 0")
            for margin in ("0", "-1", "nan", "inf", "x", "wer=0")
        ),
        (("--metric", "wer", "--independent", "--margin", "cer=1"), "METRIC=VALUE with one of wer"),
        (("--metric", "wer", "--metric", "wer", "--independent", "--margin", "1"), "named more than once"),
        (("--metric", "wer", "--lower", "cer", "--independent", "--margin", "1"), "'cer' is not among the metrics"),
        (("--metric", "id", "--independent", "--margin", "1"), "reserved by btlib"),
    ],
)
def test_options_that_do_not_fit(write: Callable[..., Path], args: tuple[str, ...], told: str):
    result = run(write("before.csv", BASE), write("after.csv", BASE), *args)
    assert told in result.stderr
    assert result.exit_code == 2


def test_files_of_scores_are_compared_with_each_other_only(write: Callable[..., Path]):
    result = run(write("before.csv", BASE), "smoke", *WER)
    assert "smoke is not" in result.stderr
    assert result.exit_code == 2
    result = run("smoke", "smoke", "--metric", "wer")
    assert "this option is for files of scores" in result.stderr


def test_no_framework_is_imported(write: Callable[..., Path]):
    before, after = write("before.csv", BASE), write("after.csv", BASE)
    code = f"""
import sys
from typer.testing import CliRunner
from btlib.cli import app
result = CliRunner().invoke(app, {["compare", str(before), str(after), *WER]!r})
assert result.exit_code == 0, result.output
print(sorted({{"torch", "cv2", "h5py", "matplotlib", "pyarrow"}} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
