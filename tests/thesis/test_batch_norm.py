"""C as in the thesis: the statistics of its frozen encoder drift. The other way has a name, and is never mixed up."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from btlib import Baseline
from btlib.adapters.export import export_onnx
from btlib.adapters.outputs import NAMED
from btlib.adapters.torch import TorchPredictor
from btlib.cases import CASES, Work
from btlib.data.dataset import Dataset
from btlib.gate.recipes import other_recipe
from btlib.protocol import PRESETS, TIERS, Protocol, Recipe
from btlib.speed.reference import Job
from btlib.splits import slice_seed42
from btlib.thesis.cases import plan_of
from btlib.thesis.checkpoints import Store, find_stored, load_stored
from btlib.thesis.models import VARIANTS, create
from btlib.thesis.recipe import ThesisRecipe, thesis_recipe
from btlib.thesis.speed_reference import ThesisJob, ThesisReference, prepare
from btlib.thesis.training.batches import EpochOrder
from btlib.types import Predictions

BASELINES = Path(__file__).parents[2] / "baselines"
CPU = torch.device("cpu")
EPOCHS = 2
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


@pytest.fixture
def work(tmp_path: Path, make_dataset: Callable[..., Dataset]) -> Work:
    recipe = ThesisRecipe(name="test", backbone="tiny", weights="none", epochs=EPOCHS, batch_size=8)
    given = {"device": "cpu", "precision": "fp32", "engine": "eager", "report": lambda line: None}
    checkpoints = tmp_path / "checkpoints"
    return Work.on(make_dataset(20), slice_seed42(20), Protocol(image_size=32), recipe, 7, checkpoints, **given)


def frozen(work: Work) -> Work:
    return replace(work, recipe=replace(work.recipe, drifting_batch_norm=False))  # type: ignore[call-arg]


def tensors(work: Work, variant: str) -> dict[str, torch.Tensor]:
    """Weights and statistics of the trained variant in the store."""
    found = Store(work.checkpoints, CPU).train_or_load(plan_of(variant, work)[0])
    assert found.source == "loaded"
    return found.model.state_dict()


def same(one: Predictions, other: Predictions) -> bool:
    pairs = ((one.mask_prob, other.mask_prob), (one.class_prob, other.class_prob))
    return all(a is b is None or np.array_equal(a, b) for a, b in pairs)  # type: ignore[arg-type]


def test_the_statistics_are_those_of_an_encoder_that_saw_the_training_batches(work: Work) -> None:
    """By plain torch: the encoder of A in train mode, without a head, over the same batches in the same order."""
    CASES["C"].prepare(work)
    plan = plan_of("A", work)[0]
    encoder = Store(work.checkpoints, CPU).train_or_load(plan).model.backbone.train()
    steps = 0
    with torch.no_grad():
        for epoch in range(EPOCHS):
            for at in EpochOrder(len(plan.train), plan.recipe.batch_size, plan.seed, epoch):
                encoder(torch.from_numpy(np.asarray(plan.train.images)[at]).expand(-1, 3, -1, -1))
                steps += 1
    after = tensors(work, "C")
    for name, expected in encoder.state_dict().items():
        assert torch.allclose(after[f"backbone.{name}"], expected, rtol=1e-4, atol=1e-5), name
    first = tensors(work, "A")
    counts = [name for name in first if name.startswith("backbone.") and name.endswith("num_batches_tracked")]
    assert counts
    assert {int(after[name] - first[name]) for name in counts} == {steps}
    moved = {name for name in after if name in first and not torch.equal(after[name], first[name])}
    assert moved == {name for name in first if name.startswith("backbone.") and name.rpartition(".")[2] in STATISTICS}


def test_a_is_not_changed_when_c_is_trained(work: Work) -> None:
    """Neither its model in memory, nor its checkpoint, nor what is loaded from it."""
    a, images = CASES["A"].prepare(work), np.array(work.train.images[:4])
    before = a.predictor.predict(images)
    files = {path: path.read_bytes() for path in work.checkpoints.glob("A-*")}
    assert {path.suffix for path in files} == {".ckpt", ".json", ".csv"}
    c = CASES["C"].prepare(work)
    assert c.training_step is not None
    c.training_step(8)()
    assert {path: path.read_bytes() for path in work.checkpoints.glob("A-*")} == files
    assert same(a.predictor.predict(images), before)
    again = CASES["A"].prepare(work)
    assert again.source == "loaded"
    assert same(again.predictor.predict(images), before)
    assert not np.array_equal(c.predictor.predict(images).mask_prob, before.mask_prob), "its own mask drifts"


def test_neither_way_is_taken_for_the_other(work: Work) -> None:
    """Not even where the same store has both; A is trained once."""
    ways = (work, frozen(work))
    models = [CASES["C"].prepare(way) for way in ways]
    assert [model.source for model in models] == ["trained", "trained"]
    assert models[0].fingerprint != models[1].fingerprint
    assert [CASES["C"].prepare(way).source for way in ways] == ["loaded", "loaded"]
    assert len(list(work.checkpoints.glob("A-*.ckpt"))) == 1
    first = tensors(work, "A")
    for way, drifted in zip(ways, (True, False), strict=True):
        after = tensors(way, "C")
        assert any(not torch.equal(after[name], first[name]) for name in after if name in first) is drifted


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_stored_model_of_another_variant_is_found_with_either(variant: str, work: Work) -> None:
    """Its plan is that of older versions, which had frozen batch norm only."""
    drifting, still = (plan_of(variant, way)[0] for way in (work, frozen(work)))
    assert (drifting.fingerprint == still.fingerprint) is (variant != "C")
    assert still.ingredients()["recipe"]["drifting_batch_norm"] is False
    assert drifting.ingredients()["recipe"]["drifting_batch_norm"] is (variant == "C")


def test_the_record_says_which(work: Work) -> None:
    plain = replace(work, recipe=Recipe(name="plain", quick=True, epochs=1))
    for way, of_c, of_a, note in (
        (work, {}, {"drifting_batch_norm": False}, "drifting batch norm: "),
        (frozen(work), {}, {}, "frozen batch norm: "),
        (plain, {"drifting_batch_norm": True}, {"drifting_batch_norm": False}, "drifting batch norm: "),
    ):
        a, c = CASES["A"].prepare(way), CASES["C"].prepare(way)
        assert (a.details.get("recipe_changes", {}), c.details.get("recipe_changes", {})) == (of_a, of_c)
        assert [text.startswith(note) for text in c.notes].count(True) == 1
        assert not any("batch norm" in text for text in a.notes)


def test_its_file_engine_and_export_give_its_predictions(work: Work, tmp_path: Path) -> None:
    """The folded batch norm has the statistics after the drift."""
    c, images = CASES["C"].prepare(work), np.array(work.train.images[:4])
    stored = load_stored(find_stored(work.checkpoints, "C"), "C")
    plain = TorchPredictor(stored.model, "cpu", outputs=NAMED).predict(images)
    ours = c.predictor.predict(images)
    for a, b in ((ours.mask_prob, plain.mask_prob), (ours.class_prob, plain.class_prob)):
        assert a is not None
        assert b is not None
        assert np.allclose(a, b, atol=1e-5)
    predictor = TorchPredictor(stored.model, "cpu", outputs=NAMED)
    parity = export_onnx(predictor, tmp_path / "c.onnx", images, np.array(work.train.masks[:4]))
    assert parity.probabilities < 1e-4
    classes = stored.model.classes_only()
    assert classes is not None
    with torch.no_grad():
        logits = classes(torch.from_numpy(images))
    assert np.allclose(logits.softmax(1).numpy(), plain.class_prob, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "protocol"), [("figshare-cpu128", "cpu128"), ("figshare-slice42", "slice42"), ("smoke", None)]
)
def test_stored_baselines_describe_frozen_batch_norm(name: str, protocol: str | None) -> None:
    """They were measured so: a C of the recipe thesis differs from theirs in this field alone; smoke's in none."""
    theirs = Baseline.load(BASELINES / f"{name}.json").provenance_of("C").recipe
    assert theirs is not None
    assert theirs["drifting_batch_norm"] is False
    tier = TIERS["smoke"].recipe
    recipe = asdict(PRESETS[protocol].recipes["thesis"] if protocol else tier)
    told = "drifting_batch_norm: measured True, baseline False"
    found = other_recipe(recipe, theirs)
    assert found == "" if protocol is None else found == f"recipe: {told}"
    assert other_recipe(recipe | {"drifting_batch_norm": False}, theirs) == ""


