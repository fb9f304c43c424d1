"""A benchmark case: a name, what it predicts, and a way to get its predictor."""

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
"""How a predictor came about: trained now, trained on from an interrupted run, loaded from the store of checkpoints,
loaded from a file that the user named, or given ready-made by the case."""


@dataclass(frozen=True, eq=False)
class Work:
    """All a case needs to make its predictor.

    Attributes:
        task: What is asked: names of classes, structures and channels.
        train: The training samples: images float32 [n, channels, s, s] with masks, labels and patients, read-only.
        val: The validation samples, likewise; there may be none. Test samples are not handed over.
        protocol: How the numbers are made: image size in pixels, scaling, threshold of the mask …
        recipe: How to train: epochs, samples in a batch, learning rate …
        seed: Seed of initialisation, order of samples and dropout, from 0.
        checkpoints: Folder in which trained models are stored (`btlib.cases.fit_or_load`).
        data: Identity of the whole data set.
        split: Identity of the split into training, validation and test samples.
        device: "auto", "cuda", "mps" or "cpu"; `btlib.adapters.torch.resolve_device` makes a PyTorch device of it.
        precision: "auto", "fp32" or "bf16"; `btlib.adapters.torch.resolve_precision` chooses for "auto".
        engine: What runs a trained PyTorch model: "auto", or an engine by name (see `btlib.engines`).
        deterministic: The same numbers to the bit are asked for: PyTorch is told so; other frameworks a case must tell.
        retrain: Train even where a stored checkpoint fits.
        options: What the user asked for by options of plug-ins, by their names.
        report: Called with a line of progress for the user.
        progress_bars: Whether progress bars may be drawn.
        case: Name of the case that is given this; "" outside a run.
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
        """Work on the training and validation samples of a split; `more` are fields by name."""
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
        """Samples to choose by: validation samples, or training samples where none validate."""
        return self.val if len(self.val) else self.train


@dataclass(frozen=True, eq=False)
class Prepared:
    """A predictor that is ready, and where it comes from.

    Attributes:
        predictor: Gives the predictions.
        source: How it came about.
        seconds: Time spent on training now (0 where it was loaded).
        fingerprint: Identity of the trained model (data, split, recipe, code, seed); None where it has none.
        details: Plain JSON values for the record: recipe, device, precision, checkpoint, parameters …
        notes: Things a reader of the numbers must know, such as missing pretrained weights.
        training_step: Given a batch size, returns a function that makes one synchronised optimiser step.
        curves: CSV of losses and validation scores by epoch, where it was trained.
        threshold: Of the mask, 0…1, chosen without a look at test samples; None takes the protocol's.
        explainer: Returns a `btlib.explain.Explainer` that is faster than asking `predictor`; None where there is none.
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
    explainer: Callable[[], Any] | None = None  # typed by its maker: that room stands above this one


@dataclass(frozen=True, eq=False)
class Case:
    """One row of the benchmark.

    Attributes:
        name: Short and unique ("A").
        title: What it is, in a few words.
        has_mask: Whether it predicts masks.
        has_classes: Whether it predicts classes.
        prepare: Trains or loads its predictor.
        image_size: Side of the square images it takes in pixels; None takes the protocol's.
        scaling: How its images are scaled, "thesis" or "percentile"; None takes the recipe's or else the protocol's.
        registered_in: Name of the module whose `@case` made it; None where it was made otherwise.
        needs: Names of cases whose models it starts from; they are executed before it.
        speed_reference: Makes what its speed is compared with; None leaves that to the user.
        stored: Given a `btlib.explain.find.Where`, returns the `Study` of its stored model; None where it has none, and
            is prepared to be explained.
    """

    name: str
    title: str
    has_mask: bool
    has_classes: bool
    prepare: Callable[[Work], Prepared]
    image_size: int | None = None
    scaling: Scaling | None = None
    registered_in: str | None = None
    needs: tuple[str, ...] = ()
    speed_reference: MakeReference | None = None
    stored: Callable[[Any], Any] | None = None  # typed by its maker: that room stands above this one

    def __post_init__(self) -> None:
        for text in (self.name, self.title):
            shown = text.encode("utf-8", "backslashreplace").decode("utf-8")
            if shown != text:
                raise BtlibError(f"{shown}: no text that UTF-8 can hold", where="case", hint="give it another name")
        if not (self.has_mask or self.has_classes):
            raise BtlibError(
                "predicts neither masks nor classes", where=f"case {self.name}", hint="declare at least one"
            )
        if self.image_size is not None or self.scaling is not None:
            from btlib.data.preprocess import check

            check(Protocol.image_size if self.image_size is None else self.image_size, self.scaling or Protocol.scaling)

    @property
    def module(self) -> str:
        """Name of the module that it comes from."""
        return self.registered_in or str(definition_of(self.prepare).__module__)

    @property
    def file(self) -> Path | None:
        """The source file that it comes from; None where it has none."""
        module = sys.modules.get(self.registered_in or "")
        try:
            found = getattr(module, "__file__", None) or inspect.getsourcefile(definition_of(self.prepare))
        except TypeError:  # built in
            return None
        return None if found is None or not Path(found).is_file() else Path(found).resolve()

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics the gate holds this case to."""
        return ("dice",) * self.has_mask + ("accuracy",) * self.has_classes


def _is_same_file(one: Case, other: Case) -> bool:
    """Whether two cases are one, whose file was imported as two modules: by its path and by its name."""
    return one.file is not None and one.file == other.file and one.module != other.module


def definition_of(function: Callable[..., Any]) -> Any:
    """What stands in the source for something that can be called: a function, or the class of an object."""
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
    needs: Sequence[str] = (),
    speed_reference: MakeReference | None = None,
) -> Callable[[Callable[[Work], Prepared]], Callable[[Work], Prepared]]:
    """Decorator that registers a `prepare` function as a case.

    Args:
        name: Short and unique.
        title: What it is, in a few words.
        has_mask: Whether it predicts masks.
        has_classes: Whether it predicts classes.
        image_size: Side of the square images it takes in pixels; None takes the protocol's.
        scaling: "thesis" or "percentile"; None takes the recipe's or else the protocol's.
        needs: Names of cases whose models it starts from; they are executed before it.
        speed_reference: Makes what its speed is compared with; None leaves that to the user.

    Raises:
        BtlibError: The name is taken, or it predicts nothing.
        OptionError: A size below 2 pixels.
        UnknownNameError: No such scaling.
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
            registered_in=module,
            needs=tuple(needs),
            speed_reference=speed_reference,
        )
        if not (name in CASES and _is_same_file(CASES[name], new)):
            CASES.add(name, new)
        return prepare

    return register
