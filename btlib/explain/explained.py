"""Stored measures of a case's occlusion maps: `explain/<case>.json`. The maps are in `explain/<case>.npz`."""

from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from btlib import older
from btlib.data.grouping import Unit
from btlib.data.task import Task
from btlib.stored import Stored, Strict
from btlib.types import Scaling


class Measures(Strict):
    """Measures of one map with respect to the tumour (see `btlib.explain.measures`).

    Attributes:
        inside: Mean of the map over the tumour.
        outside: Mean of the map over all other pixels.
        ratio: Inside / outside; None if outside is 0.
        pointing: Share of the strongest pixels that lie in the tumour, 0…1.
        tied: Number of strongest pixels.
        mass: Share of the positive relevance that lies in the tumour, 0…1.
        silent: Whether there is no positive relevance; `mass` is then equal to chance.
    """

    inside: float
    outside: float
    ratio: float | None
    pointing: float
    tied: int
    mass: float
    silent: bool


class Control(Strict):
    """Measures of a control map, which does not depend on the sample's image.

    Attributes:
        pointing: Share of the strongest pixels that lie in the tumour, 0…1.
        mass: Share of the positive relevance that lies in the tumour, 0…1.
    """

    pointing: float
    mass: float


class ExplainedSample(Strict):
    """One explained sample with the measures of its map.

    Attributes:
        id: Id of the sample.
        label: True class of the sample, which is explained.
        patient: Patient id; None if unknown.
        part: Part of the split: "train", "val" or "test"; None if the sample is in none of them.
        base: Probability of the class on the unchanged sample, 0…1.
        effect: Largest drop minus smallest drop.
        engine: Engine that ran the model.
        precision: Precision in which the map was computed.
        deviation: Largest difference of a drop from plain fp32; None if it was not compared.
        faithful: Whether the deviation is small compared with the effect; None if it was not compared.
        notes: Reasons why the map was computed again; empty if it was not.
        chance: Share of the tumour in the pixels that count, 0…1.
        total: Measures of the thesis's map.
        average: Measures of the average map.
        centre: Measures of a Gaussian at the position of training tumours of the same class.
        random_total: Measures of sums of random drops.
        random_average: Measures of averages of random drops.
    """

    id: str
    label: int
    patient: str | None
    part: Literal["train", "val", "test"] | None
    base: float
    effect: float
    engine: str
    precision: str
    deviation: float | None
    faithful: bool | None
    notes: list[str]
    chance: float
    total: Measures
    average: Measures
    centre: Control
    random_total: Control
    random_average: Control

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, value: Any) -> Any:
        """Read records of older versions, which contain a sample number instead of an id."""
        if not isinstance(value, dict) or type(value.get("number")) is not int:
            return value
        rest = {name: field for name, field in value.items() if name != "number"}
        return {**rest, "id": str(value["number"])}


class Mean(Strict):
    """Mean over samples with its 95 % bootstrap interval. The bounds are None if there are fewer than two units."""

    value: float
    low: float | None
    high: float | None


class Group(Strict):
    """Summary of a group of samples: those of one class, or all.

    Attributes:
        n: Number of samples.
        unit: Unit that is resampled for the intervals of means: patients, else samples (in old records, blocks).
        units: Number of units.
        ratio: Mean inside / mean outside of the thesis's map; None if outside is 0.
        hits: Number of samples of which more than half of the strongest pixels of the average map lie in the tumour.
        hits_low: Lower bound of Wilson's 95 % interval of the share of hits; samples are assumed to be independent.
        hits_high: Upper bound of that interval.
        silent: Number of samples whose average map has no positive relevance.
        means: Means by name (see docs/explain.md).
    """

    n: int
    unit: Unit | Literal["block"]
    units: int
    ratio: float | None
    hits: int
    hits_low: float
    hits_high: float
    silent: int
    means: dict[str, Mean]

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, value: Any) -> Any:
        """Read records of older versions, in which the unit "sample" is called "slice"."""
        return {**value, "unit": "sample"} if isinstance(value, dict) and value.get("unit") == "slice" else value


class SanityStep(Strict):
    """One step of the sanity check: the weights of this layer and of all later layers are random.

    Attributes:
        layer: Name of the layer.
        correlation: Mean rank correlation of the maps with those of the trained model, over samples and draws, −1…1.
        size: Mean absolute rank correlation, 0…1. Random weights may change the sign of a map but not its shape.
        correlations: Rank correlation of each sample and draw, −1…1; 0 if a map is constant.
    """

    layer: str
    correlation: float
    size: float
    correlations: list[float]


class Sanity(Strict):
    """Result of the sanity check.

    Attributes:
        ids: Ids of the samples.
        draws: Number of draws of random weights.
        patch: Side of the patch in pixels; the stride is the same.
        steps: Steps from the last layer to the first.
    """

    ids: list[str]
    draws: int
    patch: int
    steps: list[SanityStep]


class Explained(Stored):
    """Record of the measured maps of one case.

    Attributes:
        case: Name of the case.
        identity: Fingerprint of everything that determines the maps, used to resume an interrupted study; None if the
            model has no fingerprint.
        task: Task of the data set.
        dataset_fingerprint: Fingerprint of the samples.
        split_name: Name of the split.
        split_fingerprint: Fingerprint of the split.
        image_size: Side of the samples in pixels.
        scaling: Scaling of the intensities.
        patch: Side of the patch in pixels.
        stride: Distance from one patch to the next in pixels.
        fill: Fill of a hidden patch: "zero", "mean" or "blur".
        samples: Explained samples in the requested order, as in the `.npz`.
        summary: Summary by class name, and of "all".
        sanity: Result of the sanity check; None if it was not requested.
        seconds: Time for the maps in seconds, including building the engine.
        created: Time of writing, ISO 8601, UTC.
    """

    schema_: Literal["btlib-explain/2"] = Field(default="btlib-explain/2", alias="schema")
    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)
    case: str
    identity: str | None
    task: Task
    dataset_fingerprint: str
    split_name: str
    split_fingerprint: str
    image_size: int
    scaling: Scaling
    patch: int
    stride: int
    fill: str
    samples: list[ExplainedSample]
    summary: dict[str, Group]
    sanity: Sanity | None = None
    seconds: float
    created: str

    @model_validator(mode="before")
    @classmethod
    def _upgrade(cls, value: Any) -> Any:
        """Read records of version 1, which name the task by "origin" and identify samples by number."""
        if not isinstance(value, dict) or value.get("schema") != "btlib-explain/1":
            return value
        fields = {name: field for name, field in older.conditions(value).items() if name != "slices"}
        if isinstance(sanity := value.get("sanity"), dict) and isinstance(numbers := sanity.get("numbers"), list):
            rest = {name: field for name, field in sanity.items() if name != "numbers"}
            fields["sanity"] = {**rest, "ids": [str(number) for number in numbers]}
        return {**fields, "schema": "btlib-explain/2", "samples": value.get("slices")}
