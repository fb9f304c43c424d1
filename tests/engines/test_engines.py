"""Every engine says what plain fp32 says, and one that does not is found out."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from btlib.adapters.outputs import NAMED
from btlib.adapters.torch import TorchPredictor, torchscript_is_old
from btlib.data.dataset import Dataset
from btlib.data.task import Task
from btlib.engines import ENGINES, Engine, Subject, choose
from btlib.engines.choose import gaps, too_far
from btlib.errors import ModelError, OptionError, UnknownNameError
from btlib.evaluation import evaluate
from btlib.evaluation.aggregate import per_sample
from btlib.thesis.models import create
from btlib.thesis.models.variants import VARIANTS

Make = Callable[..., Subject]
HERE = [name for name in ENGINES if ENGINES[name].fits(torch.device("cpu")) and not ENGINES[name].quantised]


@pytest.fixture(scope="module")
def conversions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Converted models, which the tests share: what is converted once serves all that only run it."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture
def subject(subject: Make, conversions: Path) -> Make:
    return lambda variant="F", precision="fp32", **more: subject(variant, precision, **{"cache": conversions} | more)


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """In inductor's place the graph itself is run: its compiler takes five seconds a model."""
    with torchscript_is_old():
        from torch._inductor import compile_fx
    monkeypatch.setattr(compile_fx, "compile_fx", lambda graph, inputs, **more: graph)


def plain(subject: Subject) -> TorchPredictor:
    return TorchPredictor(subject.model, subject.device, "fp32", subject.outputs)


def test_all_engines_for_the_cpu_are_tested_here():
    assert set(HERE) == {"openvino", "compile", "onnxruntime", "eager"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.nightly] * (name == "compile")) for name in HERE]
)
def test_in_fp32_it_says_the_same(name: str, subject: Make, slices: Dataset):
    given = subject()
    predictor = ENGINES[name].build(given)
    for n in (1, 3, 5):  # batches of any size
        ours, theirs = predictor.predict(slices.images[:n]), plain(given).predict(slices.images[:n])
        assert np.abs(ours.mask_prob - theirs.mask_prob).max() < 1e-4
        assert np.abs(ours.class_prob - theirs.class_prob).max() < 1e-4


@pytest.mark.parametrize("variant", list(VARIANTS))
@pytest.mark.parametrize("name", ["eager", "openvino"])
def test_every_variant_can_be_run(name: str, variant: str, subject: Make, slices: Dataset):
    given = subject(variant)
    ours, theirs = ENGINES[name].build(given).predict(slices.images[:4]), plain(given).predict(slices.images[:4])
    for one, other in ((ours.mask_prob, theirs.mask_prob), (ours.class_prob, theirs.class_prob)):
        assert (one is None) == (other is None)
        assert one is None or np.abs(one - other).max() < 1e-4


@pytest.mark.parametrize("name", ["eager", "openvino"])
def test_in_bf16_it_is_near(name: str, subject: Make, slices: Dataset):
    given = subject(precision="bf16")
    ours, theirs = ENGINES[name].build(given).predict(slices.images[:4]), plain(given).predict(slices.images[:4])
    assert 0 < np.abs(ours.mask_prob - theirs.mask_prob).max() < 0.05
    assert np.abs(ours.class_prob - theirs.class_prob).max() < 0.05


@pytest.mark.usefixtures("uncompiled")
def test_the_model_itself_is_left_alone(subject: Make):
    given = subject(precision="bf16")
    before = {k: v.clone() for k, v in given.model.state_dict().items()}
    for name in HERE:
        ENGINES[name].build(given)
    after = given.model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[k], v) and after[k].dtype == v.dtype for k, v in before.items())


@pytest.mark.parametrize(("name", "module"), [("openvino", "openvino"), ("onnxruntime", "onnxruntime")])
def test_a_converted_model_is_kept_and_found(
    name: str, module: str, subject: Make, slices: Dataset, monkeypatch: pytest.MonkeyPatch
):
    import btlib.engines.onnxruntime
    import btlib.engines.openvino

    given = subject()
    first = ENGINES[name].build(given).predict(slices.images[:2])

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was converted again")

    monkeypatch.setattr(btlib.engines.openvino, "_converted", refuse)
    monkeypatch.setattr(btlib.engines.onnxruntime, "export_onnx", refuse)
    again = ENGINES[name].build(given).predict(slices.images[:2])
    assert np.array_equal(first.mask_prob, again.mask_prob)
    with pytest.raises(AssertionError, match="converted again"):
        ENGINES[name].build(subject(identity="another training"))


def test_the_guard_by_hand(make_table: Callable):
    good = make_table(60)
    assert gaps(good, good) == {"samples": 60, "dice_gap": 0, "agreement": 1}
    assert too_far(gaps(good, make_table(60, worse=0.01))) is not None
    assert "98.3 % of the classes agree" in (too_far(gaps(good, make_table(60, wrong=1))) or "")
    assert too_far({"samples": 1, "dice_gap": float("nan")}) is not None
    assert too_far({"samples": 1, "agreement": float("nan")}) is not None


def test_the_first_that_passes_is_chosen(subject: Make, slices: Dataset):
    said: list[str] = []
    chosen = choose(subject(), "auto", slices, 0.65, said.append)
    assert (chosen.engine, chosen.notes, said) == ("openvino", (), [])
    assert chosen.details["engine"] == "openvino"
    assert chosen.details["guard"]["samples"] == 12