def test_modern_baselines_differ_in_no_batch_norm() -> None:
    for protocol in ("cpu128", "slice42"):
        theirs = Baseline.load(BASELINES / f"figshare-{protocol}-modern.json").provenance_of("C").recipe
        assert "batch_norm" not in other_recipe(asdict(PRESETS[protocol].recipes["modern"]), theirs)


def test_c_is_the_thesis_s_unless_another_recipe_is_named() -> None:
    """`large-batch` is `modern` with other steps."""
    drifting = {(name, r) for name in PRESETS for r in PRESETS[name].recipes if _drifts(PRESETS[name].recipes[r])}
    assert drifting == {("slice42", "thesis"), ("cpu128", "thesis"), ("patient5", "thesis")}
    assert {name: _drifts(TIERS[name].recipe) for name in TIERS} == {"smoke": False, "full": True}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_speed_reference_does_what_the_recipe_says(variant: str) -> None:
    """Its training step of C has the same batch norm as the one that it is compared with."""
    make = CASES[variant].speed_reference
    assert make is not None
    for recipe, drifting in ((ThesisRecipe(), variant == "C"), (TIERS["smoke"].recipe, False)):
        reference = make(recipe, 1)
        assert isinstance(reference, ThesisReference)
        asked: list[ThesisJob] = []
        for one in (reference, reference.another()):
            one._path = SimpleNamespace(call=asked.append)  # type: ignore[assignment]
            one.call(Job("training", 4, 32, "cpu"))
        backbone = thesis_recipe(recipe).backbone
        expected = ThesisJob(variant, backbone, "training", 4, 32, "cpu", drifting_batch_norm=drifting)
        assert asked == [expected, expected]


@pytest.mark.parametrize("drifting", [False, True])
def test_the_step_of_the_speed_reference_has_this_batch_norm(drifting: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[torch.nn.Module] = []

    def spy(*args: Any, **more: Any) -> torch.nn.Module:
        made.append(create(*args, **more))
        return made[0]

    monkeypatch.setattr("btlib.thesis.models.create", spy)
    prepare(ThesisJob("C", "tiny", "training", 2, 32, "cpu", drifting))()
    counts = {int(value) for name, value in made[0].state_dict().items() if name.endswith("num_batches_tracked")}
    assert counts == ({0, 1} if drifting else {0}), "the decoder is in eval mode either way"


def _drifts(recipe: Recipe) -> bool:
    assert isinstance(recipe, ThesisRecipe)
    return recipe.drifting_batch_norm
