"""Parse plain `validate` command lines without Typer, whose start takes longer than validating one file."""

from cortex_policy.cli.commands.validate_run import ValidateOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_FLAGS = {"--strict": "strict", "--fix": "fix", "--json": "json"}
_LISTS = {"--select": "select", "--ignore": "ignore", "--output": "output"}


def parse_validate_argv_or_none(words: list[str]) -> ValidateOptions | None:
    """Parse the words after `validate`; return None for anything not plain, which Typer then parses."""
    parts: dict[str, Any] = {"paths": ()}
    rest = iter(words)
    for word in rest:
        if word == "-" or not word.startswith("-"):
            parts["paths"] += (word,)
        elif not _parse_option(word, rest, parts):
            return None
    return ValidateOptions(**parts)


def _parse_option(word: str, rest: "Iterator[str]", parts: "dict[str, Any]") -> bool:
    """Add one option to the parts; return False if it is unknown, repeated or not plain."""
    if word in _FLAGS:
        parts[_FLAGS[word]] = True
        return True
    word, equals, behind = word.partition("=")
    if word not in _LISTS and word != "--root":
        return False
    value = behind if equals else next(rest, "-")
    if value.startswith("-") and not equals:
        return False
    if word == "--root":
        is_first = "root" not in parts
        parts["root"] = value
        return is_first
    parts[_LISTS[word]] = (*parts.get(_LISTS[word], ()), value)
    return True
