"""What is generated of the documentation is up to date."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def make_api() -> ModuleType:
    """tools/make_api.py, which is no part of the package."""
    return importlib.import_module("tools.make_api")


def test_the_reference_is_that_of_these_docstrings(make_api: ModuleType) -> None:
    written = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert written == make_api.reference(), "docs/api.md is out of date: run make docs"


def test_every_public_name_is_in_the_reference(make_api: ModuleType) -> None:
    import digit_generator

    reference = make_api.reference()
    for name in digit_generator.__all__:
        assert name.startswith("_") or f"\n### {name}\n" in reference


def test_a_public_name_without_a_docstring_is_refused(make_api: ModuleType) -> None:
    with pytest.raises(SystemExit, match="is public and has no docstring: write one"):
        make_api.text_of(SimpleNamespace(__doc__=None))


def test_a_long_signature_has_a_line_for_each_parameter(make_api: ModuleType) -> None:
    def function(
        first_parameter: dict[str, tuple[int, str]], second: int = 1, *, third: str = "a", fourth: float = 2.5
    ) -> list[int]:
        return []

    assert make_api.code("name", function) == (
        "```python\nname(\n    first_parameter: dict[str, tuple[int, str]],\n    second: int = 1,\n    *,\n"
        "    third: str = 'a',\n    fourth: float = 2.5,\n) -> list[int]\n```"
    )
