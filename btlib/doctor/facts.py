"""Facts for the diagnosis: versions, machine, devices, choices of a run, and paths of files."""

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from btlib import paths
from btlib.adapters.device_choice import Device
from btlib.data.cache import cache_root
from btlib.data.sources.figshare.folder import count_slices
from btlib.runs.environment import driver
from btlib.speed import machine

PACKAGES = (
    *("btlib", "numpy", "scipy", "pandas", "pydantic", "h5py", "opencv-python-headless", "matplotlib", "statsmodels"),
    *("pytest", "pytest-benchmark", "pytest-xdist", "torch", "torchvision", "pytorch-lightning", "onnx", "onnxruntime"),
    *("onnxruntime-gpu", "openvino", "nncf", "jax", "flax", "keras", "tensorflow", "scikit-learn"),
)
_GIB = 2**30


def facts(root: Path, device: Device) -> dict[str, dict[str, Any]]:
    """Collect all facts as plain JSON, by section.

    Args:
        root: Folder of the user's project.
        device: Requested device.
    """
    sections: dict[str, Callable[[], dict[str, Any]]] = {
        "versions": _versions,
        "machine": _machine,
        "devices": _devices,
        "choices": lambda: _choices(device),
        "places": lambda: _places(root),
    }
    return {name: _guarded(section) for name, section in sections.items()}


def _guarded(section: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the facts of a section, or the error if it fails, for example because of a broken library."""
    try:
        return section()
    except Exception as error:  # from a library or a driver
        return {"unknown": f"{type(error).__name__}: {error}"}


def _versions() -> dict[str, Any]:
    found: dict[str, Any] = {"python": platform.python_version(), "platform": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found


def _machine() -> dict[str, Any]:
    memory = _meminfo()
    disk = {name: shutil.disk_usage(_existing(path)).free for name, path in _disks().items()}
    return {
        **machine.facts(),
        "memory GiB": _gib(memory.get("MemTotal")),
        "free memory GiB": _gib(memory.get("MemAvailable")),
        **{f"free disk GiB, {name}": _gib(free) for name, free in disk.items()},
        "visible GPUs": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }


def _devices() -> dict[str, Any]:
    """Describe each device of PyTorch, and the versions that explain why a GPU is not found."""
    if importlib.util.find_spec("torch") is None:
        return {"cpu": "torch is not installed: pip install 'btlib[torch]'"}
    import torch

    found: dict[str, Any] = {
        "cpu": {"threads": torch.get_num_threads(), "capability": torch.backends.cpu.get_cpu_capability()}
    }
    for k in range(torch.cuda.device_count() if torch.cuda.is_available() else 0):
        free, total = torch.cuda.mem_get_info(k)
        found[f"cuda:{k}"] = {
            "name": torch.cuda.get_device_name(k),
            "capability": ".".join(map(str, torch.cuda.get_device_capability(k))),
            "memory GiB": _gib(total),
            "free memory GiB": _gib(free),
        }
    if torch.backends.mps.is_available():
        found["mps"] = {"name": "Apple GPU"}
    found["cuda"] = {
        "torch was built for": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "driver": driver(),
        "convolutions in fp32": torch.backends.cudnn.conv.fp32_precision,  # type: ignore[attr-defined]
        "products in fp32": torch.backends.cuda.matmul.fp32_precision,
    }
    return found


def _choices(device: Device) -> dict[str, Any]:
    """Describe what a run without further options would choose, and why."""
    if importlib.util.find_spec("torch") is None:
        return {"device": "cpu", "why": "torch is not installed; the framework of a case chooses"}
    from btlib.adapters.devices import resolve_device, resolve_precision
    from btlib.engines import ENGINES

    place = resolve_device(device)
    precision = resolve_precision("auto", place)
    engines = {}
    for name in ENGINES:
        engine = ENGINES[name]
        if place.type not in engine.devices:
            engines[name] = f"no: runs on {', '.join(engine.devices)}"
        elif engine.extra is not None:
            engines[name] = f"no: pip install 'btlib[{engine.extra}]'"
        else:
            engines[name] = "only if requested" if engine.quantised else "yes"
    return {
        "device": str(place),
        "why": f"{device} was requested" if device != "auto" else "the first available of cuda, mps, cpu",
        "precision": precision,
        "why this precision": "the hardware supports bf16" if precision == "bf16" else "bf16 would be emulated",
        "engine": next((name for name, found in engines.items() if found == "yes"), None),
        "why this engine": "the first available; a run compares it with fp32 on validation samples before using it",
        "engines": engines,
    }


def _places(root: Path) -> dict[str, Any]:
    data, cache = root / "data_figshare" / "data", cache_root()
    own = sorted(path.stem for path in (root / "baselines").glob("*.json"))
    shipped = sorted(path.stem for path in paths.shipped_baselines().glob("*.json"))
    checkpoints, reports = root / "checkpoints", root / "reports"
    return {
        "btlib": str(Path(paths.__file__).parent),
        "python": sys.executable,
        "project": str(root),
        "samples": f"{count_slices(data)} in {data}" if data.is_dir() else "none; phantoms are used",
        "cache": f"{_mib(cache):.0f} MiB in {cache}",
        "checkpoints": f"{sum(1 for _ in checkpoints.glob('*')) if checkpoints.is_dir() else 0} in {checkpoints}",
        "runs": f"{sum(1 for _ in reports.glob('*/run.json'))} in {reports}",
        "own baselines": ", ".join(own) or "none",
        "shipped baselines": ", ".join(shipped) or "none",
    }


def _disks() -> dict[str, Path]:
    return {"here": Path.cwd(), "cache": cache_root()}


def _existing(path: Path) -> Path:
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())


def _meminfo() -> dict[str, int]:
    """Read the memory information of Linux in bytes; empty on other systems."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}


def _gib(size: float | None) -> float | None:
    return None if size is None else round(size / _GIB, 1)


def _mib(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
