import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, sync_playwright

from btlib.adapters.arrays import CallablePredictor
from btlib.api.closing import close
from btlib.cases import Case, Prepared, Work
from btlib.data.dataset import Dataset
from btlib.errors import BaselineError
from btlib.explain import Explainer, Runner
from btlib.explain.study import Study
from btlib.gate import Baseline
from btlib.gate.acceptance import propose
from btlib.gate.judgement import Judgement
from btlib.protocol import Protocol, Recipe
from btlib.reporting import Comparison, Row
from btlib.reporting.comparison import result_of, values
from btlib.reporting.html import charts, small_charts, write_report
from btlib.reporting.html.entries import Entry
from btlib.reporting.html.pictures import Picture, store_pictures
from btlib.reporting.html.views import View
from btlib.runs import CaseRecord, RunInfo, RunStore, Speed, Timing
from btlib.runs.cell import Cell
from btlib.runs.execute import run_case
from btlib.runs.held_out import HeldOut
from btlib.sample_table import SampleTable
from btlib.splits import slice_seed42
from btlib.types import Predictions

from ...spreads import with_spread

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SCRIPT = "<script>alert('x')</script>"
NAMES = ("A", "B", SCRIPT, "broken")
NOTHING = Judgement(baseline=None, against=None, strict=False)
BLANK = '<svg viewBox="0 0 1 1"></svg>'
ODD = {
    "script": "<script>alert(1)</script>",
    "quotes": '"it\'s" «so»',
    "slashes": "a/b\\c/../d\\",
    "lines": "one\ntwo\r\nthree\u2028four\rfive",
    "return": "one\rtwo",
    "control": "bell\x07 null\x00 escape\x1b[31m",
    "no character": "a\uffff",
    "Chinese": "脑肿瘤分割",
    "Arabic": "ورم الدماغ 12",
    "turned": "abc\u202egpj.exe",
    "emoji": "🧠 👩\u200d⚕️",
    "marks": "e\u0301" * 20,
    "Markdown": "a|b`c` *d* _e_ [f](g) ~h~ __i__ &lt; @j #1 \\| <b>",
    "percent": "100%s %(x)d {y}",
    "formula": "$x_1$ and $\\frac{1}{2}$ $\\no$",
    "dots": "..",
    "dash": "--help",
    "underscore": "_hidden",
    "blank": " \u200b\t",
    "filler": "\u3164",
    "empty": "",
    "SVG": '#1c2127 url(#a) id="x" font-family: y; --> ]]>',
    "long": "word " * 40,
    "long, one word": "x" * 200,
    "long, of the same start and end": f"{'x' * 100}y{'x' * 99}",
}
"""What a case or a run may be called, by what is odd about it."""


def with_figure(store: RunStore, cell: Cell, figure: str, timing: Timing) -> None:
    """Add a figure of speed to the record of a cell."""
    record = store.record(cell)
    assert record is not None
    known = record.speed or Speed(case=cell.case)
    speed = known.model_copy(update={"figures": known.figures | {figure: timing}})
    store.save_record(record.model_copy(update={"speed": speed}))


class Blurs:
    """Knows the truth of a dataset, and is wrong in a way of its own for every sample and every `strength`."""

    def __init__(self, dataset: Dataset, strength: float, mask: bool, classes: bool) -> None:
        self.dataset, self.strength, self.mask, self.classes = dataset, strength, mask, classes
        self.place = {image.tobytes(): i for i, image in enumerate(dataset.images)}

    def predict(self, images: np.ndarray) -> Predictions:
        at = [self.place[image.tobytes()] for image in images]
        rng = np.random.default_rng(at)
        prob = np.clip(self.dataset.masks[at] * (1 - self.strength * rng.random((len(at), 1, 1, 1))), 0, 1)
        prob[:, :, ::3] *= 1 - self.strength
        n = len(self.dataset.task.classes) or 1
        types = np.eye(n)[self.dataset.strata[at]] * 0.7 + 0.3 / n
        return Predictions(prob if self.mask else None, types if self.classes else None)


def by_brightness(classes: int) -> CallablePredictor:
    """Classes by the mean of the sample: hiding a bright tumour changes what it says."""

    def predict(images: np.ndarray) -> Predictions:
        said = images.mean((1, 2, 3), dtype=np.float64) / 8
        rest = [(1 - 1.5 * said) / (classes - 2)] * (classes - 2)
        return Predictions(None, np.stack([said, said / 2, *rest], axis=1))

    return CallablePredictor(predict, layout="nchw")


