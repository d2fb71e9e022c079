"""Write docs/api.md, the reference of the package, from its docstrings: python -m tools.make_api

The modules and their order are those of the import contract in pyproject.toml, parts before wholes. The
command line and what starts it are left out: `python -m digit_generator --help` describes them. So is what
needs PyTorch.
"""

from __future__ import annotations

import inspect
import pkgutil
import tomllib
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType

from digit_generator.files import write_whole

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = ("digit_generator.__main__", "digit_generator.cli", "digit_generator.lines.torch_stream")
WIDTH = 100  # of a line of code
HEAD = """\
# Reference

Every public name of the package, from its docstrings, by `make docs`. The names in the docstrings, such
as `z` and `pixels`, are those of the [tensor table](names.md).

`from digit_generator import NAME` works for {names}; the others are imported from their module.
"""


def main() -> None:
    write_whole(ROOT / "docs" / "api.md", reference().encode())


def reference() -> str:
    """The whole text of docs/api.md."""
    package = import_module("digit_generator")
    names = ", ".join(f"`{name}`" for name in package.__all__)
    return "\n".join([HEAD.format(names=names), *map(section_of_module, modules())])


def modules() -> list[ModuleType]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    kept = [import_module(name) for name in reversed(layers) if name not in LEFT_OUT]
    return [module for one in kept for module in (one, *rooms_of(one))]


def rooms_of(package: ModuleType) -> list[ModuleType]:
    """The modules of a package, by name; none of what is a module itself."""
    names = sorted(room.name for room in pkgutil.iter_modules(getattr(package, "__path__", [])))
    rooms = [f"{package.__name__}.{name}" for name in names]
    return [import_module(room) for room in rooms if room not in LEFT_OUT]


def section_of_module(module: ModuleType) -> str:
    parts = [f"## {module.__name__}", text_of(module)]
    for name, member in vars(module).items():
        if name.startswith("_") or getattr(member, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(member):
            parts += section_of_class(name, member)
        elif isinstance(member, FunctionType):
            parts += [f"### {name}", code(name, member), text_of(member)]
    return "\n\n".join(parts) + "\n"


def section_of_class(name: str, kind: type) -> list[str]:
    shows_how_it_is_made = not issubclass(kind, Exception) and "__init__" in vars(kind)
    parts = [f"### {name}", *([code(name, kind)] if shows_how_it_is_made else []), text_of(kind)]
    if shows_how_it_is_made and vars(kind)["__init__"].__doc__:
        parts.append(text_of(vars(kind)["__init__"]))
    for member_name, member in vars(kind).items():
        if member_name.startswith("_") or not inspect.getdoc(member):
            continue  # without a docstring it is what the class says of it
        full_name = f"{name}.{member_name}"
        if isinstance(member, property):
            parts += [f"#### {full_name}", text_of(member)]
        elif isinstance(member, FunctionType | classmethod | staticmethod):
            parts += [f"#### {full_name}", code(full_name, getattr(kind, member_name)), text_of(member)]
    return parts


def text_of(thing: object) -> str:
    """The docstring, as Markdown: what looks like a tag of HTML is shown as it is."""
    text = inspect.getdoc(thing)
    if not text:
        raise SystemExit(f"{thing!r} is public and has no docstring: write one.")
    return text.replace("<", "&lt;")


def code(name: str, function: object) -> str:
    """The signature, one parameter a line where it would be too long."""
    signature = inspect.signature(function)  # type: ignore[arg-type]
    parameters = [
        parameter.replace(annotation=Bare(parameter.annotation))
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    bare = signature.replace(parameters=parameters, return_annotation=Bare(signature.return_annotation))
    line = f"{name}{bare}"
    if len(line) > WIDTH:
        start, end = line.index("(") + 1, line.rindex(")")
        given = str(bare.replace(return_annotation=inspect.Signature.empty))[1:-1]
        given = given.replace(", *, ", ",\n    *, ")
        for parameter in parameters:
            given = given.replace(f", {parameter.name}: ", f",\n    {parameter.name}: ")
        line = f"{line[:start]}\n    {given},\n{line[end:]}"
    return f"```python\n{line}\n```"


class Bare:
    """An annotation that is shown without the quotes that text has."""

    def __new__(cls, annotation: object) -> object:
        return super().__new__(cls) if isinstance(annotation, str) else annotation

    def __init__(self, annotation: object) -> None:
        self.annotation = annotation

    def __repr__(self) -> str:
        return str(self.annotation)


if __name__ == "__main__":
    main()
