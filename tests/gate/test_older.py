"""Baselines that older versions wrote, as they wrote them: the same numbers, and the same verdicts."""

import json
from pathlib import Path
from typing import Any

import pytest

from btlib import Baseline, fingerprint, judge
from btlib.data.sources.figshare.patient_table import figshare_patients
from btlib.data.sources.tasks import BUILT_IN, FIGSHARE
from btlib.errors import BaselineError
from btlib.evaluation.aggregate import gated_value
from btlib.evaluation.catalogue import METRICS
from btlib.older import FIGSHARE_V1
from btlib.results import CaseResult, Conditions, PatientFacts, SeedRun
from btlib.sample_table import SampleTable

COMMITTED = sorted((Path(__file__).parents[2] / "baselines").glob("*.json"))
CONDITIONS = {
    "epsilon": 1e-06,
    "image_size": 32,
    "n_test": 5,
    "origin": "figshare",
    "scaling": "thesis",
    "split_fingerprint": "s1",
    "split_name": "slice-seed42",
    "test_class_counts": [2, 2, 1],
    "threshold": 0.65,
}
LATER = {
    "truth_fingerprint": "t1",
    "input_fingerprint": "i1",
    "patients": {"n_test": 3, "seen": 2, "source": "files"},
}
FIGURE = {"aggregation": "slice-mean", "margin": 0.1, "n": 5, "source": "test"}
FIGURES = [
    FIGURE | {"metric": "dice", "std": 0.389395, "value": 0.684403},
    FIGURE | {"metric": "accuracy", "std": 0.547723, "value": 0.6},
]
FILE = {
    "created": "2026-01-01",
    "kind": "measured",
    "name": "old",
    "reason": "because",
    "source": "pytest benchmarks",
    "tier": "full",
    "title": "t",
}
MASKS = {
    "intersection": [31, 0, 6, 287, 120],
    "pred_area": [35, 0, 9, 320, 140],
    "hd95": [2.2361, 45.2548, 1.0, 3.1623, 2.0],
    "surface_dice_1px": [0.5, 0.0, 0.875, 0.25, 0.75],
    "surface_dice_2px": [0.75, 0.0, 1.0, 0.5, 0.9375],
}
PROBABILITIES = {
    "meningioma": [0.7, 0.25, 0.1, 0.05, 0.3],
    "glioma": [0.2, 0.5, 0.6, 0.9, 0.3],
    "pituitary": [0.1, 0.25, 0.3, 0.05, 0.4],
}
TIME = {"time [s]": [0.5, None, 1.0, 2.0, 4.0]}
COLUMNS = {f"tumour/{name}": column for name, column in MASKS.items()} | {
    f"probability/{name}": column for name, column in PROBABILITIES.items()
}
VERSION_2 = {
    **FILE,
    "schema": "btlib-baseline/2",
    "task": {
        "classes": ["meningioma", "glioma", "pituitary"],
        "name": "figshare",
        "structures": ["tumour"],
        "synthetic": False,
    },
    "conditions": CONDITIONS | LATER,
    "samples": {
        "columns": {"tumour/truth_area": [40, 55, 7, 300, 121]},
        "id": ["9", "10", "100", "2", "31"],
        "label": [0, 1, 2, 1, 0],
        "patient": ["a", "a", "b", "c", "c"],
    },
    "cases": {
        "X": {
            "title": "case X",
            "figures": FIGURES,
            "runs": [
                {"seed": 7, "fingerprint": "m", "columns": COLUMNS | TIME},
                {"seed": 8, "fingerprint": None, "columns": COLUMNS},
            ],
        }
    },
}
SLICES = {
    "number": [9, 10, 100, 2, 31],
    "label": [0, 1, 2, 1, 0],
    "patient": ["a", "a", "b", "c", "c"],
    "truth_area": [40, 55, 7, 300, 121],
    "class_prob": [list(row) for row in zip(*PROBABILITIES.values(), strict=True)],
    **MASKS,
}
VERSION_1 = {
    **FILE,
    "schema": "btlib-baseline/1",
    "conditions": CONDITIONS | {"dataset_fingerprint": "d1"},
    "cases": {
        "X": {
            "title": "case X",
            "figures": FIGURES,
            "runs": [
                {"seed": 7, "fingerprint": "m", "slices": SLICES, "columns": TIME},
                {"seed": 8, "fingerprint": None, "slices": {name: column[::-1] for name, column in SLICES.items()}},
            ],
        }
    },
}
VALUES = {
    "dice": 0.6844026769420994,
    "iou": 0.6034942425124709,
    "sensitivity": 0.7161090121999212,
    "precision": 0.6612797619047619,
    "miss_rate": 0.2,
    "hd95": 10.730640000000001,
    "surface_dice_1px": 0.475,
    "surface_dice_2px": 0.6375,
    "accuracy": 0.6,
    "brier": 0.426,
    "nll": 0.7126256497616753,
    "balanced_accuracy": 0.5,
    "macro_f1": 0.48888888888888893,
    "auroc": 0.8611111111111112,
    "ece": 0.38,
}
"""What version 0.1 made of the table."""


