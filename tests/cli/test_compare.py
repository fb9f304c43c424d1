"""`btlib compare` and the life of a baseline on the command line: files in, an exit code and a table out."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from btlib.cli import app
from btlib.results import Conditions, PatientFacts
from btlib.runs.cell import Cell
from btlib.runs.store import RunStore
from btlib.sample_table import SampleTable

Table = Callable[..., SampleTable]


def run(*args: object) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_runs_against_runs(make_run: Callable[..., Path], make_table: Table):
    before = make_run("before", X=make_table(), Y=make_table())
    same = make_run("same", X=make_table(), Y=make_table())
    worse = make_run("worse", X=make_table(), Y=make_table(wrong=20))
    assert run("compare", before, same).exit_code == 0
    result = run("compare", before, worse)
    assert result.exit_code == 1
    rows = [line.split()[:3] for line in result.stdout.splitlines() if line.startswith(("X ", "Y "))]
    assert rows == [
        ["X", "dice", "pass"],
        ["X", "accuracy", "pass"],
        ["Y", "dice", "inconclusive"],
        ["Y", "accuracy", "regressed"],
    ], "another model, whose spread between trainings is not known"
    assert "Y, dice (inconclusive): the spread between trainings is not known" in result.stdout
    again = run("compare", before, worse, "--rescore").stdout
    rows = [line.split()[:3] for line in again.splitlines() if line.startswith("Y ")]
    assert rows == [["Y", "dice", "pass"], ["Y", "accuracy", "regressed"]]
    assert run("compare", worse, before).exit_code == 0  # better is no failure
    table = [line for line in result.stdout.splitlines() if line.startswith(("case ", "X ", "Y "))]
    assert max(map(len, table)) <= 170


def test_a_record_against_a_record_of_another_name(make_run: Callable[..., Path], make_table: Table):
    make_run("one", X=make_table())
    make_run("two", mine=make_table(wrong=20))
    result = run("compare", "one/records/X-seed42.json", "two/records/mine-seed42.json")
    assert result.exit_code == 1
    assert "regressed" in result.stdout


def test_inconclusive_falls_short_where_one_is_strict(make_run: Callable[..., Path], make_table: Table):
    before, after = make_run("before", X=make_table()), make_run("after", X=make_table(wrong=2))
    result = run("compare", before, after)
    assert "inconclusive" in result.stdout
    assert result.exit_code == 0
    assert run("compare", before, after, "--strict").exit_code == 1


def test_a_case_that_only_one_has_is_not_passed_over(make_run: Callable[..., Path], make_table: Table):
    before = make_run("before", X=make_table(), Y=make_table())
    fewer, other = make_run("fewer", X=make_table()), make_run("other", X=make_table(), Z=make_table(wrong=50))
    result = run("compare", before, fewer)
    assert (result.exit_code, "not in fewer: Y" in result.stdout.replace(str(fewer), "fewer")) == (0, True)
    assert run("compare", before, fewer, "--strict").exit_code == 7
    result = run("compare", before, other)
    assert result.exit_code == 1
    rows = [line.split()[:3] for line in result.stdout.splitlines() if line.startswith("Z ")]
    assert rows[:2] == [["Z", "dice", "inconclusive"], ["Z", "accuracy", "regressed"]], "compared with the best"
    assert [row[1] for row in rows[2:]] == ["X", "Y", "X", "Y"], "and beside each"


def test_a_new_case_is_compared_as_in_a_run(make_run: Callable[..., Path], make_table: Table):
    """No case in common: beside every case of the other, with rank and corrected p."""
    before = make_run("before", X=make_table(wrong=9), Y=make_table(wrong=30))
    new = make_run("new", mine=make_table())
    result = run("compare", before, new)
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.splitlines() if line.startswith("mine ")]
    assert [row[:3] for row in rows[:2]] == [["mine", "dice", "inconclusive"], ["mine", "accuracy", "pass"]]
    assert all(row[3] == "X" for row in rows[:2]), "the better one of both"
    rescored = run("compare", before, new, "--rescore").stdout
    found = [line.split()[:3] for line in rescored.splitlines() if line.startswith("mine ")]
    assert found[:2] == [["mine", "dice", "pass"], ["mine", "accuracy", "improved"]]
    beside = {(row[1], row[2]): row for row in rows[2:]}
    assert beside.keys() == {(case, metric) for case in "XY" for metric in ("dice", "accuracy")}
    assert beside["Y", "accuracy"][5] == "+0.5000"
    assert "1 of 3" in " ".join(beside["X", "accuracy"])
    worse = make_run("worse", mine=make_table(wrong=50))
    assert run("compare", before, worse).exit_code == 1


def test_sources_have_the_titles_they_are_given(make_run: Callable[..., Path], make_table: Table):
    before = make_run("before", X=make_table(), Y=make_table())
    after = make_run("after", X=make_table(), new=make_table(wrong=30))
    result = run("compare", before, after, "--name", "old", "--name", "new | \x1b[31m")
    assert result.exit_code == 1
    assert result.stdout.startswith("new | \\x1b[31m compared with old\n")
    assert "\nnot in old, so compared with each of its cases\n" in result.stdout
    assert "\nnot in new | \\x1b[31m: Y\n" in result.stdout
    assert re.search(r"^new +accuracy +regressed +[XY] ", result.stdout, re.MULTILINE), "which case it is held against"
    one = run("compare", before, "--against", before, "--name", "mine")
    assert one.exit_code == 0
    assert one.stdout.startswith(f"mine compared with {before}\n")


def test_what_cannot_be_compared_has_its_value(
    make_run: Callable[..., Path], make_table: Table, conditions: Conditions
):
    before = make_run("before", X=make_table())
    after = make_run("after", conditions.model_copy(update={"image_size": 64}), X=make_table(wrong=6))
    (row,) = (line for line in run("compare", before, after).stdout.splitlines() if re.match("X +accuracy ", line))
    assert row.split()[2:5] == ["not-comparable", "0.9000", "1.0000"]


def test_a_run_that_broke_off_holds_nothing(make_run: Callable[..., Path], make_table: Table):
    before = make_run("before", X=make_table(), Y=make_table())
    after = make_run("after", X=make_table(), Y=make_table())
    folder = RunStore(after)
    assert run("compare", before, after).exit_code == 0
    folder.record_path(Cell("Y", 42)).unlink()
    result = run("compare", before, after)
    assert result.exit_code == 7
    told = "Y, dice (error): no record of Y, seed 42: the run was interrupted or is still running"
    assert told in " ".join(result.stdout.split())
    folder.save_info(folder.info().model_copy(update={"cases": ["X", "Z"], "seeds": [42, 43]}))
    result = run("compare", before, after)
    assert result.exit_code == 7
    assert "X, dice (error): no record of X, seed 43" in result.stdout
    refused = run("baseline", "propose", after, "--name", "m")
    assert refused.exit_code == 2
    assert "case X failed: no record of X, seed 43" in " ".join(refused.output.split())


def test_what_cannot_be_compared_has_its_own_code(
    make_run: Callable[..., Path], make_table: Table, conditions: Conditions
):
    before = make_run("before", X=make_table())
    after = make_run("after", conditions.model_copy(update={"image_size": 64}), X=make_table())
    result = run("compare", before, after)
    assert result.exit_code == 7
    assert "image_size: measured 64, baseline 32" in result.stdout


def test_the_life_of_a_baseline(make_run: Callable[..., Path], make_table: Table, tmp_path: Path):
    first = make_run("first", X=make_table())
    assert run("baseline", "propose", first, "--name", "mine").exit_code == 0
    assert not (tmp_path / "baselines").exists()
    accepted = run("baseline", "accept", first, "--name", "mine", "--reason", "start")
    assert accepted.exit_code == 0
    assert "X accepted into baselines/mine.json (1 in total)" in " ".join(accepted.stdout.split())
    path = tmp_path / "baselines" / "mine.json"
    assert run("baseline", "check", path).exit_code == 0
    assert run("compare", first, "--against", "mine").exit_code == 0

    worse = make_run("worse", X=make_table(wrong=20))
    assert run("compare", worse, "--against", "mine").exit_code == 1
    told = run("baseline", "propose", worse, "--name", "mine")
    assert told.exit_code == 1
    assert "X       accuracy  1.0000  0.6667" in told.stdout
    assert "worse: X accuracy -0.3333 (regressed)" in told.stdout
    before = path.read_bytes()
    refused = run("baseline", "accept", worse, "--name", "mine", "--reason", "no")
    assert (refused.exit_code, path.read_bytes()) == (2, before)
    assert "--allow-worse" in refused.stderr
    meant = run("baseline", "accept", worse, "--name", "mine", "--reason", "meant", "--allow-worse")
    assert meant.exit_code == 0
    assert json.loads(path.read_text())["reason"] == "meant"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["compare", "one"], "expected two sources, or one source and --against"),
        (["compare", "one", "nowhere"], "unknown run or baseline 'nowhere'"),
        (["compare", "nowhere", "--name", "a"], "expected two sources, or one source and --against"),
        (["compare", "nowhere", "one", "--name", "a"], "--name: expected 2, one for each source, got 1"),
        (
            ["compare", "nowhere", "one", "--name", "a", "--name", "a"],
            "--name: expected different names, found 'a' twice",
        ),
        (["compare", "one", "empty"], "has no records"),
        (["compare", "one", "broken.json"], "broken.json: does not follow btlib-baseline/2"),
        (["baseline", "accept", "one", "--name", "m", "--reason", "r", "--margin", "dice"], "expected METRIC=VALUE"),
        (["baseline", "accept", "one", "--name", "m", "--reason", "r", "--margin", "dise=1"], "did you mean 'dice'"),
        *(
            (["baseline", "propose", "one", "--name", "m", "--margin", f"dice={value}"], "a loss above 0 and below 1")
            for value in ("0", "-1", "1", "nan", "inf")
        ),
        (["baseline", "propose", "one", "--name", "m", "--margin", "macro_f1=1"], "above 0 and below 1"),
    ],
)
def test_errors_are_told(args: list[str], told: str, make_run: Callable[..., Path], make_table: Table, tmp_path: Path):
    make_run("one", X=make_table(), Y=make_table())
    make_run("two", Z=make_table())
    make_run("empty")
    (tmp_path / "broken.json").write_text("{}")
    result = run(*args)
    assert result.exit_code == 2, result.output
    assert told in result.stderr
    assert "Traceback" not in result.output


def test_leakage_of_two_runs(make_run: Callable[..., Path], make_table: Table, conditions: Conditions):
    shared, none = (PatientFacts(source="files", n_test=60, seen=seen) for seen in (59, 0))
    near = make_run("near", conditions.model_copy(update={"patients": shared}), X=make_table())
    other = conditions.model_copy(update={"split_name": "patient-5fold-1", "patients": none})
    apart = make_run("apart", other, X=make_table(wrong=30))
    result = run("leakage", near, apart)
    assert result.exit_code == 0
    assert "split slice-seed42; 59 of 60 test samples are of patients who are also in training" in result.stdout
    assert "split patient-5fold-1; 0 of 60 test samples are" in result.stdout
    rows = [line.split() for line in result.stdout.splitlines() if line.startswith("X")]
    assert [row[1] for row in rows] == ["dice", "accuracy"]
    assert rows[1][2:5] == ["1.0000", "0.5000", "+0.5000"]
    assert run("leakage", near, near).exit_code == 2


def test_leakage_of_two_recipes_is_refused(make_run: Callable[..., Path], make_table: Table, conditions: Conditions):
    table, (shared, none) = make_table(), (PatientFacts(source="files", n_test=60, seen=seen) for seen in (59, 0))
    by_slice = conditions.model_copy(update={"patients": shared})
    by_patient = conditions.model_copy(update={"split_name": "patient-5fold-1", "patients": none})
    near, apart = RunStore(make_run("near", by_slice, X=table)), RunStore(make_run("apart", by_patient, X=table))
    near.save_info(near.info().model_copy(update={"recipe": {"epochs": 8}}))
    for recipe, told in (({}, "the training recipe is not known"), ({"epochs": 4}, "epochs 8 and 4")):
        apart.save_info(apart.info().model_copy(update={"recipe": recipe}))
        result = run("leakage", near.path, apart.path)
        assert result.exit_code == 2
        assert told in " ".join(result.output.split())


def test_slices_without_patients_are_judged_only_where_they_are_independent(
    make_run: Callable[..., Path], make_table: Table
):
    table = make_table(patients=[None] * 60)
    before, after = make_run("before", X=table), make_run("after", X=table)
    result = run("compare", before, after)
    assert result.exit_code == 7
    assert "too narrow" in result.output
    assert "--independent" in result.output
    assert run("compare", before, after, "--independent").exit_code == 0
    shown = run("show", after)
    assert "the patient of 60 of 60 samples is unknown: intervals treat these samples as independent" in shown.output


def test_a_lost_subgroup_is_printed_and_fails_if_strict(make_run: Callable[..., Path], make_table: Table):
    """Eight of the twenty samples of one class are wrong."""
    table = make_table()
    wrong = [k for k in range(60) if k % 3 == 0][:8]
    name = f"probability/{table.classes[0]}"
    other = f"probability/{table.classes[1]}"
    columns = {key: list(values) for key, values in table.columns.items()}
    for k in wrong:
        columns[name][k], columns[other][k] = columns[other][k], columns[name][k]
    after = SampleTable(**table.model_dump() | {"columns": columns})
    before, lost = make_run("before", X=table), make_run("lost", X=after)
    result = run("compare", before, lost, "--rescore")
    assert f"X, accuracy: loss in a subgroup: class {table.classes[0]} (n = 20): 0.6000, baseline 1.0000" in (
        result.stdout
    )
    same = run("compare", before, make_run("same", X=table), "--strict", "--rescore")
    assert (same.exit_code, "loss in a subgroup" in same.stdout) == (0, False)
    assert run("compare", before, lost, "--strict", "--rescore").exit_code == 1
