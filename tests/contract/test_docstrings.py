"""Docstrings and comments name what exists."""

import ast
import builtins
import io
import re
import tokenize

from tests.support.checkout import CHECKOUT

PACKAGE = CHECKOUT / "cortex_policy"
DOCUMENTED = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
NAMED_MODULE = re.compile(r"`([\w/]+\.py)`")
REFERENCE_IN_COMMENT = re.compile(r"\b(?:[Ss]ee|[Aa]s in) `([A-Za-z_][\w.]*)`")
REFERENCE_IN_DOCSTRING = re.compile(r"\b[Ss]ee `([A-Za-z_][\w.]*)`")  # "as in" gives an example there


def test_every_error_that_a_docstring_names_exists() -> None:
    """An error that is renamed takes its name in each docstring with it."""
    exists, named = set(dir(builtins)), set[str]()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef):
                exists.add(node.name)
            if isinstance(node, DOCUMENTED):
                named.update(re.findall(r"\b[Rr]aises?\s+([A-Z]\w+)", ast.get_docstring(node) or ""))
    assert len(named) > 10
    assert not named - exists


def list_comments(text: str) -> list[str]:
    """Return the comments of a module."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def list_docstrings(text: str) -> list[str]:
    """Return the docstrings of a module, with those of its classes and functions."""
    return [ast.get_docstring(node) or "" for node in ast.walk(ast.parse(text)) if isinstance(node, DOCUMENTED)]


def defined_names(text: str) -> set[str]:
    """Return the names that a module gives: a reader who is sent to one of them stays in the file."""
    names = set[str]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
    return names


def dangling_references(text: str) -> set[str]:
    """Return the names to which comments and docstrings send a reader, and which the file does not define."""
    named = {name for comment in list_comments(text) for name in REFERENCE_IN_COMMENT.findall(comment)}
    named |= {name for docstring in list_docstrings(text) for name in REFERENCE_IN_DOCSTRING.findall(docstring)}
    names = defined_names(text)
    return {name for name in named if not names.issuperset(name.split("."))}


def test_every_name_that_a_reader_is_sent_to_is_in_the_same_file() -> None:
    """A comment with "see" or "as in" has its reason at that name: a function that is renamed takes it along."""
    texts = {file: file.read_text() for file in PACKAGE.rglob("*.py")}
    assert sum(len(REFERENCE_IN_COMMENT.findall(text)) for text in texts.values()) > 5
    found = {str(file.relative_to(PACKAGE)): dangling_references(text) for file, text in texts.items()}
    assert not {file: names for file, names in found.items() if names}


def test_every_module_that_a_comment_or_docstring_names_exists() -> None:
    """By its place, or by the end of it."""
    modules = {
        f"/{file.relative_to(CHECKOUT)}" for top in (PACKAGE, CHECKOUT / "scripts") for file in top.rglob("*.py")
    }
    named = set[tuple[str, str]]()
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text()
        prose = "\n".join(list_comments(text) + list_docstrings(text))
        named |= {(str(file.relative_to(PACKAGE)), name) for name in NAMED_MODULE.findall(prose)}
    assert named
    assert not {(file, name) for file, name in named if not any(one.endswith(f"/{name}") for one in modules)}
