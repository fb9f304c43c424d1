"""From the name of a case to a study: which samples, which split, which settings reach the model."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from btlib.cases import Case, Prepared, Work
from btlib.data.dataset import Dataset
from btlib.data.task import Task
from btlib.engines import Subject
from btlib.explain import Explainer, Runner
from btlib.explain import find as room
from btlib.explain.find import Where, explainer_of, find
from btlib.protocol import TIERS
from btlib.splits import Split, slice_seed42
from btlib.thesis import explaining

SPLIT = replace(slice_seed42(24), train=np.array([9, 3, 11, 0]), val=np.array([5, 4]), test=np.array([8, 7]))


class Asked:
    """What was asked of the rooms that are replaced."""

    def __init__(self) -> None:
        self.data: list[tuple[Any, ...]] = []
        self.split: list[str] = []
        self.stored: list[tuple[Any, ...]] = []
        self.explainer: tuple[Any, ...] = ()
        self.said: list[str] = []

    @property
    def subject(self) -> Subject:
        found: Subject = self.explainer[0]
        return found


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, make_dataset: Callable[..., Dataset]) -> Asked:
    """A stored variant, trained on these samples and this split."""
    asked, slices = Asked(), make_dataset(24, 16)
    ingredients = {
        **{"recipe": {"name": "modern"}, "image_size": 16, "scaling": "percentile"},
        **{"data": slices.fingerprint, "split": SPLIT.fingerprint},
    }
    manifest = {"ingredients": ingredients, "created": "yesterday", "sha256": "s" * 64}
    task = Task(name="two", classes=("a", "b"), structures=("core", "rim"), channels=("T1", "FLAIR"))
    model = SimpleNamespace(to=lambda device: ("on", device))
    stored = SimpleNamespace(manifest=manifest, path="E.ckpt", model=model, task=task)

    def load_dataset(*how: Any) -> Dataset:
        asked.data.append(how)
        return slices

    def make_split(name: str, dataset: Dataset) -> Split:
        asked.split.append(name)
        return SPLIT

    def load_stored(*how: Any) -> Any:
        asked.stored.append(how)
        return stored

    def explainer(*how: Any) -> Explainer:
        asked.explainer = how
        return Explainer(Runner(None))  # type: ignore[arg-type]

    for module in (room, explaining):
        monkeypatch.setattr(module, "load_dataset", load_dataset)
        monkeypatch.setattr(module, "make_split", make_split)
    monkeypatch.setattr(explaining, "explainer", explainer)
    monkeypatch.setattr("btlib.thesis.checkpoints.load_stored", load_stored)
    monkeypatch.setattr("btlib.thesis.checkpoints.find_stored", lambda folder, variant: (folder, variant))
    monkeypatch.setattr("btlib.adapters.devices.resolve_device", lambda: SimpleNamespace(type="cpu"))
    monkeypatch.setattr("btlib.adapters.devices.resolve_precision", lambda wanted, device: f"for {wanted}")
    return asked


@pytest.fixture
def where(asked: Asked, tmp_path: Path) -> Where:
    return Where(tmp_path / "data", "a-split", tmp_path / "checkpoints", report=asked.said.append)


def test_a_trained_variant(asked: Asked, where: Where):
    study = find("E", where)
    assert asked.stored == [((where.checkpoints, "E"), "E")]
    assert asked.data == [(where.data, 16, "percentile")]
    assert asked.split == ["a-split"]
    assert asked.said == ["E.ckpt: trained yesterday, recipe modern"]
    assert (study.case, study.model, study.split) == ("E", "s" * 64, SPLIT)
    subject, samples, engine, _ = asked.explainer
    wanted = study.dataset.ids[[5, 4]].tolist()
    assert samples.ids.tolist() == wanted, "engines are held against plain fp32 on validation samples, not on test ones"
    assert engine == "auto"
    assert (subject.precision, subject.image_size, subject.identity) == ("for auto", 16, "s" * 64)
    assert subject.cache == where.checkpoints / "engines"
    assert (subject.outputs.structures, subject.channels) == (2, 2)
    assert np.array_equal(subject.calibration(), study.dataset.images[[0, 3, 9, 11]]), "of training samples"


def test_what_the_user_asks_for(asked: Asked, where: Where, tmp_path: Path):
    find("E", replace(where, checkpoint=tmp_path / "E.ckpt", engine="eager", precision="bf16"))
    assert asked.stored == [(tmp_path / "E.ckpt", "E")]
    assert (asked.explainer[2], asked.subject.precision) == ("eager", "for bf16")


def test_without_validation_samples_training_samples_stand_in(
    asked: Asked, where: Where, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(
        explaining, "make_split", lambda name, dataset: replace(SPLIT, val=np.array([], dtype=np.int64))
    )
    study = find("E", where)
    assert asked.explainer[1].ids.tolist() == study.dataset.ids[SPLIT.train].tolist()


@pytest.mark.parametrize("what", ["data", "split"])
def test_other_slices_or_another_split_are_noted(
    asked: Asked, where: Where, what: str, monkeypatch: pytest.MonkeyPatch, make_dataset: Callable[..., Dataset]
):
    if what == "data":
        monkeypatch.setattr(explaining, "load_dataset", lambda *how: make_dataset(24, 16, seed=1))
    else:
        monkeypatch.setattr(explaining, "make_split", lambda name, dataset: replace(SPLIT, val=np.array([5])))
    find("E", where)
    assert asked.said[-1].startswith("Note: trained on other samples or another split")


def test_phantoms_stand_in_for_slices(where: Where, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(room, "phantom_folder", lambda folder, n: (folder.name, n))
    assert replace(where, data=None).folder == ("phantoms", TIERS["smoke"].phantom_samples)
    assert where.folder == tmp_path / "data"


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Work]]:
    """A case of the user's own; the work that it was prepared for."""

    def of(**more: Any) -> list[Work]:
        works: list[Work] = []

        def prepare(work: Work) -> Prepared:
            works.append(work)
            return Prepared("the predictor", "given", fingerprint="f1")  # type: ignore[arg-type]

        case = Case("mine", "title", False, True, prepare, **more)
        monkeypatch.setattr(room, "load_case", lambda spec: case)
        return works

    return of


