"""What a run keeps of its occlusion maps beside the maps themselves: `explain/<case>.json`, the measures."""

from typing import Any, Literal

from pydantic import ConfigDict, Field, model_validator

from btlib import older
from btlib.data.grouping import Unit
from btlib.data.task import Task
from btlib.stored import Stored, Strict
from btlib.types import Scaling


class Measures(Strict):
    """How a map lies to the tumour (see `btlib.explain.measures`).

    Attributes:
        inside: Mean over the tumour.
        outside: Mean over the rest.
        ratio: Inside / outside; None where outside is 0.
        pointing: Share of the strongest pixels that lie in the tumour, 0…1.
        tied: How many pixels are the strongest.
        mass: Share of the positive relevance that lies in the tumour, 0…1.
        silent: Whether there is no positive relevance; `mass` is then chance.
    """

    inside: float
    outside: float
    ratio: float | None
    pointing: float
    tied: int
    mass: float
    silent: bool


class Control(Strict):
    """What a map gets that never saw the sample.

    Attributes:
        pointing: As in `Measures`.
        mass: As in `Measures`.
    """

    pointing: float
    mass: float


class ExplainedSample(Strict):
    """One sample and its map.

    Attributes:
        id: Of the sample.
        label: Its true class, which is what is explained.
        patient: Its patient; None where unknown.
        part: "train", "val" or "test"; None where the split leaves it out.
        base: Probability of the type on the sample as it is.
        effect: Largest drop less the smallest.
        engine: What ran the model.
        precision: In which the map was computed.
        deviation: Largest difference of a drop from plain fp32 where that was looked at.
        faithful: Whether that is small beside the effect; None where it was not looked at.
        notes: Why the map was computed again, where it was.
        chance: The tumour's share of the sample.
        total: Of the thesis's map.
        average: Of the average map.
        centre: Of a Gaussian where training tumours of this type lie.
        random_total: Of sums of random drops.
        random_average: Of averages of random drops.
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
        """Read what older versions wrote: the number of a sample."""
        if not isinstance(value, dict) or type(value.get("number")) is not int:
            return value
        rest = {name: field for name, field in value.items() if name != "number"}
        return {**rest, "id": str(value["number"])}


class Mean(Strict):
    """A mean over samples and its 95 % bootstrap interval, None where there are not two patients."""

    value: float
    low: float | None
    high: float | None


class Group(Strict):
    """Samples together: those of a type, or all.

    Attributes:
        n: Samples.
        unit: What the intervals of means draw: patients, else samples (in old records, blocks).
        units: How many of them there are.
        ratio: Mean inside / mean outside of the thesis's map; None where outside is 0.
        hits: Samples whose strongest pixels (of the average map) lie in the tumour, most of them where they tie.
        hits_low: Lower bound of Wilson's 95 % interval of their share, samples taken as independent.
        hits_high: Upper bound.
        silent: Samples whose average map has no positive relevance.
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
        """Read what older versions wrote, which called every sample a slice."""
        return {**value, "unit": "sample"} if isinstance(value, dict) and value.get("unit") == "slice" else value


class SanityStep(Strict):
    """One step of the sanity check: this layer's weights and those of all behind it are random.

    Attributes:
        layer: Its name.
        correlation: Mean rank correlation of the maps with those of the trained model, over samples and draws, −1…1.
        size: Mean of its absolute values, 0…1: random weights may turn a map's sign and leave its shape.
        correlations: Of each sample with each draw; 0 where a map is constant.
    """

    layer: str
    correlation: float
    size: float
    correlations: list[float]


class Sanity(Strict):
    """The sanity check.

    Attributes:
        ids: Of the samples.
        draws: How often the weights were drawn.
        patch: Side of the patch, and stride, in pixels.
        steps: From the last layer to the first.
    """

    ids: list[str]
    draws: int
    patch: int
    steps: list[SanityStep]


class Explained(Stored):
    """The maps of one case, measured.

    Attributes:
        case: Its name.
        identity: Of all that decides the maps, so that one cut short goes on where it was; None where it has none.
        task: What was asked.
        dataset_fingerprint: Of the samples.
        split_name: Of the split.
        split_fingerprint: Of the split.
        image_size: Side of the samples in pixels.
        scaling: Of their intensities.
        patch: Side of the patch in pixels.
        stride: In pixels.
        fill: What a patch is hidden with.
        samples: In the order they were asked for, as in the `.npz`.
        summary: By class, and of "all".
        sanity: Where it was asked for.
        seconds: That the maps took, building the engine included.
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
        """Read version 1 too, which named the task by "origin" and samples by number."""
        if not isinstance(value, dict) or value.get("schema") != "btlib-explain/1":
            return value
        fields = {name: field for name, field in older.conditions(value).items() if name != "slices"}
        if isinstance(sanity := value.get("sanity"), dict) and isinstance(numbers := sanity.get("numbers"), list):
            rest = {name: field for name, field in sanity.items() if name != "numbers"}
            fields["sanity"] = {**rest, "ids": [str(number) for number in numbers]}
        return {**fields, "schema": "btlib-explain/2", "samples": value.get("slices")}
