"""Values that flow through btlib cannot be changed, and what is read from files is taken strictly."""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel, ValidationError

import btlib
from btlib.data.sample import Sample
from btlib.data.sources.figshare.slice_file import Slice
from btlib.data.sources.tasks import BUILT_IN, FIGSHARE, PHANTOM
from btlib.data.task import Score, Task
from btlib.evaluation.thresholds import ThresholdCurve
from btlib.results import Conditions, PatientFacts, SeedRun
from btlib.sample_table import SampleTable, sample_table
from btlib.types import Predictions

SCORE = Score(name="wer", direction="lower", range=(0.0, 2.0), margin=0.01)
TASKS = ("data.sources.figshare.slice_file", "data.sample", "data.task")
ROOMS = ("metrics", "stats", "splits", "evaluation", "sample_table", "results", "types", *TASKS)


def classes() -> Iterator[type]:
    for name in ROOMS:
        module = importlib.import_module(f"btlib.{name}")
        inner = [part.name for part in pkgutil.iter_modules(getattr(module, "__path__", []))]
        for part in (module, *(importlib.import_module(f"btlib.{name}.{one}") for one in inner)):
            yield from (one for _, one in inspect.getmembers(part, inspect.isclass) if one.__module__ == part.__name__)


VALUES = sorted((one for one in classes() if dataclasses.is_dataclass(one)), key=lambda one: one.__qualname__)
MODELS = sorted((one for one in classes() if issubclass(one, BaseModel)), key=lambda one: one.__qualname__)


@pytest.mark.parametrize("value", VALUES, ids=lambda one: one.__name__)
def test_a_value_is_frozen_and_compares_no_arrays(value: type) -> None:
    """Equality of a field that is an array has no truth value, and such a class has no hash."""
    types = [str(field.type) for field in dataclasses.fields(value) if "Callable" not in str(field.type)]
    parameters: Any = vars(value)["__dataclass_params__"]
    assert parameters.frozen
    assert parameters.eq == (
        not any(name in one for one in types for name in ("ndarray", "NDArray", "SampleTable", "SeedRun"))
    )


@pytest.fixture
def examples(conditions: Conditions) -> dict[type[BaseModel], BaseModel]:
    sizes = {"truth_area": 4, "intersection": 2, "pred_area": 3}
    table = sample_table(
        PHANTOM,
        ["3"],
        ["P1"],
        labels=[1],
        volumes=["V1"],
        measures={name: np.array([[size]]) for name, size in sizes.items()},
        class_prob=np.array([[0.25, 0.5, 0.25]]),
    )
    facts = PatientFacts(source="files", n_test=3, seen=1)
    return {
        SampleTable: table,
        Task: FIGSHARE.model_copy(update={"spacing": (0.5, 0.75), "scores": (SCORE,), "margins": (("dice", 0.02),)}),
        Score: SCORE,
        ThresholdCurve: ThresholdCurve(thresholds=[0.5], dice=[0.75]),
        PatientFacts: facts,
        Conditions: conditions.model_copy(update={"patients": facts}),
        SeedRun: SeedRun(seed=9, fingerprint=None, samples=table),
    }


@pytest.mark.parametrize("model", MODELS, ids=lambda one: one.__name__)
def test_a_model_takes_nothing_but_what_it_declares(
    model: type[BaseModel], examples: dict[type[BaseModel], BaseModel]
) -> None:
    """No unknown field, no text for a number, no whole number for text, no NaN; and it cannot be changed."""
    example = examples[model]
    fields = example.model_dump()
    assert model.model_validate(fields) == example
    assert model.model_validate_json(example.model_dump_json()) == example
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        model.model_validate(fields | {"surplus": None})
    for name, value in fields.items():
        with pytest.raises(ValidationError, match="frozen"):
            setattr(example, name, value)
        others = wrong_values(value)
        assert others or value is None
        for wrong in others:
            with pytest.raises(ValidationError):
                model.model_validate(fields | {name: wrong})


def wrong_values(value: object) -> list[object]:
    """The same value in another type, or no number."""
    if isinstance(value, bool):
        return [int(value), "true"]
    if isinstance(value, int):
        return [str(value), float(value)]
    if isinstance(value, float):
        return [str(value), float("nan"), float("inf")]
    if isinstance(value, (list, tuple)):
        return [[wrong, *value[1:]] for wrong in wrong_values(value[0])]
    if isinstance(value, dict):
        key, inner = next(iter(value.items()))
        return [value | {key: wrong} for wrong in wrong_values(inner)]
    return [] if value is None else [7]


def test_types_are_in_the_order_of_the_labels() -> None:
    for task in BUILT_IN.values():
        assert task.classes == ("meningioma", "glioma", "pituitary")
        assert task.structures == ("tumour",)


def test_the_rooms_are_those_that_exist() -> None:
    assert {Sample, Slice, Predictions} <= set(VALUES)
    assert set(ROOMS) - set(TASKS) <= {part.name for part in pkgutil.iter_modules(btlib.__path__)}