def test_one_that_says_something_else_is_passed_over(subject: Make, slices: Dataset, monkeypatch: pytest.MonkeyPatch):
    """An engine with other weights, one that cannot be built, then one that is right."""
    given, other = subject("F"), subject("G")

    def build(self: Engine, one: Subject) -> TorchPredictor:
        if self.name == "openvino":
            return plain(other)
        if self.name == "compile":
            raise ModelError("no compiler here")
        return plain(one)

    monkeypatch.setattr(Engine, "build", build)
    said: list[str] = []
    chosen = choose(given, "auto", slices, 0.5, said.append)
    assert chosen.engine == "onnxruntime"
    assert chosen.notes == tuple(said)
    assert said[0].startswith("engine openvino in fp32 was skipped: ")
    assert said[1] == "engine compile in fp32 was skipped: no compiler here"
    with pytest.raises(ModelError, match="engine openvino in fp32 was skipped"):
        choose(given, "openvino", slices, 0.5, said.append)


def test_a_model_that_is_unsure_in_bf16_is_run_in_fp32(subject: Make, slices: Dataset, monkeypatch: pytest.MonkeyPatch):
    given, other = subject("F", precision="bf16"), subject("G")
    asked: list[tuple[str, str]] = []

    def build(self: Engine, one: Subject) -> TorchPredictor:
        asked.append((self.name, one.precision))
        return plain(other if one.precision == "bf16" else one)

    monkeypatch.setattr(Engine, "build", build)
    chosen = choose(given, "auto", slices, 0.5, lambda line: None)
    assert asked == [*((name, "bf16") for name in HERE), ("eager", "fp32")]
    assert (chosen.engine, chosen.details["precision"]) == ("eager", "fp32")
    assert len(chosen.notes) == 4
    assert choose(given, "openvino", slices, 0.5, lambda line: None).details["precision"] == "fp32"


def test_names_that_do_not_fit(subject: Make, slices: Dataset, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UnknownNameError, match="did you mean 'openvino'"):
        choose(subject(), "openvin", slices.part(np.arange(2)), 0.65)
    monkeypatch.setattr(Engine, "fits", lambda self, device: self.name == "eager")
    with pytest.raises(OptionError, match=r"--bt-engine: engine 'openvino' cannot run on cpu"):
        choose(subject(), "openvino", slices.part(np.arange(2)), 0.65)
    assert choose(subject(), "auto", slices.part(np.arange(2)), 0.65).engine == "eager"


def test_the_options_offer_what_there_is():
    from btlib import options
    from btlib.engines import engine_names

    assert engine_names() == options.ENGINES


@pytest.mark.usefixtures("uncompiled")
def test_scores_do_not_depend_on_the_engine(subject: Make, slices: Dataset):
    given = subject()
    tables = [evaluate(ENGINES[name].build(given), slices).samples for name in HERE]
    for table in tables[1:]:
        assert np.abs(per_sample(table, "dice") - per_sample(tables[0], "dice")).max() < 0.01
        assert (table.predicted() == tables[0].predicted()).all()


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("name", HERE)
def test_structures_and_channels_of_another_task(name: str, tmp_path: Path):
    """Four classes, two structures, images of three channels."""
    task = Task(name="other", classes=tuple("abcd"), structures=("core", "rim"), channels=("r", "g", "b"))
    torch.manual_seed(0)
    model, outputs = create("D", backbone="tiny", task=task).eval(), replace(NAMED, structures=2)
    given = Subject(model, outputs, torch.device("cpu"), "fp32", 32, "other", tmp_path, channels=3)
    images = np.random.default_rng(0).random((3, 3, 32, 32), dtype=np.float32)
    ours, theirs = ENGINES[name].build(given).predict(images), plain(given).predict(images)
    assert (ours.mask_prob.shape, ours.class_prob.shape) == ((3, 2, 32, 32), (3, 4))
    assert np.abs(ours.mask_prob - theirs.mask_prob).max() < 1e-4
    assert np.abs(ours.class_prob - theirs.class_prob).max() < 1e-4


def test_outputs_of_another_model_serve(slices: Dataset):
    from btlib.adapters.outputs import Outputs

    class Other(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"seg": images - 1, "cls": images.mean((1, 2, 3))[:, None] * torch.tensor([1.0, 2.0, 3.0])}

    outputs = Outputs(mask="seg", classes="cls")
    given = Subject(Other().eval(), outputs, torch.device("cpu"), "fp32", 32)
    for name in ("eager", "openvino"):
        said = ENGINES[name].build(given).predict(slices.images[:2])
        expected = TorchPredictor(Other(), torch.device("cpu"), "fp32", outputs).predict(slices.images[:2])
        assert np.abs(said.mask_prob - expected.mask_prob).max() < 1e-5
        assert np.abs(said.class_prob - expected.class_prob).max() < 1e-5
    assert NAMED.mask == "mask_prob"


def test_converting_reports_to_nobody(subject: Make):
    """OpenVINO's converter sends statistics of its use unless it is kept from it."""
    ENGINES["openvino"].build(subject(identity=None))
    assert "stub" in sys.modules["openvino.tools.ovc.convert_impl"].tm.__name__


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["openvino", "openvino-int8"])
def test_a_signal_after_engines_were_let_go_is_survived(name: str):
    """Three of OpenVINO's, the oldest let go first, as cases come and go; then an alarm, as a time limit sends it."""
    program = f"""
import gc, signal
import numpy as np, torch
from btlib.adapters.outputs import NAMED
from btlib.engines import ENGINES, Subject
from btlib.thesis.models import create
samples = np.random.default_rng(0).random((4, 1, 32, 32), dtype=np.float32)
model = create("B", backbone="tiny").eval()
subject = Subject(model, NAMED, torch.device("cpu"), "fp32", 32, calibration=lambda: samples)
made = [ENGINES["{name}"].build(subject) for _ in range(3)]
while made:
    del made[0]
    gc.collect()
signal.signal(signal.SIGALRM, lambda *_: print("rang"))
signal.raise_signal(signal.SIGALRM)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "rang\n", "")
