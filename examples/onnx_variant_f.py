"""An ONNX file, here exported from variant F: the same predictions without PyTorch.

    pip install 'btlib[torch,onnx]'
    pytest benchmarks -m smoke -k smoke-F                           # trains F, once
    btlib export F --to onnx variant_f.onnx
    btlib check examples/onnx_variant_f.py::onnx-f
    pytest benchmarks -m smoke --bt-case examples/onnx_variant_f.py::onnx-f

After the export, ONNX Runtime is sufficient (`pip install 'btlib[onnx]'`). The environment variable
VARIANT_F_ONNX selects another file.
"""

import os
from pathlib import Path

from btlib import fingerprint
from btlib.adapters import OnnxPredictor
from btlib.cases import Prepared, Work, case
from btlib.errors import ModelError


@case("onnx-f", "variant F as an ONNX file", has_mask=True, has_classes=True)
def prepare(work: Work) -> Prepared:
    """Load the file. The model is already trained, so recipe and seed have no effect."""
    path = Path(os.environ.get("VARIANT_F_ONNX", "variant_f.onnx"))
    if not path.exists():
        raise ModelError("file not found", where=path, hint=f"btlib export F --to onnx {path}")
    return Prepared(OnnxPredictor(path), "given", details={"file": path.name}, file_digest=fingerprint.of_file(path))
