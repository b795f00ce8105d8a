"""A case file as text: TOML that reads well."""

import json

from cortex_policy.manage.cases.model import NANOSECONDS, Case, CaseFile
from cortex_policy.manage.cases.temporary_file_tree import FileTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = """\
# What `{grant}` allows and what it denies, run by `cortex-policy test`. The cases run in their order on one budget and
# one clock, which only moves when a case advances it.
"""
_OWN_CASES = "# Your own cases go below this line:"
_BARE_KEY_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def make_hand_written_cases_marker(grant_id: str) -> str:
    """Return the line after which the cases that people write begin."""
    return f"{_OWN_CASES} cortex-policy test --init {grant_id} --update writes those above again"


def find_hand_written_cases_line_or_zero(text: str) -> int:
    """Return the number of the line after which people's cases begin, 0 if a file has no such line."""
    return next((number for number, line in enumerate(text.split("\n"), 1) if line.startswith(_OWN_CASES)), 0)


def format_generated_cases_as_toml(file: CaseFile) -> str:
    """Return a case file as TOML, up to where people's own cases begin."""
    lines = [_HEADER.format(grant=file.grant_id), f"grant = {_format_value(file.grant_id)}"]
    if file.is_complete:
        lines.append("complete = true  # also fails if a part of the grant has no case")
    lines += _tree_lines(file.tree)
    for case in file.cases:
        lines += ["", "[[case]]", *(f"{name} = {value}" for name, value in _case_members(case))]
    return "\n".join([*lines, "", make_hand_written_cases_marker(file.grant_id), ""])


def _tree_lines(tree: FileTree) -> list[str]:
    if tree == FileTree():
        return []
    lines = ["", "[tree]  # of a scratch root: the real one is not looked at"]
    if tree.directories:
        lines.append(f"directories = {_format_value(list(tree.directories))}")
    if tree.files:
        lines.append(f"files = {_format_value(list(tree.files))}")
    if tree.links:
        lines += [
            "",
            "[tree.links]",
            *(f"{_format_key(link)} = {_format_value(target)}" for link, target in tree.links),
        ]
    return lines


def _case_members(case: Case) -> "Iterator[tuple[str, str]]":
    yield "name", _format_value(case.name)
    if case.advance_ns:
        yield "advance_seconds", _format_seconds(case.advance_ns)
    yield "action", _format_value(case.action)
    if case.args:
        yield (
            "args",
            _format_value(dict(case.args)) if _is_toml_value(case.args) else _format_value(json.dumps(case.args)),
        )
    for name, usual in (("cwd", ""), ("cost", 1), ("times", 1)):
        if getattr(case, name) != usual:
            yield name, _format_value(getattr(case, name))
    yield "expect", _format_value(str(case.expect))
    for name in ("remaining", "tool"):
        if getattr(case, name) is not None:
            yield name, _format_value(getattr(case, name))
    if case.obligations is not None:
        yield "obligations", _format_value(list(case.obligations))


def _format_seconds(nanoseconds: int) -> str:
    whole, rest = divmod(nanoseconds, NANOSECONDS)
    return f"{whole}.{rest:09}".rstrip("0") if rest else str(whole)


def _is_toml_value(value: object) -> bool:
    """Whether TOML can say a value: it has no null."""
    if isinstance(value, dict | list):
        return all(map(_is_toml_value, value.values() if isinstance(value, dict) else value))
    return value is not None


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{_format_key(name)} = {_format_value(part)}" for name, part in value.items()) + " }"
            if value
            else "{}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_format_value, value)) + "]"
    return _format_string(value) if isinstance(value, str) else json.dumps(value)


def _format_string(text: str) -> str:
    """Return a TOML string; invisible characters are escaped."""
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    if text.isprintable():
        return json.dumps(text, ensure_ascii=False)
    inner = (json.dumps(one, ensure_ascii=False)[1:-1] if one.isprintable() else _escape_letter(one) for one in text)
    return f'"{"".join(inner)}"'


def _escape_letter(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) <= 0xFFFF else f"\\U{ord(letter):08x}"  # noqa: PLR2004 - what four digits say


def _format_key(name: str) -> str:
    return name if name and _BARE_KEY_CHARACTERS.issuperset(name) else _format_string(name)
