"""The command line, `btlib`. Each command calls the library; errors are printed without traceback, exit code 2."""

from typing import Any

import typer
from typer.core import TyperGroup

from btlib.cli.baseline import app as baseline_app
from btlib.cli.check import check
from btlib.cli.compare import compare
from btlib.cli.data import app as data_app
from btlib.cli.doctor import doctor
from btlib.cli.explain import explain
from btlib.cli.init import init
from btlib.cli.leakage import leakage
from btlib.cli.power import power
from btlib.cli.report import report
from btlib.cli.results import results
from btlib.cli.run import merge, run
from btlib.cli.schema import schema
from btlib.cli.show import show
from btlib.errors import BtlibError
from btlib.registry import entry_points

__all__ = ["app"]


class _Clean(TyperGroup):
    """Group that prints the errors of all sub-commands as messages."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a BtlibError or an OSError ends it with exit code 2."""
        try:
            return super().invoke(ctx)
        except (BtlibError, OSError) as error:
            from btlib.cli.output import print_error

            print_error(error)
            raise typer.Exit(2) from error


app = typer.Typer(
    name="btlib",
    cls=_Clean,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A benchmark harness for medical image segmentation and classification.",
)
app.add_typer(data_app, name="data")
app.add_typer(baseline_app, name="baseline")
app.command()(init)
app.command()(run)
app.command()(merge)
app.command()(show)
app.command()(compare)
app.command()(power)
app.command()(check)
app.command()(doctor)
app.command()(explain)
app.command()(report)
app.command()(leakage)
app.command()(results)
app.command()(schema)
for _command in entry_points("btlib.commands"):  # of installed packages
    app.command(_command.name)(_command.load())


def _print_version(wanted: bool) -> None:
    if wanted:
        from btlib import __version__

        typer.echo(f"btlib {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Handle the options before a sub-command."""
