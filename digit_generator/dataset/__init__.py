"""Labelled sets of generated digits, as IDX, NPZ, PNG or Parquet, each with a manifest of how it was made.

plan: what a set holds. formats: its files. folder: whole or not at all. write: one process draws and writes
it. shards: many processes do, with Ray, for sets of any size. cluster: what these share with sets of lines.
"""

from digit_generator.dataset.folder import MANIFEST, manifest_name
from digit_generator.dataset.formats import SetFormat
from digit_generator.dataset.plan import MAX_COUNT, DatasetError
from digit_generator.dataset.write import write_dataset

__all__ = ["MANIFEST", "MAX_COUNT", "DatasetError", "SetFormat", "manifest_name", "write_dataset"]
