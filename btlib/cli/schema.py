"""`btlib schema`: JSON Schemas of btlib's files, for other programs."""

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from btlib.cli.output import print_line


def schema(
    kind: Annotated[Literal["baseline", "record", "judgement"] | None, typer.Argument(help="Kind of file.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write all schemas into a folder, as KIND.schema.json.")
    ] = None,
) -> None:
    """Print the JSON Schema of a baseline, a record or a judgement, or write all schemas into a folder."""
    from btlib import files
    from btlib.errors import OptionError
    from btlib.gate.json_schema import json_schemas

    known = json_schemas()
    if (kind is None) == (out is None):
        raise OptionError(
            "expected a kind of file or --out", where="btlib schema", hint=f"name one of {', '.join(known)}"
        )
    if out is None:
        assert kind is not None
        typer.echo(json.dumps(known[kind], indent=2, ensure_ascii=False))
        return
    for name, value in known.items():
        path = out / f"{name}.schema.json"
        files.write_text(path, json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
        print_line(str(path))
