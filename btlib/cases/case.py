"""Definition of a benchmark case: a name, the kinds of prediction, and a function that makes the predictor."""

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from btlib.data.dataset import Dataset, Samples
from btlib.data.task import Task
from btlib.errors import BtlibError
from btlib.evaluation.predictor import Predictor
from btlib.protocol import Protocol, Recipe
from btlib.registry import Registry
from btlib.speed.reference import MakeReference
from btlib.splits import Split
from btlib.types import Scaling

Source = Literal["trained", "resumed", "loaded", "file", "given"]
"""Origin of a predictor: trained now, resumed from an interrupted training, loaded from the stored checkpoints, loaded
from a file that the user named, or given ready-made by the case."""


@dataclass(frozen=True, eq=False)
class Work:
    """Inputs from which a case makes its predictor.

    Attributes:
        task: Task with the names of classes, structures and channels.
        train: Training samples: images float32 [n, channels, s, s] with masks, labels and patients, read-only.
        val: Validation samples, in the same form; may be empty. A case does not receive the test samples.
        protocol: Protocol of the evaluation: image size in pixels, scaling, threshold of the mask …
        recipe: Recipe of the training: epochs, batch size, learning rate …
        seed: Seed of initialisation, order of samples and dropout, from 0.
        checkpoints: Folder for trained models (`btlib.cases.fit_or_load`).
        data: Identity of the complete data set.
        split: Identity of the split into training, validation and test samples.
        device: "auto", "cuda", "mps" or "cpu"; `btlib.adapters.torch.resolve_device` returns a PyTorch device for it.
        precision: "auto", "fp32" or "bf16"; `btlib.adapters.torch.resolve_precision` chooses for "auto".
        engine: Engine that runs a trained PyTorch model: "auto", or a name (see `btlib.engines`).
        deterministic: Whether bit-identical numbers are requested. PyTorch is configured for this already; a case must
            configure any other framework.
        retrain: Whether to train even if a stored checkpoint fits.
        options: Values of plug-in options, by name.
        report: Function that shows a progress message to the user.
        progress_bars: Whether progress bars may be shown.
        case: Name of the case that receives this object; "" outside a run.
    """

    task: Task
    train: Samples
    val: Samples
    protocol: Protocol
    recipe: Recipe
    seed: int
    checkpoints: Path
    data: str
    split: str
    device: str = "auto"
    precision: str = "auto"
    engine: str = "eager"
    deterministic: bool = False
    retrain: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    report: Callable[[str], None] = field(default=lambda line: None)
    progress_bars: bool = False
    case: str = ""

    @classmethod
    def on(
        cls,
        dataset: Dataset,
        split: Split,
        protocol: Protocol,
        recipe: Recipe,
        seed: int,
        checkpoints: Path,
        **more: Any,
    ) -> Self:
        """Return a `Work` with the training and validation samples of a split; `more` sets further fields by name."""
        return cls(
            task=dataset.task,
            train=dataset.part(split.train),
            val=dataset.part(split.val),
            protocol=protocol,
            recipe=recipe,
            seed=seed,
            checkpoints=checkpoints,
            data=dataset.fingerprint,
            split=split.fingerprint,
            **more,
        )

    @property
    def held_out(self) -> Samples:
        """Validation samples, or training samples if there are no validation samples."""
        return self.val if len(self.val) else self.train


