"""The tasks of the data that btlib brings along: the Figshare brain tumours, and phantoms of the same kind."""

from btlib.data.task import Task

FIGSHARE = Task(
    name="figshare",
    classes=("meningioma", "glioma", "pituitary"),
    structures=("tumour",),
    channels=("T1 contrast-enhanced",),
    licence="CC BY 4.0",
    citation="doi 10.6084/m9.figshare.1512427",
)
"""Segment and classify the tumour in one T1-weighted, contrast-enhanced MRI slice."""

PHANTOM = Task(
    name="phantom",
    classes=FIGSHARE.classes,
    structures=FIGSHARE.structures,
    channels=FIGSHARE.channels,
    synthetic=True,
)
"""The same of simulated slices."""

BUILT_IN = {task.name: task for task in (FIGSHARE, PHANTOM)}
"""By name; files that btlib wrote before tasks were part of them name one of these."""
