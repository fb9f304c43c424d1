"""Engines that run a PyTorch model faster. Each is compared with plain fp32 on held-out samples before it is used."""

from btlib.engines.choose import Chosen, choose
from btlib.engines.engine import ENGINES, Engine, Subject, engine_names

__all__ = ["ENGINES", "Chosen", "Engine", "Subject", "choose", "engine_names"]
