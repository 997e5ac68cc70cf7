"""A test's name is a plain sentence of at most 70 characters, and each name stands for one test."""

import ast
from collections import Counter
from pathlib import Path

LONGEST = 70
TESTS = Path(__file__).parent


def names(module: Path) -> list[str]:
    tree = ast.parse(module.read_text(encoding="utf-8"))
    functions = (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    return [each.name for each in functions if each.name.startswith("test_")]


def ours() -> list[Path]:
    """The modules of tests, without those of the environments and packages that `make interop` puts beside them."""
    return [
        each
        for each in TESTS.rglob("test_*.py")
        if not any(part.startswith(".") or part == "node_modules" for part in each.relative_to(TESTS).parts)
    ]


def test_a_tests_name_has_at_most_70_characters() -> None:
    found = {
        f"{module.relative_to(TESTS)}: {name}" for module in ours() for name in names(module) if len(name) > LONGEST
    }
    assert not found


def test_no_name_is_given_to_two_tests_of_a_module() -> None:
    # The second one would replace the first, which would never run again.
    counted = {module.name: Counter(names(module)) for module in ours()}
    assert not {module: name for module, found in counted.items() for name, times in found.items() if times > 1}
