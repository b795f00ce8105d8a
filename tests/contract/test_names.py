"""A name says whether a function makes a sentence, and whether all it does is to raise (CONTRIBUTING.md)."""

import ast
from collections.abc import Iterator

from tests.support.checkout import CHECKOUT

FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
RAISING = ("check", "fail", "leave", "raise", "refuse", "require", "verify")
SAYING = ("Say ", "Return why ", "Return a sentence", "Return the sentence", "Return a phrase", "Return a note")


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef, str]]:
    """Yield where each function with a docstring is, itself, and that."""
    for file in sorted((CHECKOUT / "cortex_policy").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, FUNCTIONS) and (docstring := ast.get_docstring(node)):
                yield f"{file.relative_to(CHECKOUT)}: {node.name}", node, docstring


def is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it is read without a call, as `stop.sentence`."""
    return any(isinstance(one, ast.Name) and one.id == "property" for one in node.decorator_list)


def test_a_function_that_makes_a_sentence_is_called_a_text() -> None:
    """`..._text` is made for people; what is to be looked at has another name. A hint is called one."""
    saying = [
        (where, node.name)
        for where, node, docstring in functions()
        if node.returns is not None and ast.unparse(node.returns).strip("'\"") == "str" and not is_property(node)
        if docstring.startswith(SAYING)
    ]
    assert len(saying) > 40
    assert [where for where, name in saying if not name.endswith(("_text", "_hint")) and "text_" not in name] == []


def test_a_function_that_only_raises_is_called_after_that() -> None:
    """Its docstring begins with Raise: it returns nothing to look at, and its name is no noun."""
    raising = [(where, node.name) for where, node, docstring in functions() if docstring.startswith("Raise ")]
    assert len(raising) > 40
    assert [where for where, name in raising if name.strip("_").split("_")[0] not in RAISING] == []
