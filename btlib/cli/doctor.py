"""`btlib doctor`: what there is, what would be chosen, and whether it works."""

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
        Path | None, typer.Option("--json", metavar="FILE", help="Write all of it as JSON, to attach to a bug report.")
    ] = None,
    device: Annotated[Device, typer.Option(help="What to train and predict on; auto: the fastest there is.")] = "auto",
    gpu: Annotated[bool, typer.Option("--gpu", help="Run the checks that only a GPU answers, too: minutes.")] = False,
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
    print_line("all checks hold")


def _table(facts: Any, indent: int) -> None:
    """Names and values, a line each; what is not there is left out."""
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