@dataclass(frozen=True, eq=False)
class Prepared:
    """Predictor that is ready to use, with its origin.

    Attributes:
        predictor: Predictor of the case.
        source: Origin of the predictor.
        seconds: Time of the training in this run; 0 if the model was loaded.
        fingerprint: Identity of the trained model (data, split, recipe, code, seed); None without one.
        details: Plain JSON values for the record: device, precision, checkpoint, parameters … `recipe_changes` holds
            the fields of the recipe that have another value for this model than for the run.
        notes: Remarks that readers of the results need, such as missing pretrained weights.
        training_step: Function of a batch size. It returns a function that makes one synchronised optimiser step.
        curves: CSV file with losses and validation scores by epoch, if the model was trained.
        threshold: Threshold of the mask probability, 0…1, chosen without test samples; None uses the protocol's.
        explainer: Function that returns a `btlib.explain.Explainer`, if there is a faster one than calling `predictor`.
        file_digest: Fingerprint of the content of the predictor's files, weights or predictions
            (`btlib.fingerprint.of_file`); None without files. The gate compares the very same files without the
            variance between trainings.
    """

    predictor: Predictor
    source: Source
    seconds: float = 0.0
    fingerprint: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    training_step: Callable[[int], Callable[[], None]] | None = None
    curves: Path | None = None
    threshold: float | None = None
    explainer: Callable[[], Any] | None = None  # Any: btlib.explain imports this package
    file_digest: str | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """Case of the benchmark: one model or method that is measured.

    Attributes:
        name: Short unique name ("A").
        title: Short description.
        has_mask: Whether the case predicts masks.
        has_classes: Whether the case predicts classes.
        prepare: Function that trains or loads the predictor.
        image_size: Side length of the square input images in pixels; None uses the protocol's.
        scaling: Scaling of the images, "thesis", "percentile" or "zscore"; None uses the recipe's or protocol's.
        any_size: Whether the case claims to accept images of any height and width. Runs use squares of one size, so
            this only makes odd sizes a requirement of `btlib check`.
        registered_in: Name of the module in which `@case` registered the case; None if it was made without `@case`.
        needs: Names of cases whose models this case starts from. They are executed first.
        speed_reference: Function that makes the reference for speed ratios; None leaves the choice to the user.
        stored: Function of a `btlib.explain.find.Where` that returns the `Study` of the stored model. If it is None,
            the case is prepared before it is explained.
    """

    name: str
    title: str
    has_mask: bool
    has_classes: bool
    prepare: Callable[[Work], Prepared]
    image_size: int | None = None
    scaling: Scaling | None = None
    any_size: bool = False
    registered_in: str | None = None
    needs: tuple[str, ...] = ()
    speed_reference: MakeReference | None = None
    stored: Callable[[Any], Any] | None = None  # Any: btlib.explain imports this package

    def __post_init__(self) -> None:
        for text in (self.name, self.title):
            shown = text.encode("utf-8", "backslashreplace").decode("utf-8")
            if shown != text:
                raise BtlibError(f"{shown}: not valid UTF-8 text", where="case", hint="use another name or title")
        if not (self.has_mask or self.has_classes):
            raise BtlibError(
                "predicts neither masks nor classes",
                where=f"case {self.name}",
                hint="set has_mask or has_classes",
            )
        if self.any_size and self.image_size is not None:
            raise BtlibError(
                f"declares image_size={self.image_size} and any_size=True",
                where=f"case {self.name}",
                hint="leave out one of the two",
            )
        if self.image_size is not None or self.scaling is not None:
            from btlib.data.preprocess import check

            check(Protocol.image_size if self.image_size is None else self.image_size, self.scaling or Protocol.scaling)

    @property
    def module(self) -> str:
        """Name of the module that defines the case."""
        return self.registered_in or str(definition_of(self.prepare).__module__)

    @property
    def file(self) -> Path | None:
        """Source file that defines the case; None if there is no such file."""
        module = sys.modules.get(self.registered_in or "")
        try:
            found = getattr(module, "__file__", None) or inspect.getsourcefile(definition_of(self.prepare))
        except TypeError:  # built in
            return None
        return None if found is None or not Path(found).is_file() else Path(found).resolve()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics by which the gate judges this case."""
        return ("dice",) * self.has_mask + ("accuracy",) * self.has_classes


def _is_same_file(one: Case, other: Case) -> bool:
    """Whether two cases come from the same file, imported as two modules: once by its path and once by its name."""
    return one.file is not None and one.file == other.file and one.module != other.module


def definition_of(function: Callable[..., Any]) -> Any:
    """Return the definition behind a callable: the unwrapped function, or the class of a callable object."""
    defined: Any = inspect.unwrap(function)
    while isinstance(defined, functools.partial):
        defined = inspect.unwrap(defined.func)
    return defined if hasattr(defined, "__code__") else type(defined)


CASES: Registry[Case] = Registry("case")


def case(
    name: str,
    title: str,
    *,
    has_mask: bool,
    has_classes: bool,
    image_size: int | None = None,
    scaling: Scaling | None = None,
    any_size: bool = False,
    needs: Sequence[str] = (),
    speed_reference: MakeReference | None = None,
) -> Callable[[Callable[[Work], Prepared]], Callable[[Work], Prepared]]:
    """Decorator that registers a `prepare` function as a case.

    Args:
        name: Short unique name.
        title: Short description.
        has_mask: Whether the case predicts masks.
        has_classes: Whether the case predicts classes.
        image_size: Side length of the square input images in pixels; None uses the protocol's.
        scaling: "thesis", "percentile" or "zscore"; None uses the recipe's, or else the protocol's.
        any_size: Whether the case claims to accept images of any height and width; `btlib check` then requires it.
        needs: Names of cases whose models this case starts from; they are executed first.
        speed_reference: Factory of the speed reference; None leaves the choice to the user.

    Raises:
        BtlibError: The name is already registered, the case predicts neither masks nor classes, or it claims any size
            and declares one.
        OptionError: The image size is below 2 pixels.
        UnknownNameError: The scaling does not exist.
    """

    def register(prepare: Callable[[Work], Prepared]) -> Callable[[Work], Prepared]:
        module = sys._getframe(1).f_globals.get("__name__")
        new = Case(
            name,
            title,
            has_mask,
            has_classes,
            prepare,
            image_size,
            scaling,
            any_size,
            registered_in=module,
            needs=tuple(needs),
            speed_reference=speed_reference,
        )
        if not (name in CASES and _is_same_file(CASES[name], new)):
            CASES.add(name, new)
        return prepare

    return register
