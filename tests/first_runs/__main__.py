"""First runs on five kinds of data, as a newcomer does them: python -m tests.first_runs [KIND…] [--figshare FOLDER].

Each kind goes from files to first numbers, an accepted baseline and a planted loss that is found. All commands are
those of the terminal. The seconds of each step are printed; the exit code is 1 if a step does not do what it should.
"""

import argparse
import csv
import json
import os
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, update_wrapper
from pathlib import Path

from btlib.data import list_slices
from btlib.errors import BtlibError
from btlib.runs import CaseRecord, RunStore
from tests.first_runs import data, page

FAULT = ("above = smoothed(images)[:, self.channels] >", "above = smoothed(images)[:, self.channels] <")
"""Code of the starter's model, and a planted fault: dark pixels become the mask."""

ROOT = Path(__file__).parents[2]


@dataclass
class Journey:
    """A folder of a newcomer, and the seconds of what was done in it.

    Attributes:
        folder: The folder.
        total: Seconds of all steps.
    """

    folder: Path
    total: float = 0.0

    def step(self, command: str, *lines: str) -> str:
        """Run a command, whose output must have these lines (see `page.run`), and print its seconds."""
        began = time.perf_counter()
        found = page.run(command, list(lines), self.folder)
        self.timed(command, time.perf_counter() - began)
        return found

    def make(self, what: str, function: Callable[[], object]) -> None:
        """Generate files, and print the seconds."""
        began = time.perf_counter()
        function()
        self.timed(f"({what})", time.perf_counter() - began)

    def gate(self, options: str, *, headline: str = "Dice", mm: bool = False) -> list[CaseRecord]:
        """Go from first numbers to a planted loss that is found; returns the records of the first run.

        Args:
            options: Options of all runs.
            headline: The score that must stand first in the table.
            mm: Whether distances in mm must have values.
        """
        run = f"btlib run mine.py::mine --data scans {options}".strip()
        self.step("btlib init --data scans", "wrote mine.py")
        self.step("btlib check mine.py::mine --data scans", "all checks passed*")
        self.step(run, "case mine, dice: MEASURED", f"case verdict {headline} *")
        (first,) = self.folder.glob("reports/*-full")
        (of_case,) = json.loads((first / "comparison.json").read_text(encoding="utf-8"))["cases"]
        assert (of_case["values"]["dice_volume"] is not None) == (headline == "Dice per volume")
        assert (of_case["values"]["hd95_mm"] is not None) == mm, "distances in mm"
        self.step('btlib baseline accept latest --name mine --reason "first numbers"', "mine accepted into *")
        self.step(f"{run} --baseline mine", "case mine, dice: PASS")
        file = self.folder / "mine.py"
        text = file.read_text(encoding="utf-8")
        assert text.count(FAULT[0]) == 1, "the starter's model has changed: plant another fault"
        file.write_text(text.replace(*FAULT), encoding="utf-8")
        self.step(f"{run} --baseline mine", "case mine, dice: REGRESSED", "exit code 1")
        return RunStore(first).records()

    def timed(self, what: str, seconds: float) -> None:
        self.total += seconds
        print(f"{seconds:6.1f} s  {what}", flush=True)


def follow_page(journey: Journey) -> None:
    """The page docs/first-run.md: four classes, one of them without a tumour."""
    for command, seconds in page.follow(ROOT / "docs" / "first-run.md", journey.folder):
        journey.timed(command, seconds)


