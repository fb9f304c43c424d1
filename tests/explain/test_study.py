"""A study of some samples: what it writes, what it takes over from before, and what it refuses."""

import csv
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from btlib.adapters.arrays import CallablePredictor
from btlib.data.dataset import Dataset
from btlib.data.sources.tasks import PHANTOM
from btlib.engines import Subject
from btlib.errors import OptionError, PredictionError, StatsError
from btlib.explain import Explainer, Runner, explainer
from btlib.explain import study as room
from btlib.explain.maps import Maps
from btlib.explain.measures import centre_prior, measure, random_controls
from btlib.explain.place import ExplainPlace
from btlib.explain.stored import known
from btlib.explain.study import Study
from btlib.reporting.explanation import draw
from btlib.splits import slice_seed42
from btlib.types import Predictions

AT = np.array([7, 2, 4])


class Bright:
    """Sure of a class by the mean of the image; counts what it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def predict(self, images: np.ndarray) -> Predictions:
        self.asked += len(images)
        said = images.mean((1, 2, 3), dtype=np.float64) / 4
        return Predictions(None, np.stack([said, said / 2, 1 - 1.5 * said], axis=1))


@pytest.fixture
def folder(tmp_path) -> ExplainPlace:
    return ExplainPlace(tmp_path / "run")


@pytest.fixture
def study(samples: Dataset) -> Callable[..., Study]:
    def make(predictor=None, **more) -> Study:
        usual = {"dataset": samples, "split": slice_seed42(12), "model": "m1"}
        return Study("<b>/x", Explainer(Runner(predictor or Bright()), patch=16, stride=8), **usual | more)

    return make


def test_what_it_writes(study: Callable[..., Study], folder: ExplainPlace, samples: Dataset):
    explained, maps = study().run(AT, folder)
    assert {path.name for path in (folder.path / "explain").iterdir()} == {
        f"%3Cb%3E%2Fx.{suffix}" for suffix in ("json", "npz", "csv")
    }
    assert folder.all() == {"<b>/x": explained}
    assert (explained.patch, explained.stride, explained.fill, explained.image_size) == (16, 8, "zero", 64)
    assert [row.id for row in explained.samples] == maps.ids.tolist() == ["80", "30", "50"]
    assert [row.patient for row in explained.samples] == ["P003", "P001", "P002"]
    assert {row.part for row in explained.samples} <= {"train", "val", "test"}
    read = Maps.load(folder.file("<b>/x", "npz"))
    assert (read.total.dtype, read.average.dtype, read.total.shape) == (np.float32, np.float32, (3, 64, 64))
    assert read.label.tolist() == samples.labels[AT].tolist()
    for i, at in enumerate(AT):
        row, mask = explained.samples[i], samples.masks[at, 0]
        assert row.base == read.base[i] == pytest.approx(study().sure(np.array([at]))[0])
        assert row.total.inside == pytest.approx(read.total[i][mask].mean(), rel=1e-5)
        assert row.total.outside == pytest.approx(read.total[i][~mask].mean(), rel=1e-5)
        assert row.average.mass == pytest.approx(measure(read.average[i], mask).mass, rel=1e-5)
        assert row.average.tied == measure(read.average[i], mask).tied
        assert row.chance == mask.mean()
    with folder.file("<b>/x", "csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["80", "30", "50"]
    assert float(rows[0]["mass"]) == explained.samples[0].average.mass


def test_the_prior_knows_training_tumours_of_the_type_alone(
    study: Callable[..., Study], folder: ExplainPlace, samples: Dataset
):
    explained, _ = study().run(AT[:1], folder)
    train = slice_seed42(12).train
    same = train[samples.labels[train] == samples.labels[7]]
    prior = centre_prior(samples.masks[same, 0], (64, 64))
    assert explained.samples[0].centre.mass == pytest.approx(prior[samples.masks[7, 0]].sum() / prior.sum())


def test_it_goes_on_where_it_was(study: Callable[..., Study], folder: ExplainPlace):
    first, again = Bright(), Bright()
    before, maps = study(first).run(AT[:2], folder)
    after, more = study(again).run(AT, folder)
    assert first.asked == 2 * again.asked == 100  # 49 positions and the sample itself
    assert after.samples[:2] == before.samples
    assert np.array_equal(more.total[:2], maps.total)
    assert after.summary["all"].n == 3
    said: list[str] = []
    study(report=said.append).run(AT[::-1], folder)
    assert said == [f"sample {n}: reusing the stored map" for n in (50, 30, 80)]


@pytest.mark.parametrize("what", ["patch", "fill", "model", "data", "damaged", "old", "no npz", "no identity"])
def test_what_is_of_something_else_is_made_anew(
    study: Callable[..., Study], folder: ExplainPlace, samples: Dataset, what: str
):
    study().run(AT, folder)
    predictor = Bright()
    second = study(predictor)
    match what:
        case "patch":
            second = second.with_settings(patch=16, stride=16)
        case "fill":
            second = second.with_settings(16, 8, "mean")
        case "model" | "no identity":
            second = replace(second, model="m2" if what == "model" else None)
        case "data":
            second = replace(second, dataset=replace(samples, ids=np.char.add(samples.ids, "b")))
        case "damaged":
            folder.file("<b>/x", "npz").write_bytes(b"PK half of it")
        case "old":
            folder.file("<b>/x", "json").write_text('{"schema": "btlib-explain/0"}')
        case "no npz":
            folder.file("<b>/x", "npz").unlink()
    second.run(AT, folder)
    assert predictor.asked >= 3 * 17


@pytest.mark.parametrize("fill", ["zero", "mean", "blur"])
def test_contract_of_the_fills(study: Callable[..., Study], folder: ExplainPlace, samples: Dataset, fill: str):
    """Every fill gives finite maps that point at the bright tumours; a constant model gives zeros and chance."""
    explained, maps = study().with_settings(16, 8, fill).run(AT[:1], folder)
    assert explained.fill == fill
    assert np.isfinite(maps.total).all()
    assert explained.samples[0].average.mass > 2 * explained.samples[0].chance
    constant = CallablePredictor(lambda images: Predictions(None, np.full((len(images), 3), 1 / 3)))
    nothing, zeros = study(constant).with_settings(16, 8, fill).run(AT[:1], ExplainPlace(folder.path / "constant"))
    (row,) = nothing.samples
    assert (zeros.total == 0).all()
    assert (zeros.average == 0).all()
    assert (row.effect, row.total.inside, row.total.outside, row.total.ratio) == (0, 0, 0, None)
    assert (row.average.mass, row.average.pointing) == pytest.approx((row.chance, row.chance))
    assert row.average.silent
    draw(nothing, zeros, samples, folder.path / "zeros.svg")


def test_a_variant_by_its_engine(learnt: Subject, samples: Dataset, folder: ExplainPlace):
    made = replace(explainer(learnt, samples.part(np.arange(6)), "eager"), patch=16, stride=8)
    explained, _ = Study("F", made, samples, slice_seed42(12), "m").run(AT, folder, sanity=1)
    assert {row.engine for row in explained.samples} == {"eager"}
    assert all(row.deviation is not None for row in explained.samples)
    assert explained.sanity is not None
    assert explained.sanity.ids == ["80", "30"]  # the first sample of each type: 1, 2, 1
    assert folder.all()["F"] == explained


def test_one_sample_and_a_margin_without_patches(study: Callable[..., Study], folder: ExplainPlace, samples: Dataset):
    one = study().with_settings(patch=10, stride=7)  # 64 - 10 is no multiple of 7
    explained, maps = one.run(AT[:1], folder)
    bare = np.isnan(maps.average[0])
    assert bare.any()
    assert (maps.total[0][bare] == 0).all()
    assert explained.samples[0].chance == samples.masks[7, 0][~bare].mean()
    assert explained.summary["all"].means["mass"].low is None
    draw(explained, maps, samples, folder.path / "one.svg")


def test_the_settings_follow_the_sample(study: Callable[..., Study]):
    assert [
        (e.patch, e.stride) for e in (study().with_settings().explainer, study().with_settings(patch=20).explainer)
    ] == [
        (8, 2),
        (20, 5),
    ]


def test_what_is_refused_writes_nothing(study: Callable[..., Study], folder: ExplainPlace, samples: Dataset):
    masks = CallablePredictor(lambda images: Predictions(images, None), layout="nchw")
    with pytest.raises(PredictionError, match="no class probabilities"):
        study(masks).run(AT, folder)
    with pytest.raises(OptionError, match="expected a stride of 1…4"):
        study().with_settings(4, 5).run(AT, folder)
    bare = replace(samples, masks=samples.masks & False)
    with pytest.raises(StatsError, match="expected at least one inside"):
        study(dataset=bare).run(AT, folder)
    assert not folder.path.exists()


def test_the_figure_shows_every_sample(study: Callable[..., Study], folder: ExplainPlace, samples: Dataset):
    explained, maps = study().run(AT, folder)
    draw(explained, maps, samples, folder.path / "maps.svg")
    text = (folder.path / "maps.svg").read_text()
    for words in ("sample 80, glioma", "sample 30, pituitary", "sum of drops (thesis)", "mean of drops"):
        assert words in text
    assert text.count("<image") >= 9
    draw(explained, maps, samples, folder.path / "again.svg")
    assert (folder.path / "again.svg").read_text() == text


def test_everything_that_decides_the_maps_is_in_their_identity(study: Callable[..., Study], samples: Dataset):
    one = study()
    how, split = one.explainer, one.split
    others = {
        "model": replace(one, model="m2"),
        "ids": replace(one, dataset=replace(samples, ids=np.char.add(samples.ids, "b"))),
        "validation": replace(one, split=replace(split, val=split.val[::-1][:-1])),
        "training": replace(one, split=replace(split, train=split.train[:-1])),
        "scaling": replace(one, dataset=replace(samples, scaling="percentile")),
        "patch": replace(one, explainer=replace(how, patch=17)),
        "stride": replace(one, explainer=replace(how, stride=7)),
        "fill": replace(one, explainer=replace(how, fill="mean")),
        "engine": replace(one, explainer=replace(how, fast=replace(how.fast, engine="other"))),
        "precision": replace(one, explainer=replace(how, fast=replace(how.fast, precision="bf16"))),
    }
    found = {name: other.identity for name, other in others.items()}
    assert len({one.identity, *found.values()}) == 1 + len(others), found
    assert study().identity == one.identity
    assert replace(one, model=None).identity is None


def test_maps_and_measures_of_one_identity_belong_together(study: Callable[..., Study], folder: ExplainPlace):
    """Maps of another study under the measures of this one are not taken over."""
    study().run(AT, folder)
    path = folder.file("<b>/x", "npz")
    found = Maps.load(path)
    replace(found, identity="of another").save(path)
    assert known(folder, "<b>/x", study().identity) == {}
    replace(found, ids=np.array(["80", "31", "50"])).save(path)
    there = known(folder, "<b>/x", study().identity)
    assert list(there) == ["80", "50"], "of which there is a map"
    assert np.array_equal(there["50"].total, found.total[2])
    assert np.array_equal(there["50"].average, found.average[2])
    assert there["50"].row.id == "50"


def test_each_sample_says_what_it_was_used_for(study: Callable[..., Study], folder: ExplainPlace):
    split = replace(slice_seed42(12), train=np.array([7, 0]), val=np.array([2]), test=np.array([4, 1]))
    explained, _ = study(split=split).run(np.array([7, 2, 4, 5]), folder)
    assert [row.part for row in explained.samples] == ["train", "val", "test", None]


def test_the_time_of_building_counts(study: Callable[..., Study], folder: ExplainPlace):
    explained, _ = study(built=1000.0).run(AT[:1], folder)
    assert 1000 < explained.seconds < 1100
    again, _ = study(built=1000.0).run(AT[:1], folder)
    assert again.seconds == 1000.0, "nothing was explained"


def test_a_long_study_is_saved_on_the_way(
    study: Callable[..., Study], folder: ExplainPlace, monkeypatch: pytest.MonkeyPatch
):
    saved: list[list[str]] = []
    store = room.store

    def spy(folder: ExplainPlace, about: dict, done: list, seconds: float):  # type: ignore[no-untyped-def, type-arg]
        saved.append([one.row.id for one in done])
        return store(folder, about, done, seconds)

    monkeypatch.setattr(room, "store", spy)
    monkeypatch.setattr(room, "_SAVE_EVERY", -1.0)
    study().run(AT, folder)
    assert saved == [["80"], ["80", "30"], ["80", "30", "50"], ["80", "30", "50"]]
    saved.clear()
    monkeypatch.setattr(room, "_SAVE_EVERY", 1e9)
    study().run(AT, ExplainPlace(folder.path / "other"))
    assert saved == [["80", "30", "50"]]


def test_what_holds_for_all_samples(study: Callable[..., Study], folder: ExplainPlace, samples: Dataset):
    one = study(dataset=replace(samples, scaling="percentile"))
    explained, maps = one.run(AT[:1], folder)
    split = slice_seed42(12)
    assert (explained.identity, maps.identity, explained.task) == (one.identity, one.identity, PHANTOM)
    assert (explained.dataset_fingerprint, explained.scaling) == (one.dataset.fingerprint, "percentile")
    assert (explained.split_name, explained.split_fingerprint) == (split.name, split.fingerprint)


def test_the_probability_of_the_true_type(study: Callable[..., Study], samples: Dataset):
    said = samples.images.mean((1, 2, 3), dtype=np.float64) / 4
    wanted = np.stack([said, said / 2, 1 - 1.5 * said], axis=1)[AT, samples.labels[AT]]
    assert len(set(samples.labels[AT])) == 2
    assert study().sure(AT) == pytest.approx(wanted)


def test_the_controls_of_a_sample(study: Callable[..., Study], folder: ExplainPlace, samples: Dataset):
    """Random maps are drawn by the sample's id, sums and averages each beside their own kind."""
    explained, _ = study().run(AT, folder)
    for row, at in zip(explained.samples, AT, strict=True):
        total, average = random_controls(samples.masks[at, 0], 16, 8, seed=int(row.id))
        assert (row.random_total, row.random_average) == (total, average)
        assert total != average


