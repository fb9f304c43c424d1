"""The options under `--bt-`: declared once, read once into a frozen value, applied to a tier."""

import argparse
import importlib.util
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

if TYPE_CHECKING:
    from btlib.protocol import Tier
    from btlib.types import Scaling

WEIGHTS = ("auto", "coco", "imagenet", "none")
DEVICES = ("auto", "cuda", "mps", "cpu")
SCALINGS = ("thesis", "percentile")
ENGINES = ("auto", "openvino", "compile", "onnxruntime", "eager", "openvino-int8")
"""Those of btlib, known without torch; installed packages may bring more."""

PRECISIONS = ("auto", "fp32", "bf16")


STATUS = "bt_status"
"""Name of what tells which verdict failed an item: on the failure itself and among its report's properties."""


@dataclass(frozen=True)
class Options:
    """What the user asked for; None leaves a choice to the tier.

    Attributes:
        root: Where `baselines/`, `data_figshare/` and the like are looked for: beside the root `conftest.py`.
        data: Folder of slices.
        protocol: Name of a preset (see `btlib.presets`), which brings its own baseline.
        recipe: Name of one of its recipes.
        limit: Use only so many slices, classes in proportion.
        epochs: Passes over the training slices.
        image_size: Side of the input in pixels.
        scaling: How intensities are scaled, one of `SCALINGS`.
        batch_size: Slices in a training step.
        weights: Pretrained weights, one of `WEIGHTS`.
        split: Name of the split.
        baseline: Name in `baselines/`, a file, or "none" to measure only.
        case: Cases to measure, "path/to/file.py::name"; no others are then measured.
        against: Cases of the baseline that new ones are held against; None for all.
        independent: Slices without patient id are independent of each other.
        random_labels: Draw every patient's tumour type at random (see `btlib.data.random_labels`).
        retrain: Train even where a stored model fits.
        output: Folder of the runs.
        checkpoints: Folder of trained models.
        thesis_checkpoints: Folder of the thesis's own checkpoint files.
        device: One of `DEVICES`.
        precision: One of `PRECISIONS`.
        engine: One of `ENGINES`.
        seed: Of the training, the first of them where there are several.
        seeds: How many seeds each case is measured with.
        timeout: Seconds that a case may take with one seed.
        deterministic: Take deterministic algorithms only; the number of threads is then part of a model's identity.
        no_tune: Leave allocator and threads as they are.
        strict: An inconclusive verdict fails, and so does a case of the baseline that is not measured.
    """

    root: Path
    data: Path | None
    protocol: str | None
    recipe: str | None
    limit: int | None
    epochs: int | None
    image_size: int | None
    scaling: "Scaling | None"
    batch_size: int | None
    weights: Literal["auto", "coco", "imagenet", "none"] | None
    split: str | None
    baseline: str | None
    case: tuple[str, ...]
    against: tuple[str, ...] | None
    independent: bool
    random_labels: bool
    retrain: bool
    compile_training: bool
    output: Path
    checkpoints: Path
    thesis_checkpoints: Path | None
    device: str
    precision: str | None
    engine: str | None
    seed: int
    seeds: int
    timeout: int | None
    deterministic: bool
    no_tune: bool
    strict: bool