def write(path: Path, value: dict[str, Any]) -> Path:
    path.write_text(json.dumps(value | {"digest": fingerprint.of(value)}))
    return path


@pytest.mark.parametrize("value", [VERSION_1, VERSION_2], ids=["1", "2"])
def test_every_number_is_read(value: dict[str, Any], tmp_path: Path):
    found = Baseline.load(write(tmp_path / "old.json", value))
    assert {name: getattr(found, name) for name in FILE} == FILE
    assert found.gated("X") == ["dice", "accuracy"]
    expected = {"id": VERSION_2["samples"]["id"], "label": SLICES["label"], "patient": SLICES["patient"]}
    runs = found.cases["X"].runs
    assert [(run.seed, run.fingerprint) for run in runs] == [(7, "m"), (8, None)]
    for run, more in zip(runs, (TIME, {}), strict=True):
        back = -1 if value is VERSION_1 and run.seed == 8 else 1  # a run of version 1 had an order of its own
        table = run.samples
        assert {name: getattr(table, name)[::back] for name in expected} == expected
        columns = {"tumour/truth_area": SLICES["truth_area"], **COLUMNS, **more}
        assert {name: column[::back] for name, column in table.columns.items()} == columns
        assert (table.classes, table.structures, table.volume) == (list(FIGSHARE.classes), ["tumour"], None)
        assert {name: gated_value(table, name, "slice-mean", 16) for name in VALUES} == pytest.approx(VALUES, 1e-15)
        assert list(METRICS.of_table(table)) == list(VALUES)


def test_conditions_are_those_of_the_file(tmp_path: Path):
    known = {name: field for name, field in CONDITIONS.items() if name != "origin"}
    second = Baseline.load(write(tmp_path / "old.json", VERSION_2))
    facts = PatientFacts(source="files", n_test=3, seen=2)
    assert second.conditions == Conditions(task=FIGSHARE, **known | LATER | {"patients": facts})
    first = Baseline.load(write(tmp_path / "old.json", VERSION_1))
    assert first.conditions == Conditions(task=FIGSHARE, truth_fingerprint=None, input_fingerprint=None, **known)
    assert (first.schema_version, second.schema_version) == (1, 2)


@pytest.mark.parametrize("value", [VERSION_1, VERSION_2], ids=["1", "2"])
def test_the_gate_says_of_it_what_it_said(value: dict[str, Any], tmp_path: Path):
    """What version 0.1 said of the same numbers and the same measured table, but for the spread of its two trainings.

    They differ by 0.0055 in Dice, so the interval is wider than that over samples, which 0.1 gave: −0.136 … 0.
    """
    baseline = Baseline.load(write(tmp_path / "old.json", value))
    own = {f"tumour/{name}": values for name, values in {"intersection": [20, 10, 6, 250, 100]}.items()}
    columns = {name: column for name, column in COLUMNS.items() if "hd95" not in name and "surface" not in name}
    columns |= own | {"tumour/pred_area": [35, 20, 9, 320, 140], "tumour/truth_area": SLICES["truth_area"]}
    samples = {name: VERSION_2["samples"][name] for name in ("id", "label", "patient")}
    table = SampleTable(classes=list(FIGSHARE.classes), structures=["tumour"], columns=columns, **samples)
    under = Baseline.load(write(tmp_path / "new.json", VERSION_2)).conditions
    runs = (SeedRun(seed=7, fingerprint=None, samples=table),)
    dice, accuracy = judge(CaseResult("X", "case X", under, {"dice": 1, "accuracy": 1}, runs), baseline)
    assert (dice.status, dice.method, dice.baseline) == ("inconclusive", "paired by patient, over trainings", 0.684403)
    assert dice.measured == pytest.approx(0.6245470341280159, abs=1e-15)
    assert dice.difference == pytest.approx(-0.059855642814083565, abs=1e-15)
    assert dice.low < -0.1363
    assert dice.high > 0
    assert dice.high - dice.difference == pytest.approx(dice.difference - dice.low)
    assert (accuracy.status, accuracy.difference, accuracy.low, accuracy.high) == ("pass", 0, 0, 0)


