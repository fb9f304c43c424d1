"""Built-in tasks: the Figshare brain tumours, and phantoms of them."""

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
"""The same task on simulated slices."""

BUILT_IN = {task.name: task for task in (FIGSHARE, PHANTOM)}
"""Built-in tasks by name. Files of older btlib versions, which do not contain a task, name one of these."""
