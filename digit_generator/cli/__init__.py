"""The command line: main (the group and how it ends), draw, sets, models, and the options that they share."""

from digit_generator.cli.main import run

__all__ = ["run"]
