"""Labelled lines of handwriting, for people who train readers.

grammar: what is written. looks: how it looks. source: line i of a source. formats: the files of a set. write:
into a folder, and on after a stop. shards: by many processes, with Ray. stream: without files, for training
loops.
"""

from digit_generator.lines.formats import LineFormat
from digit_generator.lines.grammar import Pattern, PatternError
from digit_generator.lines.looks import Label, Look, LookError, Picture
from digit_generator.lines.source import LineSource
from digit_generator.lines.write import write_lines

__all__ = [
    "Label",
    "LineFormat",
    "LineSource",
    "Look",
    "LookError",
    "Pattern",
    "PatternError",
    "Picture",
    "write_lines",
]
