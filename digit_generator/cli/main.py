"""The command line: one command of the group `cli` for each thing to make.

Commands print the path of each file that they write to stdout, one a line, and messages to stderr. Bad input
gets one sentence on stderr and exit code 2.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from digit_generator import __version__
from digit_generator.cli.draw import generate, morph, number, recipe
from digit_generator.cli.lines import lines
from digit_generator.cli.models import export, style
from digit_generator.cli.pictures import hand, normalize
from digit_generator.cli.sets import dataset
from digit_generator.errors import DigitGeneratorError


@click.group(invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="digit-generator", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Handwritten-style digits, drawn by a small neural network.

    The same digit, seed and weights always give the same picture.

    \b
    Examples:
      python -m digit_generator generate 7
      python -m digit_generator generate 7 --count 100 --sheet --scale 4
      python -m digit_generator generate 7 --thickness 3 --slant 0.3
      python -m digit_generator number 24/12/2026 --scale 4
      python -m digit_generator hand photo.jpg --digits 7
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (generate, morph, number, lines, recipe, normalize, hand, dataset, export, style):
    cli.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 done, 2 a mistake, 130 stopped by Ctrl-C."""
    try:
        code = cli.main(list(arguments), prog_name="python -m digit_generator", standalone_mode=False)
    except click.UsageError as error:
        message = error.format_message()
        stop = "" if message.endswith((".", "?")) else "."
        command = error.ctx.command_path if error.ctx else "python -m digit_generator"
        click.echo(f"Error: {message}{stop} See `{command} --help`.", err=True)
        return 2
    except click.ClickException as error:
        click.echo(f"Error: {error.format_message()}", err=True)
        return 2
    except DigitGeneratorError as error:
        click.echo(f"Error: {error}.", err=True)
        return 2
    except SystemExit:  # click's answer to who closes stdout, as `head` does
        click.echo(
            "Error: standard output was closed before the end: what is not listed was not made.", err=True
        )
        return 2
    except OSError as error:  # files have their own sentence: this is about stdout
        click.echo(f"Error: standard output cannot be written ({error.strerror}).", err=True)
        return 2
    except click.Abort:
        click.echo("Stopped.", err=True)
        return 130
    return code if isinstance(code, int) else 0
