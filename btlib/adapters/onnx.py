"""Adapter for ONNX files, run by ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import extras
from btlib.adapters.arrays import CallablePredictor, Layout
from btlib.adapters.outputs import Outputs
from btlib.errors import ModelError

_DTYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")


class OnnxPredictor(CallablePredictor):
    """Predictor that runs an ONNX file with one input.

    A file with a fixed batch size works too: batches are split to this size, and the last one is padded.

    Args:
        path: Path of the file.
        outputs: Mapping that finds masks and classes, by name or index; None for a file from `btlib export`, whose
            outputs are called mask_prob and class_prob.
        layout: Layout of input and mask.
        channels: Number of channels that the file expects. An image with one channel is repeated; None passes images
            unchanged.
        providers: ONNX Runtime's execution providers; by default CUDA if available, then the CPU.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        ModelError: The file cannot be loaded, has several inputs, or its input is not a float tensor.
    """

    def __init__(
        self,
        path: Path | str,
        outputs: Outputs | None = None,
        *,
        layout: Layout = "nchw",
        channels: int | None = None,
        providers: Sequence[str] | None = None,
    ) -> None:
        self.path = Path(path)
        self.session = _session(self.path, providers)
        self.device = _device(self.session)
        found = {output.name: output.shape for output in self.session.get_outputs()}
        self.names = list(found)
        super().__init__(self._run, outputs or _exported(found, self.path), layout=layout, channels=channels)
        inputs = self.session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _DTYPES:
            given = ", ".join(f"{i.name}: {i.type}" for i in inputs)
            raise ModelError(f"expected one float input, found {given}", where=self.path, hint="export it this way")
        self.input = inputs[0]

    def _run(self, images: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        self._require_shape(images.shape)
        batch = images.astype(_DTYPES[self.input.type], copy=False)
        fixed = self.input.shape[0]
        if not isinstance(fixed, int):
            return self._once(batch)
        short = -len(batch) % fixed
        filled = np.concatenate([batch, np.zeros_like(batch[:1]).repeat(short, axis=0)])
        runs = [self._once(filled[start : start + fixed]) for start in range(0, len(filled), fixed)]
        return {name: np.concatenate([run[name] for run in runs])[: len(batch)] for name in runs[0]}

    def _once(self, batch: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return dict(zip(self.names, self.session.run(self.names, {self.input.name: batch}), strict=True))

    def _require_shape(self, shape: tuple[int, ...]) -> None:
        wanted = self.input.shape[1:]
        if len(wanted) + 1 != len(shape) or any(
            isinstance(w, int) and w != s for w, s in zip(wanted, shape[1:], strict=True)
        ):
            raise ModelError(
                f"expected an input of shape {self.input.shape}, got {list(shape)}",
                where=self.path,
                hint="if the size differs, set image_size in @case; if the axes differ, set layout and channels",
            )


def _device(session: Any) -> str | None:
    """Return the device of the first provider, which runs most of the graph; None if it is unknown."""
    first = session.get_providers()[0]
    if first in ("CUDAExecutionProvider", "TensorrtExecutionProvider"):
        return f"cuda:{session.get_provider_options()[first].get('device_id', 0)}"
    return "cpu" if first == "CPUExecutionProvider" else None


def _exported(found: dict[str, list[Any]], path: Path) -> Outputs:
    """Return the output mapping of a file that `btlib export` wrote, from the names and shapes of its outputs."""
    mask, classes = ("mask_prob" if "mask_prob" in found else None), ("class_prob" if "class_prob" in found else None)
    if mask is None and classes is None:
        raise ModelError(
            f"expected outputs mask_prob or class_prob, found {', '.join(found)}",
            where=path,
            hint="name the mask and the classes in Outputs",
        )
    shape = found.get("mask_prob", [])
    structures = shape[1] if len(shape) == 4 and isinstance(shape[1], int) else 1  # one structure has no axis
    return Outputs(mask, classes, mask_kind="probabilities", class_kind="probabilities", structures=structures)


def _session(path: Path, providers: Sequence[str] | None) -> Any:
    with extras.named():
        import onnxruntime
    if not path.is_file():
        raise ModelError("the file does not exist", where=path, hint="give the path of an ONNX file")
    here = onnxruntime.get_available_providers()
    try:
        return onnxruntime.InferenceSession(path, providers=list(providers or [p for p in _PROVIDERS if p in here]))
    except Exception as error:  # ONNX Runtime's errors have no common base class
        raise ModelError(
            f"ONNX Runtime cannot load it: {error}", where=path, hint="check it with onnx.checker"
        ) from error
