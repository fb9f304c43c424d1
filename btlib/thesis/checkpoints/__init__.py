"""Trained models on disk: the store, loading a stored file, and the checkpoints of the thesis."""

from btlib.thesis.checkpoints.store import Store
from btlib.thesis.checkpoints.thesis import load_thesis_checkpoint
from btlib.thesis.checkpoints.trained import Trained, find_stored, load_stored, recipe_text

__all__ = ["Store", "Trained", "find_stored", "load_stored", "load_thesis_checkpoint", "recipe_text"]
