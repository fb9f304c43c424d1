"""One file that several processes write, and that may be damaged."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from btlib import Baseline, files
from btlib.gate.judgement import Judgement, judge_case, judge_run
from btlib.reporting.html.views import view
from btlib.runs import RunStore
from tests.gate.judgement.steps import (
    SEEDS,
    Counted,
    Make,
    Table,
    change,
    inform,
    kept,
)


@pytest.mark.parametrize("how", ["case", "run"])
def test_the_file_is_read_and_written_under_its_lock(
    how: str, store: RunStore, baseline: Baseline, is_locked: Callable[[Path], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = store.path / "judgement.json.lock"
    seen: list[tuple[str, bool]] = []
    save, load = Judgement.save, Judgement.load.__func__  # type: ignore[attr-defined]

    def saved(self: Judgement, path: Path) -> None:
        seen.append(("save", is_locked(lock)))
        save(self, path)

    def loaded(cls: type[Judgement], path: Path) -> Judgement:
        seen.append(("load", is_locked(lock)))
        return load(cls, path)  # type: ignore[no-any-return]

    monkeypatch.setattr(Judgement, "save", saved)
    monkeypatch.setattr(Judgement, "load", classmethod(loaded))
    if how == "case":
        judge_case(store, "Y", baseline)
        judge_case(store, "X", baseline)
    else:
        judge_run(store, baseline)
        change(store, "X", 1, seconds=2.0)
        judge_run(store, baseline)
    assert seen == [("save", True), ("load", True), ("save", True)]
    assert not is_locked(lock)


def test_no_verdict_of_another_writer_is_lost(
    store: RunStore, baseline: Baseline, judged: Counted, record: Make, make_table: Table
) -> None:
    cases = [*"XYN", *(f"more{k}" for k in range(5))]
    inform(store, cases=cases)
    for case in cases[3:]:
        for seed in SEEDS:
            store.save_record(record(case, make_table(wrong=4), seed))
    together = Barrier(len(cases))

    def judge_one(case: str) -> Any:
        together.wait()
        return judge_case(store, case, baseline)

    with ThreadPoolExecutor(len(cases)) as pool:
        made = dict(zip(cases, pool.map(judge_one, cases), strict=True))
    assert kept(store).cases == made
    assert list(kept(store).cases) == sorted(cases)
    assert judged == dict.fromkeys(cases, 1)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def better(content: bytes) -> bytes:
    """Someone wrote a better word into it."""
    assert b"regressed" in content
    return content.replace(b"regressed", b"improved")


def of_later(content: bytes) -> bytes:
    value = {key: field for key, field in json.loads(content).items() if key not in ("digest", "sealed")}
    return json.dumps(files.sealed(value | {"schema": "btlib-judgement/2"})).encode()


DAMAGE: Mapping[str, Callable[[bytes], bytes]] = {
    "cut short": cut,
    "empty": lambda content: b"",
    "other bytes": lambda content: bytes(range(256)),
    "a list": lambda content: b"[]",
    "changed by hand": better,
    "of a later version": of_later,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_is_made_anew(how: str, store: RunStore, baseline: Baseline, judged: Counted) -> None:
    whole = judge_run(store, baseline)
    path = store.path / "judgement.json"
    content = path.read_bytes()
    path.write_bytes(DAMAGE[how](content))
    assert view(store.path).judgement == whole
    assert path.read_bytes() == DAMAGE[how](content), "looking at a run changes nothing"
    assert judge_case(store, "Y", baseline) == whole.cases["Y"]
    assert judge_run(store, baseline) == kept(store) == whole
    assert judged == {"X": 3, "Y": 3, "N": 3}
