"""A declared string that looks like a path and is not treated as one is a warning."""

import json
from typing import Any

import pytest

from cortex_policy.schema.lint import decode_and_lint_grant


def found(**args: Any) -> list[str]:
    """Return the arguments that are warned of."""
    grant = {"tool": "t", "actions": ["read"], "rate": {"perMinute": 30}, "args": args, "fsScope": ["docs"]}
    problems = decode_and_lint_grant(json.dumps(grant).encode(), "t")[1]
    return [one.pointer.removeprefix("/args/") for one in problems if one.code == "arg-pathlike"]


TEXT = {"type": "string"}


@pytest.mark.parametrize("declaration", [
    TEXT, {}, {"type": ["string", "null"]}, {"maxLength": 200}, {"type": "array", "items": TEXT}, {"items": {"items": TEXT}},
    {"enum": ["json", "a/b"]}, {"const": "/etc/passwd"}, {"pattern": "^[a-z/]+$"}, {"pattern": "^docs/"},
])  # fmt: skip
def test_a_string_with_the_name_of_a_place_is_warned_of(declaration: dict[str, Any]) -> None:
    """In an array too; whatever else is asked of it, as long as a path meets that."""
    assert found(target=declaration) == ["target"]


@pytest.mark.parametrize("declaration", [
    {"type": "integer"}, {"type": "object"}, {**TEXT, "format": "path"}, {**TEXT, "format": "not-path"}, {"enum": ["debug", "release"]},
    {"const": "x"}, {"pattern": "^[a-z]+$"}, {"maxLength": 2}, {"type": "array", "items": {**TEXT, "format": "path"}}, {"type": "strin"}, 3,
])  # fmt: skip
def test_arguments_that_cannot_be_paths_get_no_warning(declaration: Any) -> None:
    """And what the grant says to be a path, or none."""
    assert found(target=declaration) == []


@pytest.mark.parametrize("declaration", [
    {**TEXT, "enum": ["./x"]}, {**TEXT, "default": "src/main"}, {**TEXT, "examples": ["/srv/x"]}, {**TEXT, "pattern": "^/srv/"},
    {**TEXT, "pattern": "^srv/[a-z]+$"},
])  # fmt: skip
def test_a_value_that_looks_like_a_path_tells_too(declaration: dict[str, Any]) -> None:
    """Whatever the argument is called."""
    assert found(thing=declaration) == ["thing"]
    assert found(thing={**declaration, "format": "not-path"}) == []


def test_a_name_that_is_treated_as_a_path_is_not_warned_of() -> None:
    """By its whole name or its last word."""
    assert found(path=TEXT, source=TEXT, output_path=TEXT, logFile=TEXT, logfile=TEXT, ref=TEXT) == ["logfile"]
