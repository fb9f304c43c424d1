"""Checks of `btlib doctor` for the thesis's variants: a short training and an engine."""

from pathlib import Path

from btlib import extras
from btlib.doctor.selftest import SELF_TEST, phantom_work
from btlib.errors import BtlibError

_CASE = "D"


def training(place: Path, device: str) -> str:
    """Train variant D with the tiny backbone, store it, and load it again."""
    with extras.named():
        import torch

        from btlib.thesis.cases import plan_of
        from btlib.thesis.checkpoints import Store

    work = phantom_work(place, device)
    plan, store = plan_of(_CASE, work)[0], Store(work.checkpoints, torch.device(device), work.report)
    first, second = store.train_or_load(plan), store.train_or_load(plan)
    if (first.source, second.source) != ("trained", "loaded"):
        raise BtlibError(f"was {first.source}, then {second.source}; expected trained, then loaded", where="checkpoint")
    return f"{_CASE} with the tiny backbone, one epoch on {device} in {first.seconds:.1f} s, stored and loaded"


def engine(place: Path, device: str) -> str:
    """Run variant D with the tiny backbone by the engine that a run would choose; on a GPU by the eager engine."""
    with extras.named():
        import torch

        from btlib.adapters.outputs import NAMED
        from btlib.engines import Subject, choose
        from btlib.thesis.models import create

    work = phantom_work(place, device)
    at = torch.device(device)
    model = create(_CASE, None, backbone="tiny").eval().to(at)
    subject = Subject(model, NAMED, at, "fp32", work.protocol.image_size)
    wanted = "auto" if at.type == "cpu" else "eager"
    chosen = choose(subject, wanted, work.held_out, work.protocol.threshold, work.report)
    return f"{chosen.engine} in fp32 agrees with plain PyTorch" + "".join(f"; {note}" for note in chosen.notes)


SELF_TEST.add("training", training)
SELF_TEST.add("engine", engine)
