"""Export of samples and their split: raw data of nnU-Net, and data lists of MONAI."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from btlib.data.dataset import Dataset
from btlib.data.exports.cases import PARTS, Case, Plan, cases_of, plan_of, write_cases_files
from btlib.data.layouts.cases_file import write_cases
from btlib.data.source import DatasetSource
from btlib.data.task import Task
from btlib.errors import OptionError
from btlib.files import atomic_folder, write_json, write_text

Format = Literal["nnunet", "monai"]
_RESERVED = ("background", "ignore")


@dataclass(frozen=True)
class Exported:
    """Result of an export.

    Attributes:
        folder: Folder that was written.
        counts: Number of cases of each part.
        left_out: Number of samples that are in no part of the split.
    """

    folder: Path
    counts: Mapping[str, int]
    left_out: int


def export(
    form: Format,
    source: DatasetSource,
    dataset: Dataset,
    parts: Mapping[str, Sequence[int]],
    out: Path | str,
    progress: bool = False,
) -> Exported:
    """Export the samples of a split in their own size. `cases.csv` has the id and the facts of each case.

    Args:
        form: Format of the export.
        source: Source of the samples.
        dataset: The same samples, with patients.
        parts: Part, "train", "val" and "test" → positions in the data set.
        out: Folder to write; it does not exist, or is empty.
        progress: Draw progress bars on stderr.

    Raises:
        DataError: Samples cannot be read.
        OptionError: The task has nothing that the format can express, or the folder cannot be written.
    """
    out, task = Path(out), dataset.task
    if form == "nnunet" and not task.structures:
        raise OptionError("nnU-Net segments, but the task has no structures", where=task.name, hint="export to monai")
    if reserved := set(_RESERVED) & set(task.structures):
        raise OptionError(f"a structure has the reserved name {min(reserved)!r}", hint="rename the structure")
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise OptionError("expected a new or empty folder", where=out, hint="choose another folder")
    cases = cases_of(source, dataset, parts)
    plan = plan_of(source, cases, progress)
    if out.is_dir():
        out.rmdir()
    try:
        with atomic_folder(out) as part:
            (_write_nnunet if form == "nnunet" else _write_monai)(source, task, cases, plan, part, progress)
            write_cases(part, [case.row for case in cases])
    except OSError as error:
        raise OptionError(f"cannot be written: {error}", where=out, hint="choose a writable folder") from error
    times = Counter(case.part for case in cases)
    return Exported(out, {part: times[part] for part in PARTS}, len(dataset) - len(cases))


def _write_nnunet(
    source: DatasetSource, task: Task, cases: Sequence[Case], plan: Plan, out: Path, progress: bool
) -> None:
    """Write raw data of nnU-Net 2, with the validation cases in `splits_final.json`.

    nnU-Net reads `splits_final.json` in its folder of preprocessed data, so the user copies it there.
    """
    train = out / "imagesTr", out / "labelsTr"
    places = {"train": train, "val": train, "test": (out / "imagesTs", out / "labelsTs")}
    write_cases_files(source, cases, plan, places, progress)
    names = {part: [case.row.case for case in cases if case.part == part] for part in places}
    about = {
        "channel_names": {str(k): name for k, name in enumerate(task.channels)},
        "labels": {"background": 0, **_labels(task, plan)},
        "numTraining": len(names["train"]) + len(names["val"]),
        "file_ending": plan.ending,
        **_about(task, plan),
    }
    if _overlapping(task, plan):
        about["regions_class_order"] = _order(task, plan)
    # not sorted: nnU-Net applies regions_class_order in the order of the labels
    write_text(out / "dataset.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    write_json(out / "splits_final.json", [{"train": names["train"], "val": names["val"]}])


def _write_monai(
    source: DatasetSource, task: Task, cases: Sequence[Case], plan: Plan, out: Path, progress: bool
) -> None:
    """Write a data list of MONAI: `load_decathlon_datalist` reads it."""
    write_cases_files(
        source, cases, plan, dict.fromkeys(("train", "val", "test"), (out / "images", out / "labels")), progress
    )
    if not task.structures:
        (out / "labels").rmdir()
    sections = {"train": "training", "val": "validation", "test": "test"}
    lists: dict[str, Any] = {name: [] for name in sections.values()}
    for case in cases:
        lists[sections[case.part]].append(_item(case, task, plan))
    about = {
        "channel_names": list(task.channels),
        "class_names": list(task.classes),
        "labels": {"0": "background"} | {str(of[0]): name for name, of in _values(task, plan).items()},
        **_about(task, plan),
        **lists,
    }
    if _overlapping(task, plan) or not task.structures:
        del about["labels"]  # no single value belongs to each structure: the field "btlib" has all values
    write_text(out / "datalist.json", json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def _item(case: Case, task: Task, plan: Plan) -> dict[str, Any]:
    images = [f"images/{case.row.case}_{k:04d}{plan.ending}" for k in range(len(task.channels))]
    item: dict[str, Any] = {"image": images if len(images) > 1 else images[0]}
    if task.structures:
        item["label"] = f"labels/{case.row.case}{plan.ending}"
    if task.classes:
        item["class" if task.structures else "label"] = task.classes.index(case.row.label)
    facts = {"id": case.row.id, "patient": case.row.patient, "volume": case.row.volume}
    return item | {name: value for name, value in facts.items() if value}


def _about(task: Task, plan: Plan) -> dict[str, Any]:
    """Fields of both formats. The field "btlib" has what the formats cannot express; other programs ignore it."""
    own = {"classes": list(task.classes), "mask_values": _values(task, plan), "spacing_mm": plan.spacing}
    about = {"name": task.name, "licence": task.licence, "reference": task.citation}
    return {name: value for name, value in about.items() if value} | {"btlib": own}


def _values(task: Task, plan: Plan) -> dict[str, list[int]]:
    return {name: plan.values_of(k) for k, name in enumerate(task.structures)}


def _overlapping(task: Task, plan: Plan) -> bool:
    return len(plan.values) > len(task.structures)


def _by_size(task: Task, plan: Plan) -> list[int]:
    """Positions of the structures: those that contain others first, which nnU-Net writes first."""
    return sorted(range(len(task.structures)), key=lambda k: -sum(one >> k & 1 for one in plan.occurring))


def _labels(task: Task, plan: Plan) -> dict[str, Any]:
    """Labels of nnU-Net: one value each, or regions of several values if structures overlap."""
    values = _values(task, plan)
    if not _overlapping(task, plan):
        return {name: of[0] for name, of in values.items()}
    return {task.structures[k]: values[task.structures[k]] for k in _by_size(task, plan)}


def _order(task: Task, plan: Plan) -> list[int]:
    """Value that nnU-Net writes for each region, in the order of the regions; exact for nested structures."""
    order, together = [], 0
    for k in _by_size(task, plan):
        together |= 1 << k
        order.append(plan.values.get(together, plan.values[1 << k]))
    return order
