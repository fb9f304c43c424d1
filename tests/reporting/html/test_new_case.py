"""What a case is compared with: every case of the baseline beside a new one, and numbers in every verdict's card."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from btlib.api.closing import close
from btlib.cli import app
from btlib.evaluation.aggregate import per_sample
from btlib.evaluation.catalogue import METRICS
from btlib.gate import Baseline
from btlib.gate.acceptance import propose
from btlib.gate.baseline_case import BaselineCase
from btlib.reporting.html import write_page, write_report
from btlib.runs import RunStore

from ...spreads import with_spread
from ..tables import with_measures
from .conftest import SCRIPT, leave_undrawn
from .reader import Reader

Make = Callable[..., Path]
KNOWN = ("A", "B", "both", "other")


def published(baseline: Baseline) -> Baseline:
    """The same figures without numbers by sample."""
    cases = {name: case.model_copy(update={"runs": []}) for name, case in baseline.cases.items()}
    return baseline.model_copy(update={"kind": "published", "cases": cases})


@pytest.fixture(scope="module")
def homes(make_run: Make, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One new case, closed as a session closes it, against a measured baseline, a published one, another size, none."""
    home = tmp_path_factory.mktemp("homes")
    known = make_run(home / "known", names=KNOWN, strength=0.3)
    measured: Baseline = with_spread(propose(known, "known", "for a test").new)
    other = measured.conditions.model_copy(update={"image_size": 64})
    baselines = {
        "measured": measured,
        "published": published(measured),
        "not comparable": measured.model_copy(update={"conditions": other}),
    }
    new = make_run(home / "new", names=("new",))
    for name in (*baselines, "none"):
        folder = RunStore(shutil.copytree(new, home / name))
        if name in baselines:
            baselines[name].save(home / f"{name}.json")
        at = str(home / f"{name}.json") if name in baselines else "none"
        folder.save_info(folder.info().model_copy(update={"baseline": at}))
        with pytest.MonkeyPatch.context() as patch:
            if name != "measured":
                leave_undrawn(patch)
            close(folder.path)
    return {name: home / name for name in (*baselines, "none")}


@pytest.fixture(scope="module")
def pages(homes: dict[str, Path]) -> dict[str, Reader]:
    return {name: Reader((home / "index.html").read_text()) for name, home in homes.items()}


@pytest.mark.parametrize("kind", ["measured", "published"])
def test_every_case_of_the_baseline_has_a_row(homes: dict[str, Path], pages: dict[str, Reader], kind: str):
    page, baseline = pages[kind], Baseline.load(homes[kind].with_suffix(".json"))
    assert [row[0].split()[0] for row in page.tables["cases"][1:]] == ["new", *KNOWN]
    for name in KNOWN:
        row = page.row("cases", f"{name} title of {name}; from baseline known, not measured in this run", "reference")
        figures = [f"{f.value:.4f}" for f in baseline.cases[name].figures if f.margin is not None]
        assert figures
        assert set(figures) <= set(row), name
    wanted = [(name, m) for m in ("dice", "accuracy") for name in KNOWN if m in baseline.gated(name)]
    assert [(row[1].split()[0], row[2].lower()) for row in page.tables["rankings"][1:]] == wanted
    assert len(wanted) == 6


@pytest.mark.parametrize("kind", ["measured", "published"])
def test_the_page_says_what_the_terminal_and_the_markdown_say(
    homes: dict[str, Path], pages: dict[str, Reader], kind: str
):
    text = (homes[kind] / "comparison.md").read_text()
    for row in pages[kind].tables["rankings"][1:]:
        found = [line for line in text.splitlines() if line.startswith("| new ") and row[7] in line]
        assert any(re.search(rf"\| {row[1].split()[0]} +\|", line) and row[4] in line for line in found), row
    for name in KNOWN:
        assert re.search(rf"^\| {name} title of {name} +\| reference", text, re.MULTILINE)


def test_every_difference_to_a_reference_is_drawn(pages: dict[str, Reader], homes: dict[str, Path]):
    svg = (homes["measured"] / "figures" / "difference-dice.svg").read_text()
    assert [f"new vs. {name}" in svg for name in KNOWN] == [True, False, True, True]  # B has no masks


@pytest.mark.usefixtures("undrawn")
def test_a_case_of_both_runs_is_a_reference_once(homes: dict[str, Path], tmp_path: Path):
    page = Reader(write_page([homes["measured"], homes["published"]], tmp_path / "x.html").read_text())
    marked = [row[0] for row in page.tables["cases"][1:] if row[1] == "reference"]
    assert [name.split()[0] for name in marked] == list(KNOWN)


NUMBERS = r"Dice 0\.\d{4}; reference both 0\.\d{4}; difference [+-]0\.\d{4}, 95 % interval [+-]0\.\d{4} … [+-]0\.\d{4} "


