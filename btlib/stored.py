"""Values of a run that have a JSON file of their own: strictly checked, sealed with a digest."""

import json
from pathlib import Path
from typing import Self
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError

from btlib import files, fingerprint
from btlib.errors import RecordError

_LONGEST = 120  # file systems take 255 bytes, a seed and a suffix among them


class Strict(BaseModel):
    """A value that takes nothing it does not know, and no number that is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Stored(Strict):
    """A value with a JSON file of its own."""

    def save(self, path: Path) -> None:
        """Write it with a digest of its content, atomically."""
        value = files.sealed(json.loads(self.model_dump_json()))
        files.write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read it.

        Raises:
            RecordError: The file cannot be read, has changed since it was written, or does not follow the schema.
        """
        hint = "it is damaged or of another version of btlib: run the case again"
        try:
            return cls.model_validate_json(json.dumps(files.read_sealed(path, required=False)))
        except OSError as error:
            raise RecordError(f"cannot be read: {error.strerror or error}", where=path) from error
        except files.DamagedFileError as error:
            raise RecordError(str(error), where=path, hint=hint) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "the file"
            raise RecordError(f"{field}: {first['msg']}", where=path, hint=hint) from error


def name_of(text: str) -> str:
    """The name of a file for something that may be called anything: a file may not, and its name has an end."""
    name = quote(text, safe=" ")
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}~{fingerprint.of(text)}"


def require_place(path: Path, own: Path, case: str) -> None:
    """Refuse a whole file of one case that lies in the place of another's: it would count twice, or for the other.

    Raises:
        RecordError: It does.
    """
    if path != own:
        raise RecordError(
            f"is of case {case!r}, whose file is {own.name}",
            where=path,
            hint="was it copied or renamed? Remove it, or put back the file that was there",
        )
