"""Each option reaches the field that it is for, is checked when it is parsed, and stands above the tier's own."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from btlib import hooks
from btlib.api.execution import _options
from btlib.api.opening import tier_of
from btlib.cli.run import _with_options
from btlib.errors import OptionError, UnknownNameError
from btlib.options import Declared, PluginOption, RunOptions
from btlib.protocol import TIERS, Protocol
from btlib.thesis.presets import MODERN, THESIS

Parse = Callable[..., RunOptions]

DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(("data", "protocol", "recipe", "limit", "epochs", "image_size", "scaling", "batch_size")),
    **dict.fromkeys(("split", "folds", "baseline", "against", "speed_reference", "name")),
    **dict.fromkeys(("precision", "engine", "timeout")),
    **dict.fromkeys(("independent", "random_labels", "retrain"), False),
    **dict.fromkeys(("deterministic", "no_tune", "strict", "rescore"), False),
    "alpha": 0.05,
    "case": (),
    "device": "auto",
    "seed": 42,
    "seeds": 1,
    "plugins": {"weights": None, "batch_norm": None, "compile_training": False, "thesis_checkpoints": None},
}


def test_without_options_the_tier_decides(parse: Parse, tmp_path: Path) -> None:
    folders = {"root": tmp_path, "output": tmp_path / "reports", "checkpoints": tmp_path / "checkpoints"}
    assert asdict(parse()) == DEFAULTS | folders
    assert {f.name for f in fields(RunOptions)} == {*DEFAULTS, *folders}


@pytest.mark.parametrize(
    ("arg", "field", "value"),
    [
        ("--bt-protocol=cpu128", "protocol", "cpu128"),
        ("--bt-recipe=modern", "recipe", "modern"),
        ("--bt-limit=30", "limit", 30),
        ("--bt-limit=1", "limit", 1),
        ("--bt-epochs=3", "epochs", 3),
        ("--bt-image-size=64", "image_size", 64),
        ("--bt-scaling=percentile", "scaling", "percentile"),
        ("--bt-batch-size=2", "batch_size", 2),
        ("--bt-split=cvind-2", "split", "cvind-2"),
        ("--bt-folds=cvind", "folds", "cvind"),
        ("--bt-speed-reference=D", "speed_reference", "D"),
        ("--bt-name=a", "name", "a"),
        ("--bt-baseline=mine", "baseline", "mine"),
        ("--bt-case=a.py::b", "case", ("a.py::b",)),
        ("--bt-case=b --bt-case=a", "case", ("b", "a")),
        ("--bt-against=B,A", "against", ("B", "A")),
        ("--bt-against=B,", "against", ("B",)),
        ("--bt-independent", "independent", True),
        ("--bt-random-labels", "random_labels", True),
        ("--bt-retrain", "retrain", True),
        ("--bt-device=mps", "device", "mps"),
        ("--bt-precision=bf16", "precision", "bf16"),
        ("--bt-engine=openvino-int8", "engine", "openvino-int8"),
        ("--bt-seed=0", "seed", 0),
        ("--bt-seeds=10", "seeds", 10),
        ("--bt-seeds=1..5", "seeds", "1..5"),
        ("--bt-timeout=5", "timeout", 5),
        ("--bt-deterministic", "deterministic", True),
        ("--bt-no-tune", "no_tune", True),
        ("--bt-strict", "strict", True),
        ("--bt-alpha=0.1", "alpha", 0.1),
        ("--bt-rescore", "rescore", True),
    ],
)
def test_an_option_changes_its_own_field_and_no_other(parse: Parse, arg: str, field: str, value: Any) -> None:
    assert parse(*arg.split()) == replace(parse(), **{field: value})


@pytest.mark.parametrize(
    ("arg", "name", "value"),
    [("--bt-weights=imagenet", "weights", "imagenet"), ("--bt-compile-training", "compile_training", True)],
)
def test_an_option_of_a_plug_in_changes_its_own_value_and_no_other(
    parse: Parse, arg: str, name: str, value: Any
) -> None:
    assert parse(arg) == replace(parse(), plugins={**parse().plugins, name: value})


class Brings:
    """A plug-in with options of every kind."""

    @hooks.hookimpl
    def btlib_options(self) -> list[PluginOption]:
        kinds: dict[str, tuple[Any, Any]] = {
            **{"my-text": ("text", "a"), "my-list": ("list", None), "my-repeated": ("repeated", ())},
            **{"my-count": ("count", 3), "my-seed": ("seed", 0), "my-folder": ("folder", None)},
            **{"my-place": ("place", None), "my-flag": ("flag", False), "my-share": ("share", 0.5)},
            **{"my-stages": ("stages", 1)},
        }
        return [
            *(PluginOption(name, Declared(f"{kind} of mine", kind), at) for name, (kind, at) in kinds.items()),
            PluginOption("my-choice", Declared("one of two", choices=("x", "y"))),
        ]


@pytest.fixture
def _brought() -> Iterator[None]:
    plugin = Brings()
    hooks.manager().register(plugin)
    yield
    hooks.manager().unregister(plugin)


@pytest.mark.usefixtures("_brought")
def test_options_of_plug_ins_appear_beside_those_of_btlib(parse: Parse, tmp_path: Path) -> None:
    def mine(*args: str) -> dict[str, Any]:
        return {name: value for name, value in parse(*args).plugins.items() if name.startswith("my_")}

    plain = {
        **{"my_text": "a", "my_list": None, "my_repeated": (), "my_count": 3, "my_seed": 0, "my_folder": None},
        **{"my_place": None, "my_flag": False, "my_choice": None, "my_share": 0.5, "my_stages": 1},
    }
    assert mine() == plain
    (tmp_path / "here" / "there").mkdir()
    given = mine(
        *("--bt-my-text=b", "--bt-my-list=p,q", "--bt-my-repeated=1", "--bt-my-repeated=2", "--bt-my-count=7"),
        *("--bt-my-seed=5", "--bt-my-folder=there", "--bt-my-flag", "--bt-my-choice=y", "--bt-my-share=1e-3"),
        "--bt-my-stages=2..4",
    )
    assert given == {
        **{"my_text": "b", "my_list": ("p", "q"), "my_repeated": ("1", "2"), "my_count": 7, "my_seed": 5},
        **{
            "my_folder": tmp_path / "here" / "there",
            "my_place": None,
            "my_flag": True,
            "my_choice": "y",
            "my_share": 0.001,
            "my_stages": "2..4",
        },
    }
    for wrong in ("--bt-my-count=0", "--bt-my-choice=z"):
        with pytest.raises((pytest.UsageError, argparse.ArgumentError)):
            parse(wrong)
    with pytest.raises(pytest.UsageError, match=r"^--bt-my-folder: .*nowhere is not a folder"):
        parse("--bt-my-folder=nowhere")


@pytest.mark.usefixtures("_brought")
def test_pytest_the_command_and_python_give_the_same_values(
    parse: Parse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of paths that start from where the user stands; the command takes pytest's spelling, too."""
    (tmp_path / "here" / "there").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    args = {
        **{"my-text": "b", "my-list": "p,q", "my-count": "7", "my-seed": "5", "my-folder": "there"},
        **{
            "my-place": "new/one",
            "my-choice": "y",
            "my-stages": "1..5",
            "seed": "3",
            "data": "there",
            "against": "A,B",
            "timeout": "9",
        },
        **{"alpha": "0.01", "my-share": "0.25"},
    }

    def by_command(prefix: str) -> RunOptions:
        found: list[RunOptions] = []

        def command(**options: Any) -> None:
            found.append(_options({name: value for name, value in options.items() if value is not None}))

        app = typer.Typer()
        app.command()(_with_options(command))
        spelt = [f"--{prefix}{name}={value}" for name, value in args.items()] + [f"--{prefix}my-flag"]
        spelt += [f"--{prefix}my-repeated=1", f"--{prefix}my-repeated=2"]
        result = CliRunner().invoke(app, spelt, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return found[0]

    repeated = ("--bt-my-repeated=1", "--bt-my-repeated=2")
    given = {"my_text": "b", "my_list": ["p", "q"], "my_repeated": ["1", "2"], "my_count": 7, "my_seed": 5, "seed": 3}
    given |= {
        "my_folder": "there",
        "my_place": "new/one",
        "my_choice": "y",
        "my_stages": "1..5",
        "my_flag": True,
        "data": Path("there"),
    }
    given |= {"my_share": 0.25, "alpha": 0.01}
    python = _options(given | {"against": ("A", "B"), "timeout": 9})
    by_pytest = parse(*(f"--bt-{name}={value}" for name, value in args.items()), "--bt-my-flag", *repeated)
    assert by_pytest.plugins["my_place"] == tmp_path / "here" / "new" / "one"
    for found in (python, by_command(""), by_command("bt-")):
        assert found.plugins == by_pytest.plugins
        for name in ("seed", "data", "against", "timeout", "alpha"):
            theirs, ours = getattr(found, name), getattr(by_pytest, name)
            assert (theirs.absolute() if isinstance(theirs, Path) else theirs) == ours


@pytest.mark.parametrize("name", ["strict", "image-size", "weights"])
def test_an_option_of_a_taken_name_is_refused(parse: Parse, name: str) -> None:
    class Taken:
        @hooks.hookimpl
        def btlib_options(self) -> list[PluginOption]:
            return [PluginOption(name, Declared("mine"))]

    plugin = Taken()
    hooks.manager().register(plugin)
    try:
        with pytest.raises(OptionError, match=f"^{name}: two options have this name"):
            parse()
    finally:
        hooks.manager().unregister(plugin)


@pytest.mark.parametrize("option", ["limit", "epochs", "image-size", "batch-size", "seeds", "timeout", "seed"])
def test_counts_are_whole_numbers_from_1_and_a_seed_from_0(parse: Parse, option: str) -> None:
    least = int(option != "seed")
    assert getattr(parse(f"--bt-{option}={least}"), option.replace("-", "_")) == least
    for text in (str(least - 1), "1.5", "many", "²", ""):
        with pytest.raises((pytest.UsageError, argparse.ArgumentError)) as caught:
            parse(f"--bt-{option}={text}")
        assert f"expected a whole number from {least}{'' if least else ' to 4294967295'}, got {text!r}" in str(
            caught.value
        )


@pytest.mark.parametrize("text", ["0", "1", "-0.1", "1.5", "nan", "inf", "many", "5%", ""])
def test_an_error_rate_is_between_0_and_1(parse: Parse, text: str) -> None:
    with pytest.raises((pytest.UsageError, argparse.ArgumentError)) as caught:
        parse(f"--bt-alpha={text}")
    assert f"expected a finite number from 1e-09 and below 1, got {text!r}" in str(caught.value)
    for value in (text, 0, 1, True, None, float("nan")):
        with pytest.raises(OptionError, match=r"^--bt-alpha: expected a finite number from 1e-09 and below 1"):
            RunOptions(alpha=value)  # type: ignore[arg-type]


def test_folders_that_are_read_are_where_the_user_stands_and_those_that_are_written_in_the_project(
    parse: Parse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("here/samples", "here/theirs", "samples", "home/samples"):
        (tmp_path / name).mkdir(parents=True)
    found = parse("--bt-data=samples", "--bt-thesis-checkpoints=theirs", "--bt-output=out", "--bt-checkpoints=kept")
    assert (found.data, found.plugins["thesis_checkpoints"]) == (tmp_path / "here/samples", tmp_path / "here/theirs")
    assert (found.output, found.checkpoints) == (tmp_path / "out", tmp_path / "kept")
    found = parse("--bt-data=~/samples", "--bt-output=~/out", f"--bt-checkpoints={tmp_path}/elsewhere")
    assert (found.data, found.output) == (tmp_path / "home/samples", tmp_path / "home/out")
    assert found.checkpoints == tmp_path / "elsewhere"


@pytest.mark.parametrize("option", ["--bt-data", "--bt-thesis-checkpoints"])
def test_a_folder_that_is_not_there_is_an_error(parse: Parse, tmp_path: Path, option: str) -> None:
    (tmp_path / "nowhere").mkdir()  # in the project, not where the user stands
    with pytest.raises(pytest.UsageError, match=f"^{option}: .*here/nowhere is not a folder"):
        parse(f"{option}=nowhere")
    parse()
    (tmp_path / "here" / "file").touch()
    with pytest.raises(pytest.UsageError, match="here/file is not a folder"):
        parse(f"{option}=file")


FULL = TIERS["full"]


@pytest.mark.parametrize("tier", ["smoke", "full"])
def test_a_tier_is_as_it_is_unless_something_is_asked_for(parse: Parse, tier: str) -> None:
    assert tier_of(parse(), tier) == TIERS[tier]


@pytest.mark.parametrize("tier", ["smoke", "full"])
@pytest.mark.parametrize(
    ("arg", "part", "change"),
    [
        ("--bt-epochs=3", "recipe", {"epochs": 3, "head_epochs": None}),
        ("--bt-batch-size=2", "recipe", {"batch_size": 2}),
        ("--bt-weights=imagenet", "recipe", {"weights": "imagenet"}),
        ("--bt-compile-training", "recipe", {"compiled": True}),
        ("--bt-batch-norm=frozen", "recipe", {"drifting_batch_norm": False}),
        ("--bt-batch-norm=drifting", "recipe", {"drifting_batch_norm": True}),
        ("--bt-image-size=64", "protocol", {"image_size": 64}),
        ("--bt-split=cvind-2", "protocol", {"split": "cvind-2"}),
        ("--bt-scaling=percentile", "protocol", {"scaling": "percentile"}),
        ("--bt-baseline=mine", "tier", {"baseline": "mine"}),
        ("--bt-precision=bf16", "tier", {"precision": "bf16"}),
        ("--bt-engine=onnxruntime", "tier", {"engine": "onnxruntime"}),
        ("--bt-seed=3", "tier", {}),
    ],
)
def test_an_option_stands_above_the_tiers_own(
    parse: Parse, tier: str, arg: str, part: str, change: dict[str, Any]
) -> None:
    own: Any = TIERS[tier]
    expected = replace(own, **(change if part == "tier" else {part: replace(getattr(own, part), **change)}))
    assert tier_of(parse(arg), tier) == expected


@pytest.mark.parametrize(
    ("args", "protocol", "recipe", "baseline"),
    [
        (["--bt-protocol=slice42"], Protocol(), THESIS, "figshare-slice42"),
        (["--bt-protocol=cpu128"], Protocol(image_size=128), replace(THESIS, epochs=4), "figshare-cpu128"),
        (["--bt-recipe=modern"], Protocol(), MODERN, "figshare-slice42-modern"),
        (["--bt-recipe=modern", "--bt-baseline=mine"], Protocol(), MODERN, "mine"),
        (
            ["--bt-recipe=modern", "--bt-protocol=cpu128", "--bt-image-size=64"],
            Protocol(image_size=64),
            replace(MODERN, epochs=8),
            "figshare-cpu128-modern",
        ),
        (  # a recipe that scales by itself: what is asked for goes to it, or it would win
            ["--bt-recipe=modern", "--bt-scaling=thesis"],
            Protocol(),
            replace(MODERN, scaling="thesis"),
            "figshare-slice42-modern",
        ),
    ],
    ids=str,
)
def test_a_named_protocol_and_recipe_bring_their_baseline(
    parse: Parse, args: list[str], protocol: Protocol, recipe: Any, baseline: str
) -> None:
    expected = replace(FULL, protocol=protocol, recipe=recipe, baseline=baseline)
    assert tier_of(parse(*args), "full") == expected
    with pytest.raises(OptionError, match="the protocol and the recipe of the tier smoke are fixed"):
        tier_of(parse(*args), "smoke")


def test_an_unknown_recipe_is_an_error_where_it_could_be_chosen(parse: Parse) -> None:
    with pytest.raises(UnknownNameError, match="unknown recipe 'moderm'"):
        tier_of(parse("--bt-recipe=moderm"), "full")
    with pytest.raises(UnknownNameError, match="unknown protocol 'cpu129'"):
        tier_of(parse("--bt-protocol=cpu129"), "full")
