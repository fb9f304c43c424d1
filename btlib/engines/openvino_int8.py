"""Engine that runs the model with OpenVINO on the CPU, quantised to int8 by NNCF after training.

Convolutions and matrix products are computed in int8. The ranges of their inputs come from calibration samples. The
first layers after the input and the last layers before the outputs stay in fp32: they are small, and rounding the
complete input image to 256 levels changes the masks most.
"""

import contextlib
import hashlib
import io
import logging
from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from btlib import extras
from btlib.adapters.arrays import CallablePredictor
from btlib.engines import openvino
from btlib.engines.engine import Subject
from btlib.errors import ModelError

_PRODUCTS = ("Convolution", "GroupConvolution", "MatMul")
_METHOD = "ends in fp32"  # part of the cache key: change it when the quantisation changes
_WHERE = "engine openvino-int8"


def build(subject: Subject) -> CallablePredictor:
    """Build a predictor. The model is quantised once per image size and calibration set, and later read from the cache.

    Raises:
        ModelError: There are no calibration samples, or the model cannot be converted or quantised.
    """
    slices = None if subject.calibration is None else subject.calibration()
    if slices is None or len(slices) == 0:
        raise ModelError("there are no training samples for the calibration", where=_WHERE)
    content = hashlib.sha256(np.ascontiguousarray(slices).data).hexdigest()
    depends_on = (_METHOD, *openvino.versions(), metadata.version("nncf"), len(slices), content)
    program = openvino.stored_program(
        subject, "openvino-int8", depends_on, lambda: _quantised(openvino.program(subject), slices)
    )
    return openvino.predictor(subject, program, "f32")


def _quantised(program: Any, slices: NDArray[np.float32]) -> Any:
    nncf = _nncf()
    try:
        with _quiet():
            return nncf.quantize(
                program,
                nncf.Dataset(slices[:, None]),
                subset_size=len(slices),
                ignored_scope=nncf.IgnoredScope(names=_ends(program)),
            )
    except Exception as error:  # the quantiser may fail in any way
        raise ModelError(f"NNCF cannot quantise the model: {type(error).__name__}: {error}", where=_WHERE) from error


def _ends(program: Any) -> list[str]:
    """Return the names of the convolutions and matrix products closest to the program's inputs and outputs."""
    readers = _nearest(
        program.get_parameters(), lambda op: [i.get_node() for o in op.outputs() for i in o.get_target_inputs()]
    )
    writers = _nearest(program.get_results(), lambda op: [value.get_node() for value in op.input_values()])
    return sorted(readers | writers)


def _nearest(start: list[Any], onward: Callable[[Any], list[Any]]) -> set[str]:
    """Return the names of the first convolution or matrix product on each path in one direction."""
    ahead, seen, found = list(start), set[str](), set[str]()
    while ahead:
        op = ahead.pop()
        name = op.get_friendly_name()
        if name in seen:
            continue
        seen.add(name)
        if op.get_type_name() in _PRODUCTS:
            found.add(name)
        else:
            ahead += onward(op)
    return found


def _nncf() -> Any:
    """Import nncf, and restore the global logger class that it changes."""
    loggers = logging.getLoggerClass()
    try:
        return extras.unreported("nncf")
    finally:
        logging.setLoggerClass(loggers)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Context that hides NNCF's log and progress bars, and the CUDA warnings of a part of torch that NNCF loads."""
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
