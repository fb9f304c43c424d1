"""Options of a run. Each is declared once, as a field; the options of pytest and of `btlib run` are made from these."""

import importlib.util
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from btlib.errors import OptionError
from btlib.ranges import COUNT, ERROR_RATE, SEED, Range
from btlib.registry import unknown_name
from btlib.stages import normalised, stages
from btlib.types import DEVICES, SCALINGS, Scaling

if TYPE_CHECKING:
    from btlib.protocol import Protocol, Recipe, Tier

ENGINES = ("auto", "openvino", "compile", "onnxruntime", "eager", "openvino-int8")
"""Engines of btlib, listed here without importing torch. Installed packages may add engines."""

PRECISIONS = ("auto", "fp32", "bf16")

Kind = Literal["text", "list", "repeated", "count", "seed", "stages", "share", "folder", "place", "flag"]
"""Kind of an option's value, in this order: any text; names separated by commas; an option that may be repeated; a
whole number from 1; a whole number from 0; numbers of seeds (see `btlib.stages`); a share between 0 and 1; an existing
folder; a folder that may be created; a switch."""

RANGES: Mapping[str, Range] = {"count": COUNT, "seed": SEED, "share": ERROR_RATE}
"""Kind of an option that is a number → its range."""


@dataclass(frozen=True)
class Declared:
    """Description of an option on a command line.

    Attributes:
        text: Help text.
        kind: Kind of the value.
        metavar: Placeholder for the value in the help.
        choices: Allowed values; None allows any value.
    """

    text: str
    kind: Kind = "text"
    metavar: str | None = None
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True)
class PluginOption:
    """Option of a plug-in. Its value is passed to `Work.options` and to the plug-in's hooks.

    Attributes:
        name: Name without leading dashes, for example "weights" for "--bt-weights" and "--weights".
        declared: Description of the option. The value of a folder option is an absolute path.
        default: Value if the user does not set the option.
    """

    name: str
    declared: Declared
    default: Any = None

    @property
    def key(self) -> str:
        """Name with underscores, as in `Work.options`."""
        return self.name.replace("-", "_")


def _option(
    text: str, kind: Kind = "text", metavar: str | None = None, default: Any = None, choices: Any = None
) -> Any:
    declared = Declared(text, kind, metavar, choices)
    return field(default=default, metadata={"declared": declared})


