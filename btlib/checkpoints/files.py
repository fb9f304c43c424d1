"""The files of a checkpoint, read with care: what cannot be read is None, and whoever asked says what follows."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch

from btlib.adapters.state import is_damage
from btlib.errors import BtlibWarning

SCHEMA = "btlib-checkpoint/1"


def read_payload(path: Path) -> dict[str, Any] | None:
    """What a checkpoint holds; None if it cannot be read."""
    try:
        payload = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes torch raise almost anything
        if not is_damage(error):
            raise
        return None
    return payload if isinstance(payload, dict) else None


def read_manifest(path: Path) -> dict[str, Any] | None:
    """What the store knows of a checkpoint; None if there is no manifest, or one that cannot be read."""
    try:
        manifest: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        warn(f"{path}: not a JSON file; the checkpoint beside it is not used")
        return None
    return manifest if isinstance(manifest, dict) and manifest.get("schema") == SCHEMA else None


def warn(text: str) -> None:
    """Tell the user of a file that is not used."""
    warnings.warn(text, BtlibWarning, stacklevel=3)
