"""The picture of the house, checked: imports go one way, and the core needs no framework."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import btlib
from btlib.data.sources.tasks import BUILT_IN

ROOT = Path(btlib.__file__).parent
FRAMEWORKS = {
    *("torch", "torchvision", "pytorch_lightning", "lightning_fabric", "segmentation_models_pytorch"),
    *("onnx", "onnxruntime", "onnxscript", "jax", "flax", "optax", "keras", "tensorflow", "openvino", "nncf"),
}

# Each room may import from rooms on its own line and on lines above it.
STOREYS = [
    {
        *("errors", "extras", "registry", "files", "fingerprint", "hdf5", "npz", "arrays", "csv_text", "stored"),
        *("natural_order", "decimals", "ranges", "stages"),
    },
    {"paths", "stored_folder", "types", "hooks", "interruption"},
    {"protocol", "metrics", "stats", "data", "speed"},
    {"sample_table", "splits", "older"},
    {"evaluation"},
    {"results"},
    {"cases", "numbers"},
    {"adapters", "conformance", "engines", "starter"},
    {"explain", "options"},
    {"runs"},
    {"gate"},
    {"reporting"},
    {"api", "doctor"},
    {"plugin", "cli"},
    {"suite"},
    {"thesis", "models"},
]
WITH_TORCH = {"adapters", "engines", "thesis"}
TORCH_FILES = {
    "environment.py",  # the GPU of a run on CUDA
    "classes_only.py",  # a variant cut down to its classes
    "sanity.py",  # a model whose weights are randomised
    *("flops.py", "products.py", "ieee.py", "determinism.py"),  # of a model in torch; what torch makes of this machine
    *("facts.py", "selftest.py", "gpu.py"),  # of `btlib doctor`, where torch is installed
}
FILES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    first = path.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def imported(path: Path, *, deferred: bool) -> set[str]:
    """Modules that a file imports; those inside functions and under TYPE_CHECKING only where `deferred`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if deferred else iter(tree.body)
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def storey(name: str) -> int:
    return next(i for i, rooms in enumerate(STOREYS) if name in rooms)


def test_every_room_has_its_storey():
    assert {room(path) for path in FILES} - {"__init__"} == set().union(*STOREYS)


def test_no_class_is_known_outside_the_sources():
    """A task says how many classes there are and what they are called; nobody else does."""
    names = {name for task in BUILT_IN.values() for name in task.classes}
    knowing = {
        path.relative_to(ROOT).as_posix()
        for path in FILES
        if names & set(re.findall(r"[a-z]+", path.read_text(encoding="utf-8").lower()))
    }
    assert {place for place in knowing if not place.startswith("data/sources/")} == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path):
    if path in (ROOT / "__init__.py", ROOT / "hooks.py"):  # public names on first use; hooks name the types of all
        return
    for module in imported(path, deferred=True):
        parts = module.split(".")
        if parts[0] == "btlib" and len(parts) > 1 and parts[1] != "__version__":
            assert storey(parts[1]) <= storey(room(path)), f"{path.name} imports {module}"


def test_nobody_imports_the_thesis():
    """It is a plug-in: its entry points are how it is found. `btlib.models` is its networks under a public name."""
    for path in FILES:
        if room(path) not in ("thesis", "models", "__init__"):
            assert not {m for m in imported(path, deferred=True) if m.startswith(("btlib.thesis", "btlib.models"))}


def test_nobody_imports_the_plugin_or_the_command_line():
    for path in FILES:
        if room(path) not in ("plugin", "cli", "suite", "thesis"):
            assert not {m for m in imported(path, deferred=True) if m.startswith(("btlib.plugin", "btlib.cli"))}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_frameworks_stay_behind_their_door(path: Path):
    allowed = room(path) in WITH_TORCH or path.name in TORCH_FILES
    assert allowed or not {m.partition(".")[0] for m in imported(path, deferred=True)} & FRAMEWORKS


def loaded_after(code: str) -> set[str]:
    """Top-level packages that a fresh interpreter has loaded after some code."""
    program = f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.check_output([sys.executable, "-c", program], text=True).split())


@pytest.mark.parametrize(
    ("code", "not_loaded"),
    [
        ("import btlib", FRAMEWORKS | {"numpy", "pandas", "pydantic", "h5py", "scipy", "sklearn", "cv2", "pytest"}),
        ("import btlib.data", FRAMEWORKS | {"h5py", "cv2", "sklearn", "pandas"}),
        ("import btlib; btlib.Baseline; btlib.evaluate; btlib.metrics; btlib.stats; btlib.splits", FRAMEWORKS),
        ("import btlib.explain", FRAMEWORKS),
        ("import btlib.plugin.run, btlib.api, btlib.cli, btlib.cases; btlib.cases.load_cases()", FRAMEWORKS),
        ("import btlib.plugin", FRAMEWORKS | {"numpy", "pandas", "pydantic", "h5py", "scipy"}),
        ("import btlib.cli", FRAMEWORKS | {"numpy", "pandas", "pydantic", "h5py"}),
    ],
)
def test_importing_costs_what_it_must(code: str, not_loaded: set[str]):
    assert not loaded_after(code) & not_loaded


def test_public_names():
    assert btlib.splits.slice_seed42(10).name == "slice-seed42"
    for name in btlib.__all__:
        assert getattr(btlib, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        btlib.nonsense  # noqa: B018 - the access is what is tested


def test_it_is_typed_for_its_users():
    assert (ROOT / "py.typed").exists()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_swallows_an_interruption(path: Path):
    """Neither Ctrl-C nor the end of a time limit is an `Exception`; who catches more than that must raise it again."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ExceptHandler) and (node.type is None or "BaseException" in ast.unparse(node.type)):
            assert any(isinstance(inner, ast.Raise) for inner in ast.walk(node)), f"{path}:{node.lineno}"
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("suppress"):
            assert "BaseException" not in ast.unparse(node), f"{path}:{node.lineno}"


def test_files_of_a_run_are_read_through_its_folder():
    """Which looks whether a file is of the case that its name says; a record alone may lie anywhere."""
    for path in FILES:
        if path.relative_to(ROOT).as_posix() not in ("runs/store.py", "explain/place.py", "reporting/sources.py"):
            found = re.findall(r"\b(?:CaseRecord|Speed|Explained)\.load\b", path.read_text(encoding="utf-8"))
            assert not found, f"{path}: use RunStore.record_at, RunStore.speeds or ExplainPlace.at"
