"""The model quantised to int8 by NNCF after training, as OpenVINO runs it on the CPU.

Convolutions and matrix products are computed in int8; ranges of their inputs come from calibration slices.
"""

import contextlib
import hashlib
import io
import logging
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import extras
from btlib.adapters.arrays import CallablePredictor
from btlib.engines import openvino
from btlib.engines.engine import Subject
from btlib.errors import ModelError

_WHERE = "engine openvino-int8"


def build(subject: Subject) -> CallablePredictor:
    """Quantised once for each trained model, size and choice of calibration slices, then read from the cache.

    Raises:
        ModelError: There are no calibration slices, or it cannot be converted or quantised.
    """
    slices = None if subject.calibration is None else subject.calibration()
    if slices is None or len(slices) == 0:
        raise ModelError("there are no training slices to calibrate it on", where=_WHERE)
    content = hashlib.sha256(np.ascontiguousarray(slices).data).hexdigest()
    depends_on = (*openvino.versions(), metadata.version("nncf"), len(slices), content)
    program = openvino.kept(subject, "openvino-int8", depends_on, lambda: _quantised(openvino.program(subject), slices))
    return openvino.predictor(subject, program, "f32")


def _quantised(program: Any, slices: NDArray[np.float32]) -> Any:
    nncf = _nncf()
    try:
        with _quiet():
            return nncf.quantize(program, nncf.Dataset(slices[:, None, None]), subset_size=len(slices))
    except Exception as error:  # the quantiser may fail in any way
        raise ModelError(f"NNCF cannot quantise it: {type(error).__name__}: {error}", where=_WHERE) from error


def _nncf() -> Any:
    """The package; it would make its own kind of logger that of everyone."""
    loggers = logging.getLoggerClass()
    try:
        return extras.unreported("nncf")
    finally:
        logging.setLoggerClass(loggers)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """NNCF tells what it does and draws bars on stdout; a part of torch that it loads may complain about CUDA."""
    logs = [logging.getLogger(name) for name in ("nncf", "torch.utils.cpp_extension")]
    before = [log.disabled for log in logs]
    try:
        for log in logs:
            log.disabled = True
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        for log, disabled in zip(logs, before, strict=True):
            log.disabled = disabled