@pytest.fixture(scope="session")
def make_run(make_dataset: Callable[..., Dataset]) -> Callable[..., Path]:
    """The folder of a run: a case with masks only, one with types only, one of both with a bad name, one that fails."""

    def prepare(dataset: Dataset, mask: bool, classes: bool, strength: float) -> Callable[[Work], Prepared]:
        def ready(work: Work) -> Prepared:
            return Prepared(Blurs(dataset, strength, mask, classes), "loaded", notes=(f"note {SCRIPT}",))

        return ready

    def crash(work: Work) -> Prepared:
        raise RuntimeError(f"out of luck {SCRIPT}\x1b[31m\x00")

    def make(
        path: Path,
        n: int = 60,
        strength: float = 0.5,
        names: tuple[str, ...] = NAMES,
        size: int = 36,  # no whole number of bytes
        explained: int = 0,
        given: Dataset | None = None,
        **info: Any,
    ) -> Path:
        dataset = make_dataset(n, size) if given is None else given
        n, size = len(dataset), dataset.image_size
        split = slice_seed42(n)
        data = HeldOut(dataset, dataset, split)
        work = Work.on(dataset, split, Protocol(image_size=size), Recipe(), 7, path / "checkpoints")
        known = {"A": (True, False), "B": (False, True)}
        folder = RunStore(path)
        usual = {"task": dataset.task, "baseline": str(path / "none.json"), "data": f"{n} samples", "seeds": [7]}
        folder.save_info(RunInfo(tier="smoke", command="pytest", started="now", cases=list(names), **(usual | info)))
        for name in names:
            mask, classes = known.get(name, (True, True))
            ready = crash if name == "broken" else prepare(dataset, mask, classes, strength * (0.9 if classes else 1))
            with pytest.MonkeyPatch.context() as patch:  # collecting garbage takes longer than all else
                patch.setattr("btlib.runs.execute.memory.release", lambda *error: None)
                run_case(Case(name, f"title of {name}", mask, classes, ready), work, "smoke", folder, data)
            if explained and classes and name != "broken":
                predictor = by_brightness(len(dataset.task.classes))
                explainer = Explainer(Runner(predictor), patch=size // 4, stride=size // 4)
                test = np.sort(split.test)
                at = test[dataset.has_structure(test)][:explained]
                Study(name, explainer, dataset, split).run(at, folder.explain_place)
        timing = Timing(images=16, seconds=[0.1, 0.1], reference_seconds=[1.0, 1.0])
        if "A" in names:
            with_figure(folder, Cell("A", 7), "inference, batch 16", timing)
        curves = folder.curves_path(Cell("A", 7))
        curves.parent.mkdir(parents=True, exist_ok=True)
        curves.write_text("epoch,train_loss,val_loss,val_dice,val_accuracy\n1,1.0,1.1,0.5,\n2,0.5,0.6,0.7,\n")
        shown = {str(dataset.ids[i]): Picture.of(dataset.images[i], dataset.masks[i]) for i in split.test}
        store_pictures(path / "pictures.npz", shown)  # as an earlier report would have: these samples have no files
        return path

    return make


def leave_undrawn(patch: pytest.MonkeyPatch) -> None:
    """Make every figure of a page blank: to draw them takes most of its time. What they are made of is still read."""
    for chart in ("forest", "boxes", "dots", "scatter"):
        patch.setattr(charts, chart, lambda *what: BLANK)
    for chart in ("confusion", "calibration", "thresholds", "learning"):
        patch.setattr(small_charts, chart, lambda *what: BLANK)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what stands beside the figures."""
    leave_undrawn(monkeypatch)


@pytest.fixture(scope="session")
def run(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four cases with some maps, held against a better one of two of them; its report is written."""
    home = tmp_path_factory.mktemp("runs")
    better = make_run(home / "better", strength=0.3, names=("A", SCRIPT))
    baseline: Baseline = with_spread(propose(better, "better", "for a test").new)
    baseline.save(home / "better.json")
    path = make_run(home / "run", explained=2, baseline=str(home / "better.json"))
    write_report(path)
    return path


@pytest.fixture(scope="session")
def html(run: Path) -> str:
    return (run / "index.html").read_text()


@pytest.fixture(scope="session")
def odd(make_run: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a case for every odd name, closed as a session is; beside it, one of a new case that stands with all."""
    home = tmp_path_factory.mktemp("odd")
    path = make_run(home / "run", n=30, names=("A", *ODD.values()))
    close(path)
    propose(path, "odd | <baseline>", "for a test").new.save(home / "odd.json")
    close(make_run(home / "new", n=30, names=("A", "new"), strength=0.4, baseline=str(home / "odd.json")))
    return path


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        told = "no Chromium on this machine: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def empty_view(tmp_path: Path, info: RunInfo) -> View:
    """A run of which nothing was read."""
    none = BaselineError("none")
    return View("run", RunStore(tmp_path / "run"), info, (), {}, None, Comparison(info, ()), NOTHING, none, ())


@pytest.fixture
def entry(empty_view: View, record: Callable[..., CaseRecord]) -> Callable[..., Entry]:
    """A case of a run in memory, a table a seed; without tables one that failed. Other fields of its row by name."""

    def make(
        case: str, *tables: SampleTable, view: View = empty_view, seeds: tuple[int, ...] = (), **row: Any
    ) -> Entry:
        pairs = zip(seeds or range(1, 1 + len(tables)), tables, strict=True)
        records = [record(case, table, seed=seed) for seed, table in pairs] or [record(case, None, "out of luck")]
        result = result_of(records)
        usual = Row(case, f"title of {case}", "pass", (), values(result), result.seeds, {}, None, 1.5, "loaded", ())
        return Entry(case, view, replace(usual, **row), result, tuple(records), None)

    return make