def figshare(journey: Journey, folder: Path) -> None:
    """Some 500 real slices as PNG, whose classes and persons are found by the masks."""
    source, every = journey.folder / "brain", max(len(list_slices(folder)) // 500, 1)
    journey.make("PNG files", lambda: data.write_figshare_copy(folder, source, every))
    journey.step("btlib data import pairs brain scans")
    with (journey.folder / "scans" / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["file_name"]: row for row in csv.DictReader(file)}
    originals = {f"images/{s.number}.png": s for s in data.some_slices(folder, every)}
    assert rows.keys() == originals.keys()
    classes = defaultdict(set)
    persons = defaultdict(set)
    for name, original in originals.items():
        classes[original.label].add(rows[name]["label"])
        persons[original.patient].add(rows[name]["patient"])
    assert sorted(map(len, classes.values())) == [1, 1, 1], "each label is one class"
    assert "" not in set().union(*persons.values())
    if None not in persons:
        assert max(map(len, persons.values())) == 1, "each patient of the files is one person"
        assert len(set().union(*persons.values())) > 0.8 * len(persons), "few patients are one person"
    journey.gate("--image-size 128 --folds patient-5fold")


def four_classes(journey: Journey) -> None:
    """Four classes, one of which is "no tumour" and has empty masks."""
    journey.step("btlib data phantom pictures --slices 240 --png --seed 3")
    rules = r"--label folder --patient 'PH\d+' --blank-mask empty"
    journey.step(f"btlib data import pairs pictures scans {rules}", "Note: 60 images have no mask, which means: empty")
    records = journey.gate("--image-size 128 --folds patient-5fold")
    assert {len(record.conditions.task.classes) for record in records} == {4}
    assert sum(record.samples.n for record in records if record.samples) == 240


def nifti(journey: Journey) -> None:
    """NIfTI volumes: Dice per volume comes first, and distances are in mm."""
    journey.make("volumes", lambda: data.write_nifti(journey.folder / "source"))
    journey.step("btlib data import nifti source scans")
    _of_volumes(journey)


def dicom(journey: Journey) -> None:
    """DICOM series."""
    journey.make("series", lambda: data.write_dicom(journey.folder / "source"))
    journey.step("btlib data import dicom source scans --blank-mask empty")
    _of_volumes(journey)


def nnunet(journey: Journey) -> None:
    """Raw data of nnU-Net with two structures and two channels."""
    journey.make("volumes", lambda: data.write_nnunet(journey.folder / "source"))
    journey.step("btlib data import nnunet source scans")
    task = _of_volumes(journey)[0].conditions.task
    assert (task.channels, task.structures) == (("T1", "FLAIR"), ("rim", "core"))


def _of_volumes(journey: Journey) -> list[CaseRecord]:
    return journey.gate("--image-size 96 --folds patient-5fold", headline="Dice per volume", mm=True)


KINDS: dict[str, Callable[[Journey], None]] = {
    "page": follow_page,
    "four-classes": four_classes,
    "nifti": nifti,
    "dicom": dicom,
    "nnunet": nnunet,
}


def main() -> int:
    """Run the kinds that the user names; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"{', '.join([*KINDS, 'figshare'])}; default: all")
    parser.add_argument("--figshare", type=Path, default=ROOT / "data_figshare" / "data", help="folder of real slices")
    given = parser.parse_args()
    kinds = dict(KINDS)
    try:
        list_slices(given.figshare)
        kinds["figshare"] = update_wrapper(partial(figshare, folder=given.figshare), figshare)
    except BtlibError:
        print(f"figshare: left out, because there are no real slices in {given.figshare}")
    asked = given.kinds or list(kinds)
    if unknown := sorted({*asked} - {*kinds}):
        parser.error(f"unknown or left out: {', '.join(unknown)}")
    failed = [name for name in asked if not _done(name, kinds[name])]
    print(f"failed: {', '.join(failed)}" if failed else f"{len(asked)} first runs: each loss was found")
    return bool(failed)


def _done(name: str, kind: Callable[[Journey], None]) -> bool:
    """Do a first run in a new folder with a cache of its own, and print what fails."""
    print(f"\n== {name}: {(kind.__doc__ or '').splitlines()[0]}", flush=True)
    with tempfile.TemporaryDirectory() as place:
        os.environ["BTLIB_CACHE"] = f"{place}/cache"
        journey = Journey(Path(place) / "empty")
        journey.folder.mkdir()
        try:
            kind(journey)
        except (AssertionError, page.PageError, BtlibError, OSError, ValueError):
            traceback.print_exc(file=sys.stdout)
            return False
    print(f"{journey.total:6.1f} s  in all", flush=True)
    return True


if __name__ == "__main__":
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    sys.exit(main())
