"""Values of a run with their own JSON file: strictly checked, and sealed with a digest."""

import json
from pathlib import Path
from typing import Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError

from btlib import files, fingerprint
from btlib.errors import RecordError
from btlib.ranges import described

_LONGEST = 120  # file systems allow 255 bytes, including a seed and a suffix


class Strict(BaseModel):
    """Base of values that accept no unknown fields, no other types, and no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Stored(Strict):
    """Base of values with their own JSON file."""

    def save(self, path: Path) -> None:
        """Write it with a digest of its content, atomically."""
        value = files.sealed(json.loads(self.model_dump_json()))
        files.write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the value from its file.

        Raises:
            RecordError: The file cannot be read, has changed since it was written, or does not follow the schema.
        """
        hint = "the file is damaged or from another version of btlib: run the case again"
        try:
            return cls.model_validate_json(json.dumps(files.read_sealed(path, required=False)))
        except OSError as error:
            raise RecordError(f"cannot be read: {error.strerror or error}", where=path) from error
        except files.DamagedFileError as error:
            raise RecordError(str(error), where=path, hint=hint) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "the file"
            raise RecordError(f"{field}: {described(first)}", where=path, hint=hint) from error


def name_of(text: str) -> str:
    """Return a valid file name for any text: special characters are quoted, and long names are shortened."""
    name = quote(text, safe=" ")
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}~{fingerprint.of(text)}"


def require_place(path: Path, own: Path, case: str) -> None:
    """Check that a case's file has its own path. In the place of another file it would count twice, or as that case.

    Raises:
        RecordError: `path` is not the case's own path.
    """
    if path != own:
        raise RecordError(
            f"belongs to case {case!r}, whose file is {own.name}",
            where=path,
            hint="was it copied or renamed? Remove it, or restore the original file",
        )
