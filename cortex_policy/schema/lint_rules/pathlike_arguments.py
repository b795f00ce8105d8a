"""The rule about declared arguments that look like paths, and are not treated as paths."""

import re

from cortex_policy.core.arguments import (
    find_declaration_problem_text_or_empty,
    find_declared_path_or_not_path,
    find_first_argument_violation_text,
)
from cortex_policy.core.json_tree import format_json_pointer
from cortex_policy.core.path_arguments import NEVER, find_path_condition_of_argument
from cortex_policy.core.path_likeness import is_pathlike_name, looks_like_path
from cortex_policy.schema.problems import UnlocatedProblem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from cortex_policy.schema.lint_rules.lint_subject import LintSubject

_SAMPLES = ("/etc/passwd", "../x", "a/b")
_PATTERN_OF_PATHS = re.compile(r"\^?(?:\\?\.){0,2}\\?/|\^?~|\^[\w-]+\\?/")  # begins with the start of a path


def find_pathlike_arguments(subject: "LintSubject") -> "Iterator[UnlocatedProblem]":
    """Find declared strings, also in arrays, that look like paths although no scope limits them."""
    for name, declaration in subject.grant.args.items():
        text = _find_string_declaration(declaration) if _is_left_open(subject, name) else None
        if text is not None and (is_pathlike_name(name) or _has_path_values(text)) and _may_be_path(text):
            hint = 'add `"format": "path"`, or `"format": "not-path"` if it is not a path'
            message = f"`{name}` looks like a path and is not treated as one"
            yield UnlocatedProblem("arg-pathlike", message, hint, format_json_pointer("args", name), at_key=True)


def _is_left_open(subject: "LintSubject", name: str) -> bool:
    """Whether the name and the declaration of an argument leave open if it is a path."""
    declarations = subject.grant.args
    return (
        find_path_condition_of_argument(subject.grant, name) == NEVER
        and find_declared_path_or_not_path(declarations, name) is None
    )


def _find_string_declaration(declaration: object) -> "dict[str, Any] | None":
    """Return the declaration of a string, or of the strings in an array; None for anything else."""
    if not isinstance(declaration, dict) or find_declaration_problem_text_or_empty(declaration, 0):
        return None
    if "items" in declaration:
        return _find_string_declaration(declaration["items"])
    types = declaration.get("type", "string")
    return declaration if "string" in ([types] if isinstance(types, str) else types) else None


def _may_be_path(declaration: "dict[str, Any]") -> bool:
    """Whether a path meets the declaration: a listed one, or some sample."""
    listed = declaration.get("enum", [declaration["const"]] if "const" in declaration else None)
    if listed is not None:
        return any(isinstance(value, str) and looks_like_path(value) for value in listed)
    if _PATTERN_OF_PATHS.match(declaration.get("pattern", "")):
        return True
    return any(not find_first_argument_violation_text({"": declaration}, {"": sample}) for sample in _SAMPLES)


def _has_path_values(declaration: "dict[str, Any]") -> bool:
    """Whether its values, examples or pattern are spelled like paths."""
    examples = [declaration.get("const"), declaration.get("default")]
    for keyword in ("enum", "examples"):
        listed = declaration.get(keyword)
        examples += listed if isinstance(listed, list) else []
    is_pattern = _PATTERN_OF_PATHS.match(declaration.get("pattern", "")) is not None
    return is_pattern or any(isinstance(value, str) and looks_like_path(value) for value in examples)