def test_ids_that_are_no_numbers(study: Callable[..., Study], folder: ExplainPlace, samples: Dataset):
    """Random maps are drawn by them too, each its own, and they are found again."""
    named = replace(samples, ids=np.array([f"sample {i}/left" for i in range(12)]))
    explained, maps = study(dataset=named).run(AT, folder)
    assert [row.id for row in explained.samples] == maps.ids.tolist() == [f"sample {i}/left" for i in AT]
    same = replace(samples, masks=samples.masks[[7] * 12], ids=named.ids)
    rows = study(dataset=same).run(AT, ExplainPlace(folder.path / "same"))[0].samples
    assert len({row.random_total.mass for row in rows}) == 3
    said: list[str] = []
    study(dataset=named, report=said.append).run(AT[:1], folder)
    assert said == ["sample sample 7/left: reusing the stored map"]


def test_structures_count_together(study: Callable[..., Study], folder: ExplainPlace, samples: Dataset):
    """Inside is where any of them is."""
    two = PHANTOM.model_copy(update={"structures": ("left", "right")})
    halves = np.concatenate([samples.masks, samples.masks], axis=1)
    halves[:, 0, :, ::2], halves[:, 1, :, 1::2] = False, False
    whole, _ = study().run(AT, folder)
    parts, _ = study(dataset=replace(samples, task=two, masks=halves)).run(AT, ExplainPlace(folder.path / "two"))
    assert parts.task == two
    assert parts.samples == whole.samples


def test_a_line_for_each_sample(study: Callable[..., Study], folder: ExplainPlace):
    said: list[str] = []
    study(report=said.append).run(AT, folder)
    assert [line.partition(": ")[0] for line in said] == [
        "sample 80 (glioma)",
        "sample 30 (pituitary)",
        "sample 50 (glioma)",
    ]
    assert all(line.endswith(" s, engine predictor in as given") for line in said)
