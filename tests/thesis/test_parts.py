"""What the thesis's cases pass on: to store, choice of an engine, thresholds and explainers. Nothing is trained."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from btlib import fingerprint
from btlib.cases import CASES, Work
from btlib.data.dataset import Dataset
from btlib.data.task import Task
from btlib.engines import Chosen
from btlib.protocol import Protocol
from btlib.splits import slice_seed42
from btlib.thesis import cases as thesis_cases
from btlib.thesis.checkpoints import Trained
from btlib.thesis.models import VARIANTS, create
from btlib.thesis.models.network import TumourModel
from btlib.thesis.recipe import ThesisRecipe
from btlib.thesis.training import Plan

CPU = torch.device("cpu")


@dataclass
class Spies:
    """What was asked of whom.

    Attributes:
        stores: Arguments of each store.
        asked: Plan, start and retrain of each call of the store.
        chosen: Arguments of each choice of an engine.
        thresholds: Arguments of each search for a threshold.
        explainers: Arguments of each explainer.
        steps: Arguments of each training step.
        model: What the store gives.
    """

    model: TumourModel
    stores: list[tuple[Any, ...]] = field(default_factory=list)
    asked: list[tuple[Plan, Any, bool]] = field(default_factory=list)
    chosen: list[tuple[Any, ...]] = field(default_factory=list)
    thresholds: list[tuple[Any, ...]] = field(default_factory=list)
    explainers: list[tuple[Any, ...]] = field(default_factory=list)
    steps: list[tuple[Any, ...]] = field(default_factory=list)


@pytest.fixture
def work(tmp_path: Path, make_dataset: Callable[..., Dataset]) -> Work:
    """In which size, scaling, precision and seed are not the usual ones, nor the protocol's those of the data."""
    return Work.on(
        replace(make_dataset(40), scaling="percentile"),
        slice_seed42(40),
        Protocol(image_size=64, threshold=0.4),
        ThesisRecipe(name="test", backbone="tiny", weights="auto", epochs=3),
        10,
        tmp_path / "checkpoints",
        device="cpu",
        precision="bf16",
        engine="compile",
        report=lambda line: None,
        progress_bars=True,
        case="D",
    )


@pytest.fixture
def spies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Spies:
    torch.manual_seed(0)
    found = Spies(create("D", backbone="tiny"))
    manifest = {"sha256": "of the weights", "ingredients": {"a": 1}, "seconds": 5.0, "trained_on": "cpu"}
    manifest |= {"epoch": 2, "created": "then", "schema": "left out"}

    class Store:
        def __init__(self, *args: Any) -> None:
            found.stores.append(args)

        def train_or_load(self, plan: Plan, start: Any = None, *, retrain: bool = False) -> Trained:
            found.asked.append((plan, start, retrain))
            (tmp_path / f"{plan.variant}.csv").touch()
            return Trained(found.model, "resumed", 2.5, tmp_path / f"{plan.variant}.ckpt", manifest)

    def choose(*args: Any) -> Chosen:
        found.chosen.append(args)
        details = {"engine": "chosen", "precision": "fp32"}
        return Chosen("the predictor", "chosen", details, ("note of the engine",))  # type: ignore[arg-type]

    def threshold(*args: Any, **more: Any) -> float:
        found.thresholds.append((*args, more))
        return 0.3

    monkeypatch.setattr("btlib.thesis.checkpoints.Store", Store)
    monkeypatch.setattr("btlib.engines.choose", choose)

    def noted(calls: list[tuple[Any, ...]], gives: str) -> Callable[..., str]:
        def inner(*args: Any) -> str:
            calls.append(args)
            return gives

        return inner

    monkeypatch.setattr("btlib.explain.explainer", noted(found.explainers, "explainer"))
    monkeypatch.setattr("btlib.thesis.training.step.bare_step", noted(found.steps, "step"))
    monkeypatch.setattr("btlib.thesis.models.pretrained.resolve_weights", lambda *args: ("none", (f"for {args}",)))
    monkeypatch.setattr(thesis_cases, "best_threshold", threshold)
    return found