@dataclass(frozen=True)
class RunOptions:
    """Options of a run. None means that the tier decides. The help texts below describe each field.

    Attributes:
        root: Project folder. It contains `baselines/` and `data_figshare/`; relative paths start there.
        plugins: Values of plug-in options, by name.
    """

    root: Path = field(default_factory=Path.cwd)
    data: Path | None = _option(
        "folder of samples (default: full uses data_figshare/data if present; otherwise, and in smoke, phantoms)",
        "folder",
        "DIR",
    )
    protocol: str | None = _option("name of a protocol, which also sets the baseline; full only", metavar="NAME")
    recipe: str | None = _option("name of one of the protocol's recipes; full only", metavar="NAME")
    limit: int | None = _option("use only N samples; class proportions are preserved", "count", "N")
    epochs: int | None = _option("number of passes over the training samples", "count", "N")
    image_size: int | None = _option("side length of the input images in pixels", "count", "PX")
    scaling: Scaling | None = _option(
        "thesis: divide by 255; percentile: map the 1st to 99th percentile to 0…1; zscore: mean 0, deviation 1 "
        "(default: thesis for Figshare; percentile for other data)",
        choices=SCALINGS,
    )
    batch_size: int | None = _option("samples per training step", "count", "N")
    split: str | None = _option(
        "official (of the data), patient-5fold-1…5, random-5fold-1…5, slice-seed42 or cvind-1…5 (default: slice-seed42 "
        "for Figshare; for other data the first that they allow, in this order)",
        metavar="NAME",
    )
    folds: str | None = _option(
        "test on several folds and pool the results: patient-5fold (all folds), or NAME-1,NAME-3", metavar="FOLDS"
    )
    baseline: str | None = _option("name in baselines/, path of a file, or none for no comparison", metavar="NAME")
    case: tuple[str, ...] = _option("measure only this case (may be repeated)", "repeated", "FILE.py::NAME", default=())
    against: tuple[str, ...] | None = _option(
        "compare new cases with these cases of the baseline (default: all)", "list", "NAME,NAME"
    )
    speed_reference: str | None = _option(
        "report the speed of cases without their own reference as a ratio to the speed of this case", metavar="CASE"
    )
    independent: bool = _option(
        "treat samples without a patient id as independent of each other", "flag", default=False
    )
    random_labels: bool = _option("control: draw classes at random, one class per patient", "flag", default=False)
    retrain: bool = _option("train even if a stored model fits", "flag", default=False)
    name: str | None = _option("title of the run in reports and tables", metavar="TITLE")
    output: Path = _option("folder of the runs (default: reports)", "place", "DIR", default=Path("reports"))
    checkpoints: Path = _option(
        "folder of trained models (default: checkpoints)", "place", "DIR", default=Path("checkpoints")
    )
    device: str = _option("device for training and prediction", default="auto", choices=DEVICES)
    precision: str | None = _option(
        "auto: bf16 if the hardware supports it, else fp32; smoke uses fp32 by default", choices=PRECISIONS
    )
    engine: str | None = _option(
        "engine that runs the trained models; auto: the fastest engine that agrees with fp32", metavar="NAME"
    )
    seed: int = _option("seed of the training (default: 42)", "seed", "N", default=42)
    seeds: int | str = _option(
        "measure each case with N consecutive seeds, starting at the seed; 1..N: in stages of 1, 3, 5 … N seeds, until "
        "no verdict on the case is inconclusive or suspect (default: 1)",
        "stages",
        "N|1..N",
        default=1,
    )
    timeout: int | None = _option("time limit in seconds for one case with one seed", "count", "SECONDS")
    deterministic: bool = _option(
        "compute bit-identical numbers on the same machine; this can be slow", "flag", default=False
    )
    no_tune: bool = _option("do not change the allocator or the number of threads", "flag", default=False)
    strict: bool = _option(
        "fail if a verdict is inconclusive or suspect, or a case of the baseline is left out", "flag", default=False
    )
    alpha: float = _option(
        "probability that an unchanged suite has any regression (default: 0.05)", "share", "ALPHA", default=0.05
    )
    rescore: bool = _option(
        "the models are the same as those of the baseline: verdicts do not cover another training",
        "flag",
        default=False,
    )
    plugins: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root).expanduser().absolute())
        for name in ("output", "checkpoints"):
            object.__setattr__(self, name, self.root / Path(getattr(self, name)).expanduser())
        if self.data is not None:
            object.__setattr__(self, "data", Path(self.data).expanduser())
        if self.speed_reference is not None:
            file, colons, name = self.speed_reference.partition("::")
            if (
                file.endswith(".py") and Path(file).expanduser().is_file()
            ):  # an absolute path, because the run may be resumed from another folder
                object.__setattr__(self, "speed_reference", f"{Path(file).expanduser().absolute()}{colons}{name}")
        for name in ("case", "against"):
            value = getattr(self, name)
            object.__setattr__(self, name, value if value is None else tuple(value))
        if self.split is not None and self.folds is not None:
            raise OptionError(
                "a run has one split or several folds",
                where=f"{written('split')}, {written('folds')}",
                hint="give one of the two",
            )
        for name, declared in declarations().items():
            _require_in_range(name, declared.kind, getattr(self, name), default_of(name))
        object.__setattr__(self, "seeds", normalised(self.seeds, written("seeds")))
        for name, declared in declarations().items():
            value = getattr(self, name)
            if declared.choices is not None and value is not None and value not in declared.choices:
                raise unknown_name(name.replace("_", " "), str(value), declared.choices, where=written(name))

    @property
    def stages(self) -> tuple[int, ...]:
        """Numbers of seeds after which a case is judged, increasing; one number if there are no stages."""
        return stages(self.seeds)

    def as_json(self) -> dict[str, Any]:
        """Return all options as plain JSON values, readable by `from_json`."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RunOptions":
        """Read options from the output of `as_json`.

        Raises:
            OptionError: The input contains an option that this version does not have.
        """
        known = {f.name for f in fields(cls)}
        if strange := sorted(value.keys() - known):
            raise OptionError(
                f"unknown options: {', '.join(strange)}",
                where="options of a run",
                hint="use the btlib version that made the run",
            )
        paths = {"root", "data", "output", "checkpoints"}
        given: dict[str, Any] = {
            name: Path(part) if name in paths and part is not None else part for name, part in value.items()
        }
        folders = {option.key for option in plugin_options() if option.declared.kind in ("folder", "place")}
        plugins = given.get("plugins", {})
        given["plugins"] = {n: Path(v) if n in folders and v is not None else v for n, v in plugins.items()}
        return cls(**given)


def declarations() -> dict[str, Declared]:
    """Return the fields of `RunOptions` that are command-line options, by name."""
    return {f.name: f.metadata["declared"] for f in fields(RunOptions) if "declared" in f.metadata}


def default_of(name: str) -> Any:
    """Return the default value of a field of `RunOptions`; None if it has a default factory."""
    found = next(f for f in fields(RunOptions) if f.name == name)
    return None if found.default is MISSING else found.default


def plugin_options() -> list[PluginOption]:
    """Return the options of all plug-ins.

    Raises:
        OptionError: Two options have the same name.
    """
    from btlib import hooks

    found: dict[str, PluginOption] = {}
    for option in (option for options in hooks.call().btlib_options() for option in options):
        if option.key in declarations() or option.key in found:
            raise OptionError("two options have this name", where=option.name, hint="rename or uninstall a plug-in")
        found[option.key] = option
    return list(found.values())


def written(name: str) -> str:
    """An option as users write it, for errors; `btlib run` takes it without "bt-", too."""
    return f"--bt-{name.replace('_', '-')}"


def plugin_values(options: Iterable[PluginOption], given: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Values of the options of plug-ins, by key: what was given, else their defaults; paths are absolute.

    Args:
        options: The options of all plug-ins.
        given: Values by key, parsed or as Python values.
        base: Folder that relative paths start from.

    Raises:
        OptionError: A value is not among the choices of its option, or is a number out of range.
    """
    found = {}
    for option in options:
        value = given.get(option.key)
        value = option.default if value is None else value
        choices = option.declared.choices
        if value is not None and choices is not None and value not in choices:
            raise OptionError(f"expected one of {', '.join(choices)}, got {value!r}", where=written(option.name))
        _require_in_range(option.key, option.declared.kind, value)
        if value is not None and option.declared.kind in ("folder", "place"):
            value = base / Path(value).expanduser()
        elif option.declared.kind in ("list", "repeated"):
            value = value if value is None else tuple(value)
        found[option.key] = value
    return found


