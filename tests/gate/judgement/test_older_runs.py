"""Runs of older versions, which have no judgement of their own."""

import json
from pathlib import Path

import pytest

from btlib import Baseline, files
from btlib.api.closing import close
from btlib.data.sources.tasks import PHANTOM
from btlib.gate.acceptance import accept, propose
from btlib.gate.judgement import judge_case, judge_run
from btlib.gate.loading import NONE, NotComparedError
from btlib.reporting.html.views import view
from btlib.runs import RunStore
from tests.gate.judgement.steps import Counted, inform, kept, statuses

CONDITIONS = {
    "task": PHANTOM.model_dump(mode="json"),
    **{"truth_fingerprint": "t1", "input_fingerprint": "i1", "split_name": "slice-seed42", "split_fingerprint": "s1"},
    **{"n_test": 6, "test_class_counts": [2, 2, 2], "image_size": 96, "scaling": "thesis", "threshold": 0.65},
    **{"epsilon": 1e-06, "patients": {"source": "files", "n_test": 6, "seen": 0}, "independent": False},
}
SAMPLES = {
    "id": ["158", "172", "92", "229", "40", "160"],
    "label": [0, 1, 2, 0, 1, 2],
    "patient": ["a", "b", "c", "d", "e", "f"],
    "volume": None,
    "classes": ["meningioma", "glioma", "pituitary"],
    "structures": ["tumour"],
    "columns": {
        "tumour/truth_area": [100, 200, 300, 100, 200, 300],
        "tumour/intersection": [80, 170, 270, 80, 190, 240],
        "tumour/pred_area": [100, 200, 300, 100, 200, 300],
        "probability/meningioma": [0.8, 0.1, 0.1, 0.1, 0.1, 0.1],
        "probability/glioma": [0.1, 0.8, 0.1, 0.8, 0.8, 0.1],
        "probability/pituitary": [0.1, 0.1, 0.8, 0.1, 0.1, 0.8],
    },
}
RECORD = {
    **{"schema": "btlib-record/3", "case": "D", "title": "naive joint", "tier": "smoke", "seed": 42},
    **{"metrics": {"dice": 1, "accuracy": 1}, "outcome": "done", "error": None, "conditions": CONDITIONS},
    **{"samples": SAMPLES, "summary": {"n": 6}, "threshold_curve": None, "curves_sha256": None},
    **{"batch_mean_size": 16, "images_per_second": 897.16, "peak_memory_mib": 1022.3, "seconds": 10.9},
    **{"prepare_seconds": 10.6, "predict_seconds": 0.05},
    "model": {
        **{"source": "trained", "fingerprint": "a4416e86a894cb17", "seconds": 10.1},
        **{"details": {"device": "cpu"}, "notes": ["weights: none"]},
    },
    "code": {"file": "thesis_cases.py", "digest": "fd06f34c6040cad5", "commit": None, "dirty": None},
    "environment": {"python": "3.11.7", "machine": "4e4ebb9b6bde2c40"},
    "created": "2026-11-30T08:04:24+00:00",
}
FIGURE = {
    **{"images": 16, "device": "cpu", "gpu": None, "engine": "eager", "precision": "fp32"},
    **{"seconds": [0.1, 0.1, 0.1, 0.1], "thesis_seconds": [0.2, 0.2, 0.2, 0.2], "peak_memory_mib": 1013.4},
    **{"thesis_peak_memory_mib": 844.4, "device_memory_mib": None, "joules_per_image": None},
    "gflop_per_image": 0.111826112,
}
SPEED = {
    **{"case": "D", "figures": {"inference, batch 16": FIGURE}, "ceilings": {"fp32": 0.17}},
    **{"machine": "4e4ebb9b6bde2c40", "seconds": 3.5},
}
NOISE = FIGURE | {"device": None, "engine": None, "precision": None, "thesis_seconds": [0.11, 0.09, 0.1, 0.1]}
INFO = {
    **{"tier": "smoke", "command": "pytest benchmarks -m smoke -q", "task": CONDITIONS["task"]},
    **{"data": "240 PHANTOM samples (synthetic), 96 px", "data_folder": None, "image_size": 96},
    "recipe": {"name": "smoke", "backbone": "tiny", "weights": "none", "epochs": 12, "scaling": None},
    **{"against": None, "strict": False, "cases": ["D"], "seeds": [42], "commit": "faed080de098", "dirty": False},
    **{"load_seconds": 2.4, "started": "2026-11-30T08:02:26+00:00"},
}


