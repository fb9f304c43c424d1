"""Reports of tasks that are not btlib's own: they name the task's classes and structures, and no others."""

import json
import re
from collections.abc import Callable, Sequence
from html import escape
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from btlib.api.closing import close
from btlib.csv_text import inert
from btlib.data.dataset import Dataset
from btlib.data.task import Task
from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.catalogue import METRICS
from btlib.gate import Baseline
from btlib.gate.acceptance import propose
from btlib.reporting.html.write import write_page
from btlib.reporting.names import in_markdown
from btlib.runs import CaseRecord, RunStore
from btlib.sample_table import SampleTable

from ...spreads import with_spread
from ..cells import rows
from .reader import Reader, unreadable

Make = Callable[..., Path]
FOREIGN = re.compile("meningioma|glioma|pituitary|tumou?r|figshare", re.IGNORECASE)
CLASSES = ("no finding", "_cyst", "abscess <b>", "clot $x_1$")
STRUCTURES = ("core", "rim | <b>halo")
KNEES = Task(
    name="knees", classes=CLASSES, structures=STRUCTURES, channels=("T1", "T2"), licence="CC0", citation="doi x"
)
ODD = ("../a/b#", "é 脑 ", "=1+", "<i>7</i>", "a, 'b' \"c\" ", "100%s {x} ", "007 ", "-rf \\")
UNDEFINED = ("sensitivity", "precision", "hd95", "surface_dice_1px", "surface_dice_2px")
"""Metrics without a value where both masks are empty."""


def dataset(task: Task, n: int = 60, size: int = 24) -> Dataset:
    """Squares of noise. The first class has nothing in it, the second only the first structure."""
    rng = np.random.default_rng(3)
    labels = np.arange(n, dtype=np.int64) % 4
    images = rng.random((n, len(task.channels), size, size), dtype=np.float32)
    masks = np.zeros((n, len(task.structures), size, size), dtype=bool)
    for i, label in enumerate(labels):
        for k in range(min(int(label), len(task.structures))):
            top, left = rng.integers(0, size - 9, 2)
            masks[i, k, top : top + 6 + k, left : left + 9 - k] = True
        images[i, :, masks[i].any(axis=0)] += 4
    return Dataset(
        task=task,
        images=images,
        masks=masks,
        labels=labels if task.classes else None,
        ids=np.array([f"{odd}{i}" for i, odd in enumerate(islice(cycle(ODD), n))]),
        patients=tuple(f"P{i // 2}" for i in range(n)),
        scaling="percentile",
        image_size=size,
    )


