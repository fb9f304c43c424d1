"""Readers of baselines and records that older versions of btlib wrote.

Older versions had one task only: the Figshare slices, or phantoms of them. Ids of samples were whole numbers. The data
of a result had one fingerprint, which included patient codes, or a name instead of a task.
"""

from collections.abc import Mapping
from typing import Any, Final

from btlib.data.sources.figshare.patient_table import figshare_patients
from btlib.data.sources.tasks import BUILT_IN, FIGSHARE
from btlib.data.task import RESERVED
from btlib.sample_table import BOUNDARY, OVERLAP, TRUTH

FIGSHARE_V1: Final = "2baa8472d6a89c34"
"""Version 1's fingerprint of all 3064 Figshare slices, as 8-bit images at 256 px without patient codes."""

_MEASURES = (*OVERLAP, *BOUNDARY)


def task_of(origin: object) -> dict[str, Any]:
    """Return the task that older files name in the field "origin", as JSON values.

    Raises:
        ValueError: There is no task of this name.
    """
    if origin not in BUILT_IN:
        raise ValueError(f"origin: expected {' or '.join(BUILT_IN)}, got {origin!r}")
    return BUILT_IN[str(origin)].model_dump(mode="json")


def conditions(value: Mapping[str, Any]) -> dict[str, Any]:
    """Convert conditions that name their data by "origin" to the current format."""
    fields = {name: field for name, field in value.items() if name != "origin"}
    return {**fields, "task": task_of(value.get("origin"))} if "origin" in value else fields


def conditions_of_1(value: Mapping[str, Any]) -> dict[str, Any]:
    """Convert conditions of version 1, whose data are identified only by the test samples."""
    fields = {name: field for name, field in value.items() if name != "dataset_fingerprint"}
    return {**conditions(fields), "truth_fingerprint": None, "input_fingerprint": None}


def table(slices: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Convert a table of slices to a table of samples.

    Args:
        slices: Fields of the table as JSON values.
        more: Other columns, which older files stored outside the table.

    Raises:
        ValueError: A field is unknown or missing, or rows of probabilities are invalid.
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
    """Add the patients to a table of version 1 if the old fingerprint is that of the Figshare data set."""
    persons, numbers = figshare_patients().persons, slices.get("number")
    if dataset_fingerprint != FIGSHARE_V1 or not isinstance(numbers, list):
        return dict(slices)
    if not all(type(number) is int and 1 <= number <= len(persons) for number in numbers):
        return dict(slices)  # the table's own check reports the invalid number
    return {**slices, "patient": [str(persons[number - 1]) for number in numbers]}


def _taken(fields: dict[str, Any], name: str) -> Any:
    if name not in fields:
        raise ValueError(f"{name}: missing")
    return fields.pop(name)
