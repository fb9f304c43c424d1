"""`btlib doctor`: show what is installed and what btlib would choose, and test it."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from btlib.adapters.device_choice import Device
from btlib.cli.output import print_line

if TYPE_CHECKING:
    from btlib.doctor import Finding

_MARKS = {"pass": "✓", "fail": "✗", "skip": "–"}


def doctor(
    output: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write everything as JSON, for a bug report.")
    ] = None,
    device: Annotated[
        Device, typer.Option(help="Device for training and prediction; auto: the fastest available.")
    ] = "auto",
    gpu: Annotated[bool, typer.Option("--gpu", help="Also run the checks that need a GPU; takes minutes.")] = False,
) -> None:
    """Show versions, devices and choices, and test the installation in seconds; exit code 1 if a check fails."""
    from btlib import files
    from btlib.doctor import diagnose
    from btlib.paths import project_root

    with tempfile.TemporaryDirectory(prefix="btlib-doctor-", ignore_cleanup_errors=True) as place:
        found = diagnose(Path(place), project_root(), device, gpu=gpu)
    for section, facts in found.facts.items():
        print_line(f"{section}")
        _table(facts, indent=2)
    print_line("checks")
    for finding in found.findings:
        _show(finding)
    if output is not None:
        files.write_text(output, json.dumps(found.as_json(), indent=2, ensure_ascii=False) + "\n")
        print_line(f"written to {output}")
    if found.failed:
        print_line(f"{len(found.failed)} of {len(found.findings)} checks failed: {', '.join(found.failed)}")
        raise typer.Exit(1)
    print_line("all checks passed")


def _table(facts: Any, indent: int) -> None:
    """Print names and values, one per line; None is left out."""
    known = {name: value for name, value in facts.items() if value is not None}
    width = max(map(len, known), default=0)
    for name, value in known.items():
        if isinstance(value, dict):
            print_line(f"{'':{indent}}{name}")
            _table(value, indent + 2)
        else:
            print_line(f"{'':{indent}}{name:{width}}  {value}")


def _show(finding: "Finding") -> None:
    first, *rest = finding.message.splitlines() or [""]
    print_line(f"  {_MARKS[finding.outcome]} {finding.check}: {first} ({finding.seconds:.1f} s)")
    for line in rest:
        print_line(f"      {line}")