def add(parser: pytest.Parser) -> None:
    """Declare the options."""
    group = parser.getgroup("btlib", "btlib: benchmarks of brain-tumour segmentation and classification")

    def option(name: str, text: str, **more: Any) -> None:
        group.addoption(f"--bt-{name}", dest=f"bt_{name.replace('-', '_')}", help=text, **more)

    option("data", "folder of .mat slices (full: data_figshare/data; else and in smoke phantoms)", metavar="DIR")
    option("protocol", "full: slice42 (256 px) or cpu128 (128 px, few epochs), from scratch", metavar="NAME")
    option("recipe", "full: thesis, or modern (percentiles, augmentation, cosine, best epoch)", metavar="NAME")
    option("limit", "use N slices only, classes in proportion", metavar="N", type=_count)
    option("epochs", "passes over the training slices", metavar="N", type=_count)
    option("image-size", "side of the input in pixels", metavar="PX", type=_count)
    option("scaling", "thesis: divided by 255; percentile: 1st to 99th to 0…1", choices=SCALINGS)
    option("batch-size", "slices in a training step", metavar="N", type=_count)
    option("weights", "pretrained weights; auto: COCO where they can be had, else none", choices=WEIGHTS)
    option("split", "slice-seed42, patient-5fold-1…5 or cvind-1…5", metavar="NAME")
    option("baseline", "name in baselines/, a file, or none: measure, compare with nothing", metavar="NAME")
    option("case", "measure this case and no others (may be repeated)", metavar="FILE.py::NAME", action="append")
    option("against", "hold new cases against these of the baseline; default: all", metavar="NAME,NAME")
    option("independent", "slices without patient id are independent of each other", action="store_true")
    option("random-labels", "control: tumour types drawn at random, one a patient", action="store_true")
    option("retrain", "train even where a stored model fits", action="store_true")
    option("compile-training", "A-G: compile the training step (torch.compile)", action="store_true")
    option("output", "folder of the runs (default: reports)", metavar="DIR", default="reports")
    option("checkpoints", "folder of trained models (default: checkpoints)", metavar="DIR", default="checkpoints")
    option("thesis-checkpoints", "load the thesis's own .ckpt files of this folder, train nothing", metavar="DIR")
    option("device", "what to train and predict on", choices=DEVICES, default="auto")
    option("precision", "auto: bf16 where the hardware has it; smoke: fp32 unless asked", choices=PRECISIONS)
    option("engine", "what runs the trained models; auto: the fastest that says what fp32 says", metavar="NAME")
    option("seed", "of the training (default: 42, the thesis's)", metavar="N", type=_seed, default=42)
    option("seeds", "measure each case with N seeds, counted up from --bt-seed", metavar="N", type=_count, default=1)
    option("timeout", "seconds that a case may take with one seed", metavar="SECONDS", type=_count)
    option("deterministic", "the same numbers to the bit on one machine, however slow", action="store_true")
    option("no-tune", "leave the allocator and the number of threads as they are", action="store_true")
    option("strict", "fail on inconclusive verdicts and on cases of the baseline left out", action="store_true")


def read(config: pytest.Config) -> Options:
    """The options of a session; output and checkpoints lie beside the root `conftest.py` unless absolute.

    Raises:
        UsageError: A folder that is not there.
    """
    given = {f.name: config.getoption(f"bt_{f.name}") for f in fields(Options) if f.name != "root"}
    for name in ("data", "thesis_checkpoints"):
        if given[name] is not None:
            given[name] = _folder(given[name], f"--bt-{name.replace('_', '-')}", config.invocation_params.dir)
    for name in ("output", "checkpoints"):
        given[name] = config.rootpath / Path(given[name]).expanduser()
    given["case"] = tuple(given["case"] or ())
    given["against"] = None if given["against"] is None else tuple(filter(None, given["against"].split(",")))
    return Options(root=config.rootpath, **given)


def require_engine(name: str | None) -> None:
    """Refuse an engine that neither btlib nor an installed package has.

    Raises:
        UnknownNameError: There is none of this name; the nearest is offered.
    """
    if name is None or name in ENGINES:
        return
    from btlib.registry import unknown_name

    known: tuple[str, ...] = ENGINES
    if importlib.util.find_spec("torch") is not None:  # which engines need
        from btlib.engines import engine_names

        known = engine_names()
    if name not in known:
        raise unknown_name("engine", name, known, where="--bt-engine")


def tier_of(options: Options, name: str) -> "Tier":
    """The tier of this name, with what the user asked for in place of its own settings.

    Raises:
        UnknownNameError: No such protocol or recipe.
    """
    from btlib.presets import apply_preset
    from btlib.protocol import TIERS

    tier = TIERS[name]
    if (options.protocol or options.recipe) and not tier.fixed:
        tier = apply_preset(tier, options.protocol, options.recipe)
    head_epochs = tier.recipe.head_epochs if options.epochs is None else None
    recipe: dict[str, Any] = {"epochs": options.epochs, "batch_size": options.batch_size, "weights": options.weights}
    recipe["compiled"] = options.compile_training or None
    protocol: dict[str, Any] = {"image_size": options.image_size, "split": options.split}
    (protocol if tier.recipe.scaling is None else recipe)["scaling"] = options.scaling  # a recipe's own would win
    return replace(
        tier,
        recipe=replace(tier.recipe, head_epochs=head_epochs, **_given(recipe)),
        protocol=replace(tier.protocol, **_given(protocol)),
        baseline=options.baseline or tier.baseline,
        precision=options.precision or tier.precision,
        engine=options.engine or tier.engine,
    )


def _given(choices: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in choices.items() if value is not None}


def _folder(text: str, option: str, base: Path) -> Path:
    folder = base / Path(text).expanduser()
    if not folder.is_dir():
        raise pytest.UsageError(f"{option}: {folder} is not a folder. To mend it: give a folder that is there")
    return folder


def _count(text: str) -> int:
    return _whole(text, 1)


def _seed(text: str) -> int:
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"expected a whole number from {least}, got {text!r}")
    return int(text)
