"""The baseline of a run, or why it cannot be had."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from btlib import Baseline
from btlib.errors import BaselineError
from btlib.gate.loading import NONE, NotComparedError, load_baseline


def test_a_baseline_or_the_reason(
    tmp_path: Path, measured_baseline: Callable[..., Baseline], monkeypatch: pytest.MonkeyPatch
) -> None:
    baseline = measured_baseline()
    baseline.save(tmp_path / "made.json")
    assert load_baseline(tmp_path / "made.json") == baseline
    missing = load_baseline(tmp_path / "other.json")
    assert isinstance(missing, BaselineError)
    assert not isinstance(missing, NotComparedError)
    assert "no such baseline file" in str(missing)
    monkeypatch.chdir(tmp_path)
    for path in (NONE, Path("none"), Path("./none")):
        assert isinstance(load_baseline(path), NotComparedError)
    baseline.save(tmp_path / "none")  # a file of that name in another folder is a file
    assert load_baseline(tmp_path / "none") == baseline
    assert isinstance(load_baseline(Path("none.json")), BaselineError)
    assert not isinstance(load_baseline(Path("none.json")), NotComparedError)


def test_known_files_are_offered_in_order(tmp_path: Path, measured_baseline: Callable[..., Baseline]) -> None:
    with pytest.raises(BaselineError) as none:
        Baseline.load(tmp_path / "x.json")
    assert none.value.hint == "write one with `btlib baseline accept`"
    for name in ("zebra", "ape", "mule", "yak", "bee", "wolf", "cat"):
        measured_baseline().save(tmp_path / f"{name}.json")
    with pytest.raises(BaselineError) as far:
        Baseline.load(tmp_path / "qqq.json")
    assert far.value.hint == "known: ape, bee, cat, mule, wolf, yak, zebra"
    with pytest.raises(BaselineError) as near:
        Baseline.load(tmp_path / "zebar.json")
    assert near.value.hint == "did you mean zebra? known: ape, bee, cat, mule, wolf, yak, zebra"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (["reason"], "reason: expected text, got 3"),
        (["reason", "source"], "source: expected text, got 3 (and 1 more faults)"),
    ],
)
def test_the_first_fault_and_how_many_more(
    fields: list[str], told: str, tmp_path: Path, measured_baseline: Callable[..., Baseline]
) -> None:
    path = tmp_path / "made.json"
    measured_baseline().save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | dict.fromkeys(fields, 3)))
    with pytest.raises(BaselineError) as caught:
        Baseline.load(path)
    assert caught.value.problem == f"does not follow btlib-baseline/2: {told}"