@pytest.mark.parametrize("tier", ["smoke", "full"])
def test_a_foreign_case_is_prepared_as_in_its_tier(
    asked: Asked, where: Where, prepared: Callable[..., list[Work]], tier: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(room, "phantom_folder", lambda folder, n: folder)
    works, known = prepared(), TIERS[tier]
    study = find("mine.py::mine", where if tier == "full" else replace(where, data=None))
    (work,) = works
    assert (study.case, study.model, study.split) == ("mine", "f1", SPLIT)
    assert study.explainer.fast.predictor == "the predictor"
    assert (work.case, work.seed, work.recipe) == ("mine", 42, known.recipe)
    assert (work.split, work.data) == (SPLIT.fingerprint, study.dataset.fingerprint)
    for samples, at in ((work.train, SPLIT.train), (work.val, SPLIT.val)):
        assert samples.ids.tolist() == study.dataset.ids[at].tolist()
    assert work.protocol == replace(known.protocol, split="a-split")
    assert (work.precision, work.engine) == (known.precision, known.engine)
    assert asked.data[0][1:] == (known.protocol.image_size, None)


def test_its_own_size_and_scaling_and_what_the_user_asks_for(
    asked: Asked, where: Where, prepared: Callable[..., list[Work]]
):
    works = prepared(image_size=48, scaling="percentile")
    find("mine", replace(where, engine="eager", precision="bf16"))
    assert asked.data == [(where.data, 48, "percentile")]
    assert (works[0].engine, works[0].precision) == ("eager", "bf16")


def test_a_case_may_bring_its_own_explainer():
    own = Explainer(Runner(None), patch=3)  # type: ignore[arg-type]
    assert explainer_of(Prepared("p", "given", explainer=lambda: own)) is own  # type: ignore[arg-type]
    plain = explainer_of(Prepared("p", "given"))  # type: ignore[arg-type]
    assert (plain.fast.predictor, plain.plain, plain.exact) == ("p", None, None)
