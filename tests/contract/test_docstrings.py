"""Docstrings name what exists."""

import ast
import builtins
import re

from tests.support.checkout import CHECKOUT


def test_every_error_that_a_docstring_names_exists() -> None:
    """An error that is renamed takes its name in each docstring with it."""
    exists, named = set(dir(builtins)), set[str]()
    for file in (CHECKOUT / "cortex_policy").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                exists.add(node.name)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                named.update(re.findall(r"\b[Rr]aises?\s+([A-Z]\w+)", ast.get_docstring(node) or ""))
    assert len(named) > 10
    assert not named - exists