def test_the_card_of_a_new_case_has_its_numbers_and_its_reference(homes: dict[str, Path], pages: dict[str, Reader]):
    value = f"{per_sample(RunStore(homes['measured']).records()[0].samples, 'dice').mean():.4f}"
    for kind, method in (("measured", "paired by patient"), ("published", "unpaired, by patient")):
        numbers = NUMBERS.replace("both", "(A|both|other)") + rf"\({method}, over trainings\); margin 0\.02"
        card = pages[kind].card("new", f"Dice {value}")
        assert re.search(numbers, card), card


def test_the_card_of_what_is_only_measured_has_the_value(homes: dict[str, Path], pages: dict[str, Reader]):
    record = RunStore(homes["none"]).records()[0]
    card = pages["none"].card("measured", "new")
    for metric, values in (("Dice", per_sample(record.samples, "dice")), ("accuracy", record.samples.correct())):
        assert f"{metric} {values.mean():.4f}" in card
    assert "difference" not in card
    assert [row[0].split()[0] for row in pages["none"].tables["cases"][1:]] == ["new"]


def test_the_card_of_what_cannot_be_compared_has_value_and_reason(homes: dict[str, Path], pages: dict[str, Reader]):
    record = RunStore(homes["not comparable"]).records()[0]
    card = pages["not comparable"].card("not-comparable", "new")
    assert f"Dice {per_sample(record.samples, 'dice').mean():.4f}; reference" in card
    assert "image_size: measured 36, baseline 64" in card
    assert {row[9] for row in pages["not comparable"].tables["rankings"][1:]} == {"–"}, "no rank without comparison"
    assert (
        f"| {per_sample(record.samples, 'dice').mean():.4f} " in (homes["not comparable"] / "comparison.md").read_text()
    )


def test_every_verdict_of_a_known_case_is_in_a_card(run: Path, html: str):
    page, baseline = Reader(html), Baseline.load(run.parent / "better.json")
    compared = r"difference [+-]0\.\d{4}, 95 % interval \S+ … \S+ \(paired by patient, over trainings\); margin 0\.02"
    known = (("A", "dice", "regressed"), (SCRIPT, "dice", "suspect"), (SCRIPT, "accuracy", "pass"))
    for case, metric, status in known:
        figure = baseline.figure(case, metric)
        assert figure is not None
        numbers = rf"{METRICS[metric].title} [01]\.\d{{4}}; baseline {figure.value:.4f}; {compared}"
        assert re.search(f"{re.escape(case)} {numbers}", page.card(f"{status} {case}")), case
    assert "broken Dice: no value" in page.card("error", "out of luck")


def outputs(home: Path, *commands: list[str]) -> dict[str, str]:
    """All text that is written of a run, and what some commands print."""
    told = {path.name: path.read_text() for path in home.rglob("*") if path.suffix in (".md", ".html", ".svg")}
    for command in commands:
        told[" ".join(command[:1])] = CliRunner().invoke(app, command).stdout
    return told


@pytest.mark.parametrize("kind", ["measured", "published"])
def test_pairing_is_claimed_only_where_it_is(homes: dict[str, Path], kind: str):
    home = homes[kind]
    baseline = str(home.with_suffix(".json"))
    told = outputs(home, ["compare", baseline, str(home)], ["show", baseline, str(home)])
    told["terminal"] = "\n".join(close(home).lines)
    said = {name for name, text in told.items() if re.search(r"same\s+samples|(?<!un)paired by", text, re.IGNORECASE)}
    assert {"index.html", "comparison.md", "compare"} <= told.keys()
    if kind == "measured":
        assert said >= {"index.html", "comparison.md", "compare"}
    else:
        assert said == set()
        assert all("unpaired" in told[name].lower() for name in ("index.html", "comparison.md", "compare"))


def of_other_tumours(case: BaselineCase) -> BaselineCase:
    """The same ids with other tumours, whose figures are for reading only."""
    figures = [figure.model_copy(update={"margin": None}) for figure in case.figures]
    tables = [with_measures(run.samples, truth_area=(run.samples.truth_area[:, 0] + 1).tolist()) for run in case.runs]
    runs = [run.model_copy(update={"samples": table}) for run, table in zip(case.runs, tables, strict=True)]
    return case.model_copy(update={"figures": figures, "runs": runs})


@pytest.mark.usefixtures("undrawn")
def test_slices_of_another_data_set_are_no_change(run: Path, tmp_path: Path):
    folder = RunStore(shutil.copytree(run, tmp_path / "run"))
    baseline = Baseline.load(run.parent / "better.json")
    cases = {name: of_other_tumours(case) for name, case in baseline.cases.items()}
    baseline.model_copy(update={"cases": cases}).save(tmp_path / "other.json")
    folder.save_info(folder.info().model_copy(update={"baseline": str(tmp_path / "other.json")}))
    page = Reader(write_report(folder.path).read_text())
    assert "has no figure with a margin" in page.card("A Dice", "missing-baseline")
    tiles = [a for tag, a in page.tags if tag == "li" and "data-kinds" in a]
    assert tiles
    assert not any("changed" in (tile["data-kinds"] or "") for tile in tiles)
