"""Names of any script, length or control characters: files are written, reports are made, and nothing is run."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from btlib.cases import Case, Prepared, Work
from btlib.data.dataset import Dataset
from btlib.data.sources.tasks import PHANTOM
from btlib.errors import BtlibError
from btlib.gate.loading import NONE, load_baseline
from btlib.protocol import Protocol, Recipe
from btlib.reporting import write_comparison, write_significance
from btlib.reporting.html import write_report
from btlib.runs import RunInfo, RunStore
from btlib.runs.cell import Cell
from btlib.runs.execute import run_case
from btlib.runs.held_out import HeldOut as Held
from btlib.runs.results import as_results
from btlib.splits import slice_seed42
from btlib.types import Predictions

from ..judged import judged

NAMES = [
    *("模型 نموذج דגם", "é" * 300, "a" * 5000, "../../etc/passwd", "/absolute", "C:\\nul", "con", ".", "..", "-rf"),
    *("<script>alert(1)</script>", "</title>&amp;\"'", "=cmd|' /C calc'!A0", "@SUM(A1)", "[red]x[/red]"),
    *("{{7*7}}", "${x}", "a\nb\r\nc\td", "\x1b[31mred\x07", "nul\0byte", "\u202eright to left", "\u2028line"),
    *("zero\u200bwidth", "\x7f\x80\x9f", "|pipe|`code`", "100%", "emoji 🧠👩🏽‍⚕️", "\ufeffbom", "a" * 119 + "~", " "),
]


class Noise:
    def predict(self, images: np.ndarray) -> Predictions:
        return Predictions(images[:, 0], np.tile([0.5, 0.25, 0.25], (len(images), 1)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, make_dataset: Callable[..., Dataset]) -> RunStore:
    """A run of a case of each name, whose patients are called so, too."""
    place = tmp_path_factory.mktemp("names")
    data = make_dataset(48)
    data = replace(data, images=data.images / 8, patients=tuple(NAMES[i % len(NAMES)] for i in range(48)))
    split = slice_seed42(48)
    work = Work.on(data, split, Protocol(image_size=32), Recipe(), 7, place / "checkpoints")
    folder = RunStore(place / "run")
    info = RunInfo(tier="smoke", command="pytest", baseline="none", task=PHANTOM, data="d", started="now", cases=NAMES)
    folder.save_info(info.model_copy(update={"seeds": [7]}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("btlib.runs.execute.code_of", lambda case: None)
        for name in NAMES:
            case = Case(name, f"title of {name}", True, True, lambda w: Prepared(Noise(), "given"))
            run_case(case, work, "smoke", folder, Held(data, data, split))
    return folder


def test_every_record_is_found_under_its_own_name(run: RunStore):
    assert sorted(record.case for record in run.records()) == sorted(NAMES)
    assert run.lost() == {}
    inside = run.path.resolve()
    assert all(path.resolve().is_relative_to(inside) for path in run.path.rglob("*"))


@pytest.mark.nightly
def test_reports_are_made_and_no_name_gets_out_of_its_place(run: RunStore):
    info, records = run.info(), run.records()
    write_comparison(judged(info, records, {}, load_baseline(NONE)), run.path)
    write_significance(as_results(records)[:4], run.path)
    page = write_report(run.path).read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "\x1b" not in page
    for name in ("comparison.json", "report.json", "significance.json"):
        json.loads((run.path / name).read_text(encoding="utf-8"))
    frame = pd.read_csv(run.path / "comparison.csv", keep_default_na=False)
    assert len(frame) == len(NAMES)
    assert not [cell for cell in frame["case"] if str(cell)[:1] in "=@+-\t\r\n"]
    for path in run.path.rglob("*.md"):
        assert "\x1b" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("texts", [("half \udce9", "title"), ("X", "half \udce9")])
def test_a_name_that_no_file_can_hold_is_refused(texts: tuple[str, str]):
    """Half a character, as Python makes it of the name of a file that is no UTF-8."""
    with pytest.raises(BtlibError, match=r"half \\udce9.*UTF-8"):
        Case(*texts, True, True, lambda w: Prepared(Noise(), "given"))


def test_a_folder_of_any_name_holds_a_run(run: RunStore, tmp_path: Path):
    for name in ("模型 نموذج", "a b%20c", "[b]", "-x"):
        copy = RunStore(tmp_path / name)
        record = run.records()[0]
        record.save(copy.record_path(Cell(record.case, record.seed)))
        assert len(copy.records()) == 1