def parser_of(declared: Declared, base: Path, where: str) -> Callable[[str], Any]:
    """Return a function that converts an option's text to its value.

    Args:
        declared: Description of the option.
        base: Folder from which relative paths start.
        where: The option as the user writes it, for error messages.
    """

    def parse(text: str) -> Any:
        if declared.kind in RANGES:
            return _number(text, declared.kind, where)
        if declared.kind == "stages":
            return normalised(text, where)
        if declared.kind == "list":
            return tuple(filter(None, text.split(",")))
        if declared.kind == "folder":
            folder = base / Path(text).expanduser()
            if not folder.is_dir():
                raise OptionError(f"{folder} is not a folder", where=where, hint="give an existing folder")
            return folder
        if declared.kind == "place":
            return Path(text)
        if declared.choices is not None and text not in declared.choices:
            raise unknown_name(where, text, declared.choices)
        return text

    return parse


def require_engine(name: str | None) -> None:
    """Raise an error if neither btlib nor an installed package provides the engine.

    Raises:
        UnknownNameError: No engine has this name. The message suggests the most similar name.
    """
    if name is None or name in ENGINES:
        return
    known: tuple[str, ...] = ENGINES
    if importlib.util.find_spec("torch") is not None:  # btlib.engines needs torch
        from btlib.engines import engine_names

        known = engine_names()
    if name not in known:
        raise unknown_name("engine", name, known, where=written("engine"))


def adjusted(
    tier: "Tier", options: RunOptions, protocol: "Protocol | None" = None, recipe: "Recipe | None" = None
) -> "Tier":
    """Return the tier with the user's options applied to its settings.

    Args:
        tier: Default settings.
        options: Options of the user.
        protocol: Protocol that replaces the tier's or the named one; None replaces nothing.
        recipe: Recipe that replaces the tier's or the named one; None replaces nothing.

    Raises:
        UnknownNameError: The protocol or recipe does not exist.
        OptionError: The tier has a fixed protocol and recipe, or a plug-in rejects the options.
    """
    from btlib import hooks
    from btlib.protocol import apply_preset

    for name in ("protocol", "recipe"):
        if tier.fixed and getattr(options, name) is not None:
            raise OptionError(
                f"the protocol and the recipe of the tier {tier.name} are fixed",
                where=written(name),
                hint="use this option with the tier full",
            )
    if options.protocol or options.recipe:
        tier = apply_preset(tier, options.protocol, options.recipe)
    tier = replace(tier, protocol=protocol or tier.protocol, recipe=recipe or tier.recipe)
    trained: dict[str, Any] = {"epochs": options.epochs, "batch_size": options.batch_size}
    measured: dict[str, Any] = {"image_size": options.image_size, "split": options.folds or options.split}
    (measured if tier.recipe.scaling is None else trained)["scaling"] = options.scaling  # the recipe's has priority
    tier = replace(
        tier,
        recipe=replace(tier.recipe, **_given(trained)),
        protocol=replace(tier.protocol, **_given(measured)),
        baseline=options.baseline or tier.baseline,
        precision=options.precision or tier.precision,
        engine=options.engine or tier.engine,
    )
    for adjust in hooks.call().btlib_adjust_tier(options=options, given=_given(dict(options.plugins))):
        tier = adjust(tier)
    return tier


def _given(choices: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in choices.items() if value is not None}


def _require_in_range(name: str, kind: Kind, value: object, default: object = None) -> None:
    """Check the value of an option that is a number; None passes if it is the default."""
    if kind in RANGES and (value is not None or default is not None):
        RANGES[kind].require(value, written(name))


def _number(text: str, kind: Kind, where: str) -> int | float:
    """Convert the text of an option that is a number."""
    found: object = text
    with suppress(ValueError):
        found = float(text) if kind == "share" else int(text) if text.isdecimal() else text
    if found not in RANGES[kind]:
        RANGES[kind].require(text, where, hint="0.05, for example" if kind == "share" else None)
    return found  # type: ignore[return-value]  # it is in a range of numbers


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    return {name: _plain(part) for name, part in value.items()} if isinstance(value, Mapping) else value