def prepared_by(name: str, work: Work) -> Any:
    """What the case gives, with the spies' words for parts."""
    return CASES[name].prepare(work)


def test_a_case_of_the_store(work: Work, spies: Spies, tmp_path: Path) -> None:
    work = replace(work, retrain=True)
    prepared = prepared_by("D", work)
    assert spies.stores == [(work.checkpoints, CPU, work.report, True)]
    ((plan, start, retrain),) = spies.asked
    assert (plan.variant, start, retrain) == ("D", None, True)
    assert (prepared.predictor, prepared.source, prepared.seconds) == ("the predictor", "resumed", 2.5)
    assert (prepared.fingerprint, prepared.curves) == (plan.fingerprint, tmp_path / "D.csv")
    assert prepared.notes == ("for ('auto', 'tiny')", "note of the engine")
    details = dict(prepared.details)
    assert details.pop("gflop_per_image") > 0
    assert details == {
        "device": "cpu",
        "training_precision": "bf16",
        "training_engine": "eager",
        "engine": "chosen",
        "precision": "fp32",
        "checkpoint": "D.ckpt",
        "parameters": sum(p.numel() for p in spies.model.parameters()),
        "recipe_changes": {"drifting_batch_norm": False},
        "training": {
            "ingredients": {"a": 1},
            "seconds": 5.0,
            "trained_on": "cpu",
            "epoch": 2,
            "created": "then",
        },
    }
    compiled = replace(work, recipe=replace(work.recipe, compiled=True))
    assert CASES["D"].prepare(compiled).details["training_engine"] == "compile"


def test_an_engine_is_held_against_fp32_on_validation_samples(work: Work, spies: Spies) -> None:
    prepared = prepared_by("D", work)
    ((subject, engine, samples, threshold, report),) = spies.chosen
    assert (engine, samples, threshold, report) == ("compile", work.val, 0.4, work.report)
    assert (subject.model, subject.device, subject.precision) == (spies.model, CPU, "bf16")
    assert (subject.image_size, subject.identity) == (32, "of the weights")
    assert subject.cache == work.checkpoints / "engines"
    assert (subject.channels, subject.outputs.structures) == (1, 1)
    in_order = np.argsort(work.train.ids.astype(int))
    assert np.array_equal(subject.calibration(), work.train.images[in_order])
    assert prepared.explainer is not None
    assert spies.explainers == []
    assert prepared.explainer() == "explainer"
    assert spies.explainers == [(subject, work.val, "compile", work.report)]


def test_channels_and_structures_of_the_task_are_told(work: Work, spies: Spies) -> None:
    """Also where there is nothing to segment, and a mapping has one structure all the same."""
    for structures, told in ((("core", "rim"), 2), ((), 1)):
        task = Task(name="other", classes=tuple("abcd"), structures=structures, channels=("r", "g", "b"))
        spies.model = create("B", backbone="tiny", task=task)
        prepared_by("B", replace(work, task=task))
        subject = spies.chosen[-1][0]
        assert (subject.channels, subject.outputs.structures) == (3, told)


