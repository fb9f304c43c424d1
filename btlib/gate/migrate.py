"""Convert a baseline of an older schema: the numbers stay, and the fingerprints of the data are added."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from btlib import fingerprint
from btlib.data import list_slices, load_dataset, read_slice
from btlib.data.dataset import Dataset
from btlib.data.sources.figshare.slice_file import Slice
from btlib.data.workers import map_files
from btlib.errors import BaselineError, DataError
from btlib.gate import Baseline
from btlib.gate.baseline_case import BaselineCase
from btlib.results import Conditions
from btlib.runs.execute import patient_facts
from btlib.sample_table import SampleTable
from btlib.splits import SPLITS, Split, make_split


def migrate(path: Path, folder: Path | None, *, progress: bool = False) -> Baseline:
    """Return a baseline of version 1 as version 2: no number changes, and everything that is added is checked.

    Args:
        path: Baseline file; it is not changed.
        folder: Folder of the samples that it was measured on; not needed for a published baseline.
        progress: Whether to draw progress bars on stderr.

    Raises:
        BaselineError: The file cannot be read, the samples are not those of the baseline, or their patients are
            unknown.
        DataError: The folder cannot be read.
    """
    baseline = Baseline.load(path)
    if baseline.schema_version == 2:
        return baseline
    if baseline.kind == "published":
        return _published(baseline, folder, progress)
    if folder is None:
        raise BaselineError(
            "the baseline was measured, but does not identify its data",
            where=path,
            hint="name the folder of its samples with --data",
        )
    old, wanted = baseline.conditions, _old_fingerprint(path)
    found = old_fingerprints(folder, progress=progress)
    if wanted not in found:
        raise BaselineError(
            f"was measured on samples with the fingerprint {wanted}, but the folder has {' or '.join(found)}",
            where=path,
            hint="name the folder that it was measured on",
        )
    dataset = load_dataset(folder, *old.of_images(), progress=progress)
    split = _same_split(baseline, dataset)
    facts = patient_facts(dataset, split)
    if facts is None:
        raise BaselineError(
            "the patients of these samples are unknown", where=folder, hint="use files with patient ids"
        )
    conditions = old.model_copy(
        update={
            "truth_fingerprint": dataset.truth_fingerprint,
            "input_fingerprint": dataset.input_fingerprint,
            "patients": facts,
        }
    )
    cases = {
        name: _case(case, dataset, split, f"{baseline.name}, case {name}") for name, case in baseline.cases.items()
    }
    return baseline.model_copy(update={"conditions": conditions, "cases": cases, "schema_version": 2})


def _published(baseline: Baseline, folder: Path | None, progress: bool) -> Baseline:
    """Return a published baseline as version 2, with facts about its patients if it has a split of btlib."""
    conditions = baseline.conditions
    if folder is not None and conditions.split_fingerprint is not None:
        dataset = load_dataset(folder, *conditions.of_images(), progress=progress)
        facts = patient_facts(dataset, _same_split(baseline, dataset))
        conditions = conditions.model_copy(update={"patients": facts})
    return baseline.model_copy(update={"conditions": conditions, "schema_version": 2})


def _old_fingerprint(path: Path) -> str:
    known = json.loads(path.read_text(encoding="utf-8"))["conditions"].get("dataset_fingerprint")
    if not isinstance(known, str):
        raise BaselineError(
            "conditions.dataset_fingerprint: expected text, but it is missing", where=path, hint="measure it again"
        )
    return known


def old_fingerprints(folder: Path, *, progress: bool = False) -> tuple[str, ...]:
    """Return the version 1 fingerprints of a folder: with the patient codes of its files, and without them."""
    paths = list_slices(folder)
    digests: list[tuple[str, str]] = []
    for made in map_files(_old_digests, paths, len(paths), "Checking samples", progress):
        if isinstance(made, DataError):
            raise made
        digests.append(made)
    return tuple(dict.fromkeys(fingerprint.of(list(column)) for column in zip(*digests, strict=True)))


def _old_digests(path: Path) -> tuple[str, str]:
    s = read_slice(path)
    return _old_digest(s), _old_digest(replace(s, patient=None))


def _old_digest(s: Slice) -> str:
    image = np.ascontiguousarray(s.image.astype(s.image.dtype.newbyteorder("<"), copy=False))
    digest = sha256(
        fingerprint.of(s.number, s.label, s.patient, s.origin, str(image.dtype), list(image.shape)).encode()
    )
    digest.update(image.data)
    digest.update(np.packbits(s.mask).data)
    return digest.hexdigest()


def _same_split(baseline: Baseline, dataset: Dataset) -> Split:
    conditions: Conditions = baseline.conditions
    if conditions.split_name not in SPLITS:
        raise BaselineError(
            f"uses the split {conditions.split_name}, which no longer exists",
            where=baseline.name,
            hint="measure its cases again, on patient-5fold-1",
        )
    split = make_split(conditions.split_name, dataset)
    if split.fingerprint != conditions.split_fingerprint:
        raise BaselineError(
            f"its split {split.name} is {conditions.split_fingerprint}, but today's is {split.fingerprint}",
            where=baseline.name,
            hint="measure its cases again",
        )
    return split


def _case(case: BaselineCase, dataset: Dataset, split: Split, where: str) -> BaselineCase:
    runs = [run.model_copy(update={"samples": _table(run.samples, dataset, split, where)}) for run in case.runs]
    return case.model_copy(update={"runs": runs})


def _table(table: SampleTable, dataset: Dataset, split: Split, where: str) -> SampleTable:
    """Return the table with patients; its truth must equal that of the data set."""
    at = {str(dataset.ids[i]): int(i) for i in split.test}
    if set(table.id) != at.keys():
        raise BaselineError("its samples are not the test samples of its split", where=where, hint="measure it again")
    order = np.array([at[name] for name in table.id])
    areas = dataset.masks[order].sum(axis=(2, 3))
    for name, ours, theirs in zip(
        table.id,
        zip(table.labels.tolist(), table.truth_area[:, 0].tolist(), strict=True),
        zip(dataset.strata[order].tolist(), areas[:, 0].tolist(), strict=True),
        strict=True,
    ):
        if ours != theirs:
            raise BaselineError(
                f"sample {name}: the baseline has label {ours[0]} and {ours[1]} mask pixels, "
                f"the folder has label {theirs[0]} and {theirs[1]} mask pixels",
                where=where,
                hint="name the folder that it was measured on",
            )
    return table.model_copy(update={"patient": [dataset.patients[i] for i in order]})
