"""Readers of what older versions of btlib wrote, in baselines and in records of runs.

They knew one question only: the Figshare slices, or phantoms of them. Samples were whole numbers, and the data a number
rests on had one fingerprint, patient codes included, or a name in place of a task.
"""

from collections.abc import Mapping
from typing import Any, Final

from btlib.data.sources.figshare.patient_table import figshare_patients
from btlib.data.sources.tasks import BUILT_IN, FIGSHARE
from btlib.data.task import RESERVED
from btlib.sample_table import BOUNDARY, OVERLAP, TRUTH

FIGSHARE_V1: Final = "2baa8472d6a89c34"
"""Under version 1, the fingerprint of all 3064 Figshare slices as 8-bit images at 256 px without patient codes."""

_MEASURES = (*OVERLAP, *BOUNDARY)


def task_of(origin: object) -> dict[str, Any]:
    """The task that older files name by "origin", as JSON values.

    Raises:
        ValueError: There is none of this name.
    """
    if origin not in BUILT_IN:
        raise ValueError(f"origin: expected {' or '.join(BUILT_IN)}, got {origin!r}")
    return BUILT_IN[str(origin)].model_dump(mode="json")


def conditions(value: Mapping[str, Any]) -> dict[str, Any]:
    """Conditions that name their data by "origin" as those of today."""
    fields = {name: field for name, field in value.items() if name != "origin"}
    return {**fields, "task": task_of(value.get("origin"))} if "origin" in value else fields


def conditions_of_1(value: Mapping[str, Any]) -> dict[str, Any]:
    """Conditions of version 1: what data they are of is known by the test samples alone."""
    fields = {name: field for name, field in value.items() if name != "dataset_fingerprint"}
    return {**conditions(fields), "truth_fingerprint": None, "input_fingerprint": None}


def table(slices: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A table of slices as one of samples.

    Args:
        slices: Its fields as JSON values.
        more: Other columns, which stood beside it.

    Raises:
        ValueError: It has a field that none had, lacks one, or rows of probabilities that are none.
    """
    structure = FIGSHARE.structures[0]
    rest = dict(slices)
    numbers, label, patient, area = (_taken(rest, name) for name in ("number", "label", "patient", TRUTH))
    if not isinstance(numbers, list) or any(type(number) is not int for number in numbers):
        raise ValueError("number: expected a list of whole numbers")
    columns = {f"{structure}/{TRUTH}": area}
    columns |= {f"{structure}/{name}": rest.pop(name) for name in _MEASURES if rest.get(name) is not None}
    rows = rest.pop("class_prob", None)
    if rows is not None:
        if not isinstance(rows, list) or any(not isinstance(r, list) or len(r) != len(FIGSHARE.classes) for r in rows):
            raise ValueError(f"class_prob: expected rows of {len(FIGSHARE.classes)} probabilities")
        columns |= {f"{RESERVED}/{name}": [row[k] for row in rows] for k, name in enumerate(FIGSHARE.classes)}
    if strange := [name for name in rest if name not in _MEASURES]:
        raise ValueError(f"{strange[0]}: no such column")
    return {
        "id": [str(number) for number in numbers],
        "label": label,
        "patient": patient,
        "classes": list(FIGSHARE.classes),
        "structures": [structure],
        "columns": {**columns, **(more or {})},
    }


def with_known_patients(slices: Mapping[str, Any], dataset_fingerprint: object) -> dict[str, Any]:
    """A table of version 1, with the patients of slices that are known by their data set's old fingerprint."""
    persons, numbers = figshare_patients().persons, slices.get("number")
    if dataset_fingerprint != FIGSHARE_V1 or not isinstance(numbers, list):
        return dict(slices)
    if not all(type(number) is int and 1 <= number <= len(persons) for number in numbers):
        return dict(slices)  # which the table refuses by name
    return {**slices, "patient": [str(persons[number - 1]) for number in numbers]}


def _taken(fields: dict[str, Any], name: str) -> Any:
    if name not in fields:
        raise ValueError(f"{name}: missing")
    return fields.pop(name)
