"""Faster ways to run a PyTorch model, each held against plain fp32 on validation slices before it is used."""

from btlib.engines.choose import Chosen, choose
from btlib.engines.engine import ENGINE_NAMES, ENGINES, Engine, Subject

__all__ = ["ENGINES", "ENGINE_NAMES", "Chosen", "Engine", "Subject", "choose"]
