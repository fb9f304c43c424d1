"""Faster ways to run a PyTorch model, each held against plain fp32 on validation samples before it is used."""

from btlib.engines.choose import Chosen, choose
from btlib.engines.engine import ENGINES, Engine, Subject, engine_names

__all__ = ["ENGINES", "Chosen", "Engine", "Subject", "choose", "engine_names"]
