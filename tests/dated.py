"""Which tests have samples of `tests.days`: found in their source, by the names that they and their fixtures use."""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeAlias

ROOT = Path(__file__).parents[1]
DAYS = "tests.days"

Name: TypeAlias = tuple[Path, str]
"""A name in a file."""


@dataclass(frozen=True)
class Source:
    """A file of the tests: what it defines, and what it imports from the others."""

    defined: dict[str, list[ast.stmt]]
    imported: dict[str, tuple[str, str]]
    always: frozenset[str]
    """The fixtures that every test of the file has."""


def is_dated(path: Path, test: str) -> bool:
    """Say whether a test of a file uses the samples' day, by whatever it calls and imports."""
    left: list[Name] = [(path, test), *((path, fixture) for fixture in _source(path).always)]
    seen: set[Name] = set()
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        found = _next(*name)
        if found is None:
            return True
        left += found
    return False


@cache
def _next(path: Path, name: str) -> list[Name] | None:
    """Return the names that one is made of; None where one is the day."""
    source = _source(path)
    if name in source.imported:
        module, original = source.imported[name]
        if DAYS in (module, f"{module}.{original}"):
            return None
        file = _file(f"{module}.{original}")
        if file.exists():  # a whole module
            return [(file, each) for each in _source(file).defined]
        return [(_file(module), original)] if _file(module).exists() else []
    if name in source.defined:
        return [(path, each) for node in source.defined[name] for each in _used(node)]
    # A fixture of a folder.
    return [(above, name) for above in _conftests(path) if name in _source(above).defined and above != path][:1]


@cache
def _source(path: Path) -> Source:
    defined: dict[str, list[ast.stmt]] = {}
    imported: dict[str, tuple[str, str]] = {}
    always: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] == "tests":
                imported |= {each.asname or each.name: (module, each.name) for each in node.names}
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                defined.setdefault(node.name, []).append(node)
                if "autouse=True" in "".join(map(ast.unparse, node.decorator_list)):
                    always.add(node.name)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign():
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    for each in _used(target):
                        defined.setdefault(each, []).append(node)
            case _:
                pass
    return Source(defined, imported, frozenset(always))


def _used(node: ast.AST) -> set[str]:
    """Return the names in a piece of source; those of arguments, too, which may be fixtures."""
    names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return names | {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}


@cache
def _conftests(path: Path) -> list[Path]:
    above = [folder / "conftest.py" for folder in path.parents if ROOT in (folder, *folder.parents)]
    return [each for each in above if each.exists()]


def _file(module: str) -> Path:
    return (ROOT / module.replace(".", "/")).with_suffix(".py")
