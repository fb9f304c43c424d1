"""Tables of samples made of others: they are frozen, and keep what they once computed."""

from collections.abc import Sequence
from typing import Any

from btlib.sample_table import SampleTable


def changed(table: SampleTable, **fields: Any) -> SampleTable:
    """A table with other fields."""
    return SampleTable(**{**table.model_dump(), **fields})


def with_measures(table: SampleTable, **measures: Sequence[int | float | None] | None) -> SampleTable:
    """A table with other measures of its only structure; None takes one away."""
    (structure,) = table.structures
    columns = table.columns | {f"{structure}/{name}": values for name, values in measures.items()}
    return changed(table, columns={name: list(values) for name, values in columns.items() if values is not None})


def with_boundary(table: SampleTable, hd95: Sequence[float]) -> SampleTable:
    """A table whose distances between boundaries are given, and half of its surfaces near enough."""
    half = [0.5] * table.n
    return with_measures(table, hd95=hd95, surface_dice_1px=half, surface_dice_2px=half)


def in_order(table: SampleTable, order: Sequence[int]) -> SampleTable:
    """The same samples in another order."""
    columns = {name: [values[i] for i in order] for name, values in table.columns.items()}
    rows = {name: [getattr(table, name)[i] for i in order] for name in ("id", "label", "patient")}
    return changed(table, columns=columns, **rows)