def test_version_1_of_the_known_copy_knows_its_patients(tmp_path: Path):
    value = VERSION_1 | {"conditions": CONDITIONS | {"dataset_fingerprint": FIGSHARE_V1}}
    tables = [run.samples for run in Baseline.load(write(tmp_path / "old.json", value)).cases["X"].runs]
    persons = [str(figshare_patients().persons[number - 1]) for number in SLICES["number"]]
    assert [table.patient for table in tables] == [persons, persons[::-1]]


def test_version_2_is_written_again_with_the_same_numbers(tmp_path: Path):
    """And with no word more of a task of btlib's own."""
    loaded = Baseline.load(write(tmp_path / "old.json", VERSION_2))
    loaded.save(tmp_path / "new.json")
    value = json.loads((tmp_path / "new.json").read_text())
    del value["digest"]
    assert value == VERSION_2


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"origin": "mine"}, "origin: expected figshare or phantom, got 'mine'"),
        ({"origin": None}, "origin: expected figshare or phantom, got None"),
        ({"test_class_counts": [2, 2]}, "test_class_counts: expected 3 numbers, got 2"),
        ({"colour": "red"}, "colour: Extra inputs"),
    ],
)
def test_damaged_conditions_of_version_1_are_refused_by_name(change: dict[str, Any], told: str, tmp_path: Path):
    value = VERSION_1 | {"conditions": VERSION_1["conditions"] | change}
    with pytest.raises(BaselineError, match=f"does not follow btlib-baseline/1: .*{told}"):
        Baseline.load(write(tmp_path / "old.json", value))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_a_committed_baseline_comes_back_as_it_was(path: Path, tmp_path: Path):
    """Every number of the file is in what was read, and all of it survives another file."""
    value, loaded = json.loads(path.read_text()), Baseline.load(path)
    assert loaded.conditions.task == BUILT_IN[value["conditions"]["origin"]]
    shared = value.get("samples", {"columns": {}})
    for name, case in value["cases"].items():
        found = loaded.cases[name]
        for seen, written in ((found, case), *([(found.first, case["first"])] if "first" in case else [])):
            assert seen is not None
            assert [f.model_dump(exclude_defaults=True) for f in seen.figures] == written["figures"]
            for run, columns in zip(seen.runs, written.get("runs", []), strict=True):
                assert run.samples.columns == shared["columns"] | columns["columns"]
                assert {n: getattr(run.samples, n) for n in ("id", "label", "patient")} == {
                    n: shared[n] for n in ("id", "label", "patient")
                }
                for figure in seen.figures:
                    if figure.margin is not None:
                        mine = gated_value(run.samples, figure.metric, figure.aggregation, 16)
                        assert len(seen.runs) > 1 or mine == pytest.approx(figure.value, abs=5e-5)
    loaded.save(tmp_path / path.name)
    again = Baseline.load(tmp_path / path.name)
    assert again == loaded
    again.save(tmp_path / "once more.json")
    assert (tmp_path / "once more.json").read_bytes() == (tmp_path / path.name).read_bytes()


def test_the_committed_baselines_are_all_there():
    assert len(COMMITTED) == 8


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_a_committed_baseline_passes_by_itself(path: Path):
    baseline = Baseline.load(path)
    for name in baseline.cases:
        result = baseline.result(name)
        if result is not None:
            assert {(v.status, v.difference) for v in judge(result, baseline)} == {("pass", 0)}