@pytest.fixture
def before(tmp_path: Path) -> RunStore:
    """A run as btlib wrote it before judgements were kept, word for word."""
    home = tmp_path / "before"
    for name, value in {
        "run.json": INFO | {"baseline": str(tmp_path / "known.json")},
        "records/D-seed42.json": RECORD,
        "speed/D.json": SPEED,
        "noise.json": NOISE,
    }.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        files.write_json(home / name, files.sealed(value))
    return RunStore(home)


def test_reports_of_a_run_of_before_still_work(before: RunStore, tmp_path: Path, judged: Counted) -> None:
    inform(before, baseline=str(NONE))
    accept(propose(before.path, "known", "for a test"), tmp_path / "known.json")
    inform(before, baseline=str(tmp_path / "known.json"))
    assert not (before.path / "judgement.json").exists()
    shown = view(before.path)
    assert not (before.path / "judgement.json").exists(), "looking at a run changes nothing"
    (row,) = shown.comparison.rows
    assert (row.case, row.status, row.source, shown.unread) == ("D", "pass", "trained", ())
    assert row.values["accuracy"] == pytest.approx(5 / 6)
    assert row.values["dice"] == pytest.approx((0.8 + 0.85 + 0.9 + 0.8 + 0.95 + 0.8) / 6)
    throughput = row.speeds["inference, batch 16"]
    assert (throughput.images_per_second, throughput.ratio, throughput.reference) == pytest.approx(
        (160.0, 2.0, "thesis path")
    )
    assert shown.noise is not None
    assert shown.noise.reference_seconds == NOISE["thesis_seconds"]
    for _ in range(2):
        done = close(before.path)
        assert statuses(done.judgement) == {"D": {"pass"}}
        assert done.missing == ()
    assert kept(before) == done.judgement
    assert judged == {"D": 2}  # once to look, which keeps nothing, and once to close
    text = (before.path / "speed.md").read_text()
    assert "Noise floor: the reference, compared with itself, is" in text
    assert "| 160.0 " in text
    page = (before.path / "index.html").read_text()
    assert "Every case that was compared with a baseline passed the comparison." in page
    assert "Could not be read" not in page


def test_a_run_of_before_that_does_not_tell_its_seeds_misses_none(before: RunStore) -> None:
    """It cannot be known; a case that was selected for this run but has no record is told all the same."""
    value = {name: field for name, field in INFO.items() if name != "seeds"}
    value |= {"cases": ["D", "E"], "baseline": str(NONE)}
    files.write_json(before.path / "run.json", files.sealed(value))
    assert statuses(judge_run(before, NotComparedError("asked for"))) == {"D": {"measured"}}
    assert {v.status for v in judge_case(before, "D", NotComparedError("asked for")).verdicts} == {"measured"}
    assert statuses(view(before.path).judgement) == {"D": {"measured"}}
    assert close(before.path).missing == ("E",)


def test_rankings_under_their_older_name_are_read(store: RunStore, baseline: Baseline) -> None:
    whole = judge_run(store, baseline)
    assert whole.cases["N"].rankings
    path = store.path / "judgement.json"
    value = {key: field for key, field in json.loads(path.read_text()).items() if key not in ("digest", "sealed")}
    for case in value["cases"].values():
        case["standings"] = case.pop("rankings")
    path.write_text(json.dumps(value))
    assert kept(store) == whole
