"""What a task may be: what is refused, and what comes back from a file."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from btlib.data.sources.tasks import BUILT_IN, FIGSHARE, PHANTOM
from btlib.data.task import RESERVED, Task

FIELDS: dict[str, Any] = {"name": "t", "classes": ("a", "b"), "structures": ("x", "y"), "channels": ("p", "q")}


def test_what_is_not_said_is_as_plain_as_can_be():
    task = Task(name="t", classes=("a",))
    assert (task.structures, task.channels, task.spacing) == ((), ("intensity",), None)
    assert (task.independent, task.synthetic, task.licence, task.citation) == (False, False, None, None)
    assert Task(name="t", structures=("x",)).classes == ()


@pytest.mark.parametrize("field", ["classes", "structures", "channels"])
def test_names_are_told_apart(field: str):
    """They name columns of tables, and channels of arrays."""
    for names, problem in (
        (("a", "b", "a"), f"{field}: a name occurs more than once"),
        (("a", "b/c"), f"{field}: a name must not contain a slash"),
        (("/",), f"{field}: a name must not contain a slash"),
        (("a", ""), "at least 1 character"),
        (("a", 7), "valid string"),
        (("a", None), "valid string"),
        ("abc", "valid tuple"),
    ):
        with pytest.raises(ValidationError, match=problem):
            Task(**FIELDS | {field: names})


def test_a_name_may_stand_in_several_fields():
    """A class may be called as the structure that it is seen by; upper and lower case differ."""
    task = Task(name="tumour", classes=("none", "tumour"), structures=("tumour", "Tumour"), channels=("tumour",))
    assert task.classes[1] == task.structures[0] == task.channels[0] == task.name


def test_no_structure_is_called_as_columns_of_probabilities_begin():
    for field in ("structures", "classes"):
        with pytest.raises(ValidationError, match=f"{field}: the name '{RESERVED}' is reserved"):
            Task(**FIELDS | {field: ("x", RESERVED)})
    assert Task(**FIELDS | {"channels": (RESERVED,)}).channels == (RESERVED,)
    assert Task(**FIELDS | {"structures": (f"{RESERVED} map",)}).structures == ("probability map",)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"classes": (), "structures": ()}, "expected classes, structures, or both"),
        ({"channels": ()}, "at least 1 item"),
        ({"name": ""}, "at least 1 character"),
        ({"name": 7}, "valid string"),
        ({"spacing": (1.0, 0.0)}, "greater than 0"),
        ({"spacing": (1.0, float("nan"))}, "finite"),
        ({"spacing": (1.0, float("inf"))}, "finite"),
        ({"spacing": (1.0,)}, "spacing"),
        ({"synthetic": 1}, "valid boolean"),
        ({"unknown": 1}, "Extra inputs"),
    ],
    ids=str,
)
def test_what_is_no_task_is_refused(change: dict[str, Any], problem: str):
    with pytest.raises(ValidationError, match=problem):
        Task(**FIELDS | change)


def test_it_cannot_be_changed_and_is_a_value():
    task = Task(**FIELDS)
    with pytest.raises(ValidationError, match="frozen"):
        task.classes = ("c",)  # type: ignore[misc]
    assert task == Task(**FIELDS)
    assert hash(task) == hash(Task(**FIELDS))
    assert len({task, Task(**FIELDS), Task(**FIELDS | {"name": "u"})}) == 2


def test_what_must_agree_for_numbers_to_be_compared():
    """Name, classes and structures in their order, simulated or not; not what the images are, nor whose."""
    task = Task(**FIELDS)
    other: list[dict[str, Any]] = [
        {"name": "u"},
        {"classes": ("b", "a")},
        {"structures": ("y", "x")},
        {"synthetic": True},
    ]
    same: list[dict[str, Any]] = [
        *({"channels": ("p",)}, {"spacing": (1.0, 0.5)}, {"independent": True}, {"licence": "MIT"}, {"citation": "c"})
    ]
    assert all(Task(**FIELDS | change).question != task.question for change in other)
    assert all(Task(**FIELDS | change).question == task.question for change in same)


_names = st.text(min_size=1).filter(lambda name: "/" not in name and name != RESERVED)
_lists = st.lists(_names, min_size=1, max_size=4, unique=True).map(tuple)


@given(st.builds(Task, name=_names, classes=_lists, structures=_lists, channels=_lists, licence=st.none() | _names))
def test_it_comes_back_from_a_file(task: Task):
    """As JSON, where tuples are lists."""
    assert Task.model_validate_json(task.model_dump_json()) == task
    assert Task(**task.model_dump(mode="json")) == task


def test_those_that_come_along():
    assert {"figshare": FIGSHARE, "phantom": PHANTOM} == BUILT_IN
    assert (FIGSHARE.synthetic, PHANTOM.synthetic) == (False, True)
    assert FIGSHARE.classes == PHANTOM.classes == ("meningioma", "glioma", "pituitary")
    assert FIGSHARE.structures == PHANTOM.structures == ("tumour",)
    assert FIGSHARE.question != PHANTOM.question
