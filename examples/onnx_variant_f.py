"""An ONNX file, here of the thesis's variant F: the numbers of F, without PyTorch.

    pip install 'btlib[torch,onnx]'
    pytest benchmarks -m smoke -k smoke-F                           # trains F, once
    btlib export F --to onnx variant_f.onnx
    btlib check examples/onnx_variant_f.py::onnx-f
    pytest benchmarks -m smoke --bt-case examples/onnx_variant_f.py::onnx-f

From here on ONNX Runtime is enough (`pip install 'btlib[onnx]'`). The variable VARIANT_F_ONNX names another file.
"""

import os
from pathlib import Path

from btlib.adapters import OnnxPredictor
from btlib.cases import Prepared, Work, case
from btlib.errors import ModelError


@case("onnx-f", "variant F as an ONNX file", has_mask=True, has_classes=True)
def prepare(work: Work) -> Prepared:
    """Load the file. Its training lies behind it, so recipe and seed of the work change nothing."""
    path = Path(os.environ.get("VARIANT_F_ONNX", "variant_f.onnx"))
    if not path.exists():
        raise ModelError("there is no such file", where=path, hint=f"btlib export F --to onnx {path}")
    return Prepared(OnnxPredictor(path), "given", details={"file": path.name})