def test_without_validation_samples_on_training_samples(work: Work, spies: Spies) -> None:
    """And never on test samples, which the work does not hold."""
    work = replace(work, val=work.val.part(np.array([], int)))
    CASES["D"].prepare(work)
    assert spies.chosen[0][2] is work.train


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_threshold_is_chosen_on_validation_samples_where_the_recipe_says_so(
    variant: str, work: Work, spies: Spies
) -> None:
    spies.model = create(variant, backbone="tiny")
    assert CASES[variant].prepare(work).threshold is None
    assert spies.thresholds == []
    chosen = replace(work, recipe=replace(work.recipe, threshold="validation"))
    prepared = CASES[variant].prepare(chosen)
    if not VARIANTS[variant].has_mask:
        assert (prepared.threshold, spies.thresholds) == (None, [])
        return
    assert prepared.threshold == 0.3
    assert spies.thresholds == [("the predictor", work.val, {"where": f"variant {variant}"})]


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_training_step_is_that_of_the_case(variant: str, work: Work, spies: Spies) -> None:
    spies.model = create(variant, backbone="tiny")
    prepared = prepared_by(variant, work)
    assert prepared.training_step is not None
    assert prepared.training_step(5) == "step"
    ((plan, model, batch_size, device),) = spies.steps
    recipe = replace(work.recipe, drifting_batch_norm=variant == "C")  # type: ignore[call-arg]
    assert (plan.variant, plan.recipe, plan.seed, plan.precision) == (variant, recipe, 10, "bf16")
    assert (plan.train, plan.val, plan.protocol) == (work.train, work.val, work.protocol)
    assert (plan.data, plan.split) == (work.data, work.split)
    assert (model, batch_size, device) == (spies.model, 5, CPU)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_plan_of_each_variant(variant: str, work: Work, spies: Spies) -> None:
    """With its weights settled; where it starts from another, that one's plan is part of it."""
    plan, notes = thesis_cases.plan_of(variant, work)
    assert notes == ("for ('auto', 'tiny')",)
    before = VARIANTS[variant].frozen_from
    starts_from = None if before is None else thesis_cases.plan_of(before, work)[0].fingerprint
    expected = Plan(
        variant,
        replace(work.recipe, weights="none", drifting_batch_norm=variant == "C"),
        work.train,
        work.val,
        work.data,
        work.split,
        work.protocol,
        10,
        "bf16",
        starts_from,
    )
    assert vars(plan) == vars(expected)
    assert (before == "A") == (variant == "C")


def test_c_starts_from_a_only_once_it_is_trained(work: Work, spies: Spies) -> None:
    """The other model is not trained anew with it."""
    CASES["C"].prepare(replace(work, retrain=True))
    ((plan, start, retrain),) = spies.asked
    assert (plan.variant, retrain) == ("C", True)
    tensors: Mapping[str, torch.Tensor] = start()
    assert tensors.keys() == spies.model.state_dict().keys()
    first, nothing, again = spies.asked[1]
    assert (first.variant, nothing, again) == ("A", None, False)
    assert first.fingerprint == plan.starts_from


def test_a_case_of_the_thesis_s_own_file(
    work: Work, spies: Spies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "its own.ckpt"
    path.write_text("weights")
    loaded: list[tuple[Any, ...]] = []

    def load(*args: Any) -> tuple[TumourModel, Path]:
        loaded.append(args)
        return spies.model, path

    monkeypatch.setattr("btlib.thesis.checkpoints.load_thesis_checkpoint", load)
    work = replace(work, options={"thesis_checkpoints": tmp_path}, recipe=replace(work.recipe, threshold="validation"))
    prepared = prepared_by("D", work)
    assert loaded == [("D", tmp_path)]
    assert (prepared.source, prepared.seconds, prepared.fingerprint) == ("file", 0.0, None)
    assert (prepared.threshold, prepared.curves, prepared.notes) == (None, None, ("note of the engine",))
    assert (prepared.details["checkpoint"], prepared.details["engine"]) == ("its own.ckpt", "chosen")
    assert prepared.details["parameters"] == sum(p.numel() for p in spies.model.parameters())
    assert "training" not in prepared.details
    assert spies.chosen[0][0].identity == fingerprint.of_file(path)
    assert spies.stores == []
    assert prepared.training_step is not None
    assert prepared.training_step(3) == "step"
    assert prepared.explainer is not None
    assert prepared.explainer() == "explainer"


def test_the_cases_declare_what_the_variants_predict() -> None:
    for name in VARIANTS:
        row, case = VARIANTS[name], CASES[name]
        assert (case.title, case.has_mask, case.has_classes) == (row.title, row.has_mask, row.has_classes)
        assert (case.image_size, case.scaling) == (None, None)