@pytest.fixture(scope="module")
def run(make_run: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four cases, closed as a session is, against a better one of two of them."""
    home, data = tmp_path_factory.mktemp("knees"), dataset(KNEES)
    first = make_run(home / "better", strength=0.2, names=("A", "C"), given=data)
    better: Baseline = with_spread(propose(first, "b", "a test").new)
    better.save(home / "b.json")
    path = make_run(
        home / "run", names=("A", "B", "C", "broken"), given=data, explained=3, baseline=str(home / "b.json")
    )
    close(path)
    return path


@pytest.fixture(scope="module")
def records(run: Path) -> dict[str, CaseRecord]:
    return {record.case: record for record in RunStore(run).records()}


@pytest.fixture(scope="module")
def page(run: Path) -> Reader:
    return Reader((run / "index.html").read_text())


def table_of(record: CaseRecord) -> SampleTable:
    assert record.samples is not None
    return record.samples


def empty(table: SampleTable, structures: Sequence[str] = STRUCTURES) -> np.ndarray:
    """Which samples have no pixel in either mask of any of some structures."""
    return np.all([table.of_structure(name).overlap()[k] == 0 for name in structures for k in (1, 2)], axis=(0, 2))


def csv(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"id": str})


def text_of(reader: Reader, section: str) -> str:
    return " ".join(reader.text[section].split())


def test_the_run_has_what_is_to_be_shown(run: Path, records: dict[str, CaseRecord]):
    table = table_of(records["C"])
    assert set(table.labels.tolist()) == {0, 1, 2, 3}
    assert 0 < empty(table).sum() < empty(table, STRUCTURES[1:]).sum() < table.n
    assert len({name.rstrip("0123456789") for name in table.id}) > 4
    assert {path.name for path in run.iterdir()} >= {
        *("comparison.md", "comparison.json", "comparison.csv", "significance.md", "summary.md", "index.html"),
        *("report.json", "per_sample.csv", "figures"),
    }


def test_no_word_of_another_task(run: Path):
    """In nothing that is written of it, records and figures included."""
    texts = {
        path: path.read_text() for path in run.rglob("*") if path.suffix in (".md", ".json", ".csv", ".html", ".svg")
    }
    assert len(texts) > 20
    assert {path.name: found for path, text in texts.items() if (found := FOREIGN.findall(text))} == {}
    for name in ("index.html", "comparison.md", "summary.md"):
        assert unreadable((run / name).read_text()) == set()


def test_the_comparison_for_readers(run: Path, records: dict[str, CaseRecord]):
    text = (run / "comparison.md").read_text()
    assert "PHANTOM" not in text
    found = {row["case"].split()[0]: row for row in rows(text.partition("## Gate")[0].replace(r"\|", "¦"))}
    for case in "AC":
        table = table_of(records[case])
        assert found[case]["Dice"] == f"{per_sample(table, 'dice').mean():.4f}"
        for structure in STRUCTURES:
            wanted = f"{METRICS[f'dice/{structure}'].of(table).mean():.4f}"
            assert found[case][f"Dice, {in_markdown(structure)}".replace(r"\|", "¦")] == wanted
        known = per_sample(table, "hd95")
        assert found[case]["HD95 [px]"] == f"{known[~empty(table)].mean():.1f}"
        assert f"- **{case}**: HD95: {empty(table).sum()} of 12 samples have no value and are not in the mean" in text
    assert {found[case]["Dice"] for case in ("B", "broken")} == {"–"}
    assert "regressed" in found["A"]["verdict"], "held against the baseline, whose figures are of the same samples"


def test_the_comparison_for_programs(run: Path, records: dict[str, CaseRecord]):
    value = json.loads((run / "comparison.json").read_text())
    assert value["run"]["task"] == KNEES.model_dump(mode="json")
    frame = pd.read_csv(run / "comparison.csv").set_index("case")
    by_case = {row["case"]: row["values"] for row in value["cases"]}
    table = table_of(records["C"])
    names = [f"{metric}/{structure}" for metric in ("dice", "iou", "hd95", "precision") for structure in STRUCTURES]
    for name in ("dice", "hd95", *names):
        wanted = np.nanmean(METRICS[name].of(table))
        assert by_case["C"][name] == pytest.approx(wanted)
        assert frame.loc["C", name] == pytest.approx(wanted)
    assert by_case["C"]["dice/core"] != by_case["C"][f"dice/{STRUCTURES[1]}"]
    assert not [name for name in by_case["B"] if "/" in name], "it has no masks"
    assert by_case["B"]["dice"] is None


def test_what_has_no_value_is_counted(run: Path, records: dict[str, CaseRecord]):
    """In the twin of the page, for all structures and for each."""
    cases = {case["case"]: case for case in json.loads((run / "report.json").read_text())["cases"]}
    summary, table = cases["A"]["seeds"][0]["summary"], table_of(records["A"])
    assert summary["dice"]["undefined"] == summary["iou"]["undefined"] == 0
    assert [summary[metric]["undefined"] for metric in UNDEFINED] == [empty(table).sum()] * len(UNDEFINED)
    for structure in STRUCTURES:
        nothing = empty(table, [structure])
        assert summary[f"hd95/{structure}"]["undefined"] == nothing.sum()
        values = METRICS[f"hd95/{structure}"].of(table)
        assert summary[f"hd95/{structure}"]["slice_mean"] == pytest.approx(values[~nothing].mean())
    assert set(summary["dice"]["by_class"]) == set(CLASSES)
    assert summary["dice"]["by_class"]["no finding"] == 1, "nothing is there, and nothing was found"
    assert summary["hd95"]["by_class"]["no finding"] is None
    assert set(cases["C"]["seeds"][0]["summary"]["per_class"]) == set(CLASSES)
    shown = [sample["id"] for sample in cases["C"]["samples"]]
    assert len(shown) > 6
    assert set(shown) <= set(table.id)


def test_the_table_of_samples(run: Path, records: dict[str, CaseRecord]):
    frame = csv(run / "per_sample.csv")
    assert list(dict.fromkeys(frame["case"])) == ["A", "B", "C"]
    for case in "AC":
        table, ours = table_of(records[case]), frame[frame["case"] == case]
        assert ours["id"].tolist() == [inert(name) for name in table.id]
        assert ours["label"].tolist() == [CLASSES[k] for k in table.labels]
        for structure in STRUCTURES:
            for measure in ("truth_area", "intersection", "pred_area", "hd95"):
                wanted = table.of_structure(structure).measure(measure)[:, 0]
                np.testing.assert_allclose(ours[f"{structure}/{measure}"], wanted)
            for metric in ("dice", "iou", "sensitivity", "precision", "miss_rate"):
                np.testing.assert_allclose(ours[f"{metric}/{structure}"], METRICS[f"{metric}/{structure}"].of(table))
        np.testing.assert_allclose(ours["dice"], np.mean([ours[f"dice/{name}"] for name in STRUCTURES], axis=0))
        assert ours["core/hd95"].isna().sum() == empty(table, ["core"]).sum() > 0
    classes = frame[frame["case"] == "B"]
    assert classes["predicted"].tolist() == [CLASSES[k] for k in table_of(records["B"]).predicted()]
    assert classes["dice"].isna().all()
    np.testing.assert_allclose(classes[[f"probability/{name}" for name in CLASSES]].sum(axis=1), 1)


def test_the_summary(run: Path, records: dict[str, CaseRecord]):
    text = (run / "summary.md").read_text()
    found = {row["case"].split()[0]: row for row in rows(text)}
    assert found.keys() == records.keys()
    assert found["C"]["Dice"].startswith(f"{per_sample(table_of(records['C']), 'dice').mean():.4f} (")
    assert "PHANTOM" not in text


def test_the_page_says_what_was_asked(page: Reader):
    origin = text_of(page, "origin")
    assert "The samples are from knees, CC0, doi x." in origin
    assert "phantom" not in " ".join(page.text.values()).lower()
    for words in (f"classes{', '.join(CLASSES)}", f"structures{', '.join(STRUCTURES)}", "channelsT1, T2", "taskknees"):
        assert words in origin


def test_the_table_of_the_page_has_a_column_for_each_structure(page: Reader, records: dict[str, CaseRecord]):
    head, *_ = page.tables["cases"]
    titles = ["Dice", *(f"Dice, {name}" for name in STRUCTURES)]
    assert [" ".join(cell.split()) for cell in head][2:5] == titles
    cells = page.row("cases", "C title of C")[2:5]
    for cell, metric in zip(cells, ("dice", *(f"dice/{name}" for name in STRUCTURES)), strict=True):
        assert f"{METRICS[metric].of(table_of(records['C'])).mean():.4f}" in cell


def test_the_figures_have_every_class(run: Path):
    """Also a fourth one, and one whose name matplotlib would take for none of a legend's, or for mathematics."""

    def texts(name: str) -> list[str]:
        return re.findall(r"<text[^>]*>([^<]*)</text>", (run / "figures" / f"{name}.svg").read_text())

    escaped = [name.replace("<", "&lt;").replace(">", "&gt;") for name in CLASSES]
    for figure in ("dice-by-class", "confusion-B", "confusion-C"):
        assert [name for name in escaped if name not in texts(figure)] == [], figure
    page = (run / "index.html").read_text()
    counts = np.bincount(dataset(KNEES).labels[_test(run)], minlength=4)
    caption = ", ".join(f"{n} {name}" for n, name in zip(counts, escaped, strict=True))
    assert f"<figcaption>{caption}; 12 samples.</figcaption>" in page
    assert "n = 12" in texts("samples-dice")
    known = 12 - counts[0]
    assert f"n = {known}" in texts("samples-hd95"), "samples without a value are no points"


def _test(run: Path) -> np.ndarray:
    """Positions of the test samples in the data set."""
    ids = table_of(RunStore(run).records()[0]).id
    return np.array([int(re.search(r"\d+$", name)[0]) for name in ids])  # type: ignore[index]


def test_the_gallery(page: Reader, records: dict[str, CaseRecord]):
    """Contours of every structure, under ids of any characters; one without a mask has an empty contour."""
    text, table = text_of(page, "gallery"), table_of(records["C"])
    tiles = {(a["id"] or ""): a for tag, a in page.tags if tag == "li" and "data-kinds" in a}
    assert len(tiles) == len(set(tiles)) > 12
    assert {tile["data-case"] for tile in tiles.values()} == {"A", "B", "C"}
    links = {a["href"] for tag, a in page.tags if tag == "a" and a.get("class") == "look"}
    assert links == {f"#{name}" for name in tiles}
    assert all(re.fullmatch(r"sample-[ABC]-[-0-9A-Za-z]+", name) for name in tiles)
    labels = {a.get("aria-label") for tag, a in page.tags if tag == "svg"}
    shown = [name for name in table.id if f"Sample {name} with contours" in labels]
    assert len(shown) > 6
    assert {name.rstrip("0123456789") for name in shown} & {"../a/b#", "<i>7</i>", "=1+", "a, 'b' \"c\" "}
    paths = [a["d"] or "" for tag, a in page.tags if tag == "path" and a.get("class") == "truth"]
    assert {path.count("M") for path in paths} >= {1, 2}
    worst = table.id[int(np.argmin(per_sample(table, "dice")))]
    assert f"C sample {' '.join(worst.split())} {per_sample(table, 'dice').min():.3f} Dice" in text
    assert "% of the positive relevance is inside the true mask (core, rim | <b>halo);" in text
    for name in CLASSES:
        assert name in text


def test_what_the_maps_say(page: Reader):
    assert "Relevance maps of the explained samples, compared with the true masks." in text_of(page, "explained")
    assert "B hidden with zero" in text_of(page, "explained")


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("kept", "name", "told"),
    [
        ({"structures": STRUCTURES}, "A", "No case predicts classes."),
        ({"classes": CLASSES}, "B", "No case has masks."),
    ],
    ids=["structures only", "classes only"],
)
def test_a_task_of_one_kind(make_run: Make, tmp_path: Path, kept: dict[str, Any], name: str, told: str):
    """Without classes there are no labels to show, and no groups by class; without structures there are no sizes."""
    path = make_run(tmp_path / "run", names=(name,), given=dataset(Task(name="one kind", **kept)))
    assert [record.error for record in RunStore(path).records()] == [None]
    close(path)
    page = Reader((path / "index.html").read_text())
    assert told in " ".join(page.text.values())
    assert ("classes–" in text_of(page, "origin")) == ("classes" not in kept)
    assert ("structures–" in text_of(page, "origin")) == ("structures" not in kept)
    frame = csv(path / "per_sample.csv")
    assert len(frame) == 12
    assert {"label", "predicted"} <= set(frame) if "classes" in kept else not {"label", "predicted"} & set(frame)
    assert ("size" in frame) == ("structures" in kept)
    figures = {figure.stem for figure in (path / "figures").iterdir()}
    assert ("dice-by-size" in figures) == ("structures" in kept)
    assert "dice-by-class" not in figures
    value = json.loads((path / "report.json").read_text())["cases"][0]
    assert value["means"].keys() == (
        {"accuracy"} if "classes" in kept else {"dice", "hd95", *(f"dice/{name}" for name in STRUCTURES)}
    )
    if "structures" in kept:
        assert text_of(page, "gallery").count("this case predicts no classes") > 6
        assert "; the case" not in text_of(page, "gallery")


def test_runs_of_two_tasks_side_by_side(run: Path, make_run: Make, tmp_path: Path):
    """Their classes stand beside each other; a case has no mark in a class that its task does not know."""
    other = KNEES.model_copy(update={"name": "hips", "classes": ("left", "right", "both", "neither")})
    path = make_run(tmp_path / "hips", names=("A",), given=dataset(other))
    text = write_page([run, path], tmp_path / "both.html").read_text()
    assert all(name in text for name in (*map(escape, KNEES.classes), "left", "right"))
