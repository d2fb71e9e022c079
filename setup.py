"""The one thing of the build that pyproject.toml cannot say: the weights lie beside the package, not in it.

An installed package has them inside, where weights.find_weights looks first.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

WEIGHTS = ("generator.*",)  # generator.pth, where it comes from, its choice, and its style controls


class BuildWithWeights(build_py):
    """Python's own step that puts modules together, and the weights with them."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # an editable install finds them in the repository
            for pattern in WEIGHTS:
                for path in sorted(Path().glob(pattern)):
                    self.copy_file(str(path), str(Path(self.build_lib, "digit_generator", path.name)))


setup(cmdclass={"build_py": BuildWithWeights})
