"""The published JSON Schemas: up to date, true of real files, and not of files that are none."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import btlib
from btlib.cases import CASES, Case, Prepared
from btlib.data.sources.phantom.source import PhantomSource
from btlib.data.sources.tasks import PHANTOM
from btlib.gate import Baseline
from btlib.gate.json_schema import json_schemas
from btlib.paths import shipped_baselines
from btlib.protocol import Protocol, Recipe, Tier
from btlib.runs import RunStore
from btlib.types import Predictions

ROOT = Path(__file__).parents[2]
KINDS = ("baseline", "judgement", "record")


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of one case, in which everything was measured."""

    class Bright:
        def predict(self, images: np.ndarray) -> Predictions:
            return Predictions(np.clip(images / images.max(), 0, 1), np.tile([0.4, 0.3, 0.3], (len(images), 1)))

    tier = Tier("small", Protocol(image_size=32), Recipe(), "smoke", 0, False, 0.0, 0.5, "fp32", "eager", 2, 4, 1)
    case = Case("schema", "brightness", True, True, lambda work: Prepared(Bright(), "given"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CASES, "_items", dict(CASES._items))
        patch.setattr("btlib.api.closing._page", lambda folder: [])
        root = tmp_path_factory.mktemp("run")
        measures = ["inference", "explanation", "planted faults"]
        return btlib.run(case, PhantomSource(PHANTOM, 24), tier=tier, root=root, no_tune=True, measures=measures).folder


def problems(kind: str, value: Any) -> list[str]:
    checker = jsonschema.Draft202012Validator(json_schemas()[kind])
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}"[:200] for error in checker.iter_errors(value)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_committed_schema_is_up_to_date(kind: str) -> None:
    """`btlib schema --out docs/schemas` writes them."""
    stored = json.loads((ROOT / "docs" / "schemas" / f"{kind}.schema.json").read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(json_schemas()[kind]))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_a_schema(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(json_schemas()[kind])


@pytest.mark.parametrize("name", sorted(path.stem for path in shipped_baselines().glob("*.json")))
def test_a_baseline_follows_it_once_it_is_written(name: str, tmp_path: Path) -> None:
    Baseline.load(shipped_baselines() / f"{name}.json").save(tmp_path / "again.json")
    assert problems("baseline", json.loads((tmp_path / "again.json").read_text(encoding="utf-8"))) == []


def test_records_and_judgements_follow_theirs(finished_run: Path) -> None:
    store = RunStore(finished_run)
    for path in store.record_paths():
        assert problems("record", json.loads(path.read_text(encoding="utf-8"))) == []
    assert problems("judgement", json.loads((finished_run / "judgement.json").read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("record", lambda value: value | {"seed": "42"}),
        ("record", lambda value: value | {"unknown": 1}),
        ("record", lambda value: {name: field for name, field in value.items() if name != "conditions"}),
        ("baseline", lambda value: value | {"kind": "guessed"}),
        ("baseline", lambda value: {name: field for name, field in value.items() if name != "task"}),
    ],
)
def test_what_is_none_does_not_follow(
    kind: str, change: Callable[[dict[str, Any]], dict[str, Any]], finished_run: Path
) -> None:
    path = RunStore(finished_run).record_paths()[0] if kind == "record" else shipped_baselines() / "smoke.json"
    value = json.loads(path.read_text(encoding="utf-8"))
    assert problems(kind, value) == []
    assert problems(kind, change(value)) != []
