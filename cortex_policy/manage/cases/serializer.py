"""A case file as text: TOML that reads well."""

import json

from cortex_policy.manage.cases.model import NANOSECONDS, Case, CaseFile
from cortex_policy.manage.cases.sandbox import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# What `{grant}` allows and what it denies, run by `cortex-policy test`. The cases run in their order on one budget and
# one clock, which stands still until a case advances it.
"""
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")


def text_of(file: CaseFile) -> str:
    """Return a case file as TOML."""
    lines = [_HEAD.format(grant=file.grant_id), f"grant = {_value(file.grant_id)}"]
    if file.is_complete:
        lines.append("complete = true  # what the grant says and no case shows fails, too")
    lines += _tree(file.tree)
    for case in file.cases:
        lines += ["", "[[case]]", *(f"{name} = {value}" for name, value in _members(case))]
    return "\n".join([*lines, ""])


def _tree(tree: Tree) -> list[str]:
    if tree == Tree():
        return []
    lines = ["", "[tree]  # of a scratch root: the real one is not looked at"]
    if tree.directories:
        lines.append(f"directories = {_value(list(tree.directories))}")
    if tree.files:
        lines.append(f"files = {_value(list(tree.files))}")
    if tree.links:
        lines += ["", "[tree.links]", *(f"{_key(link)} = {_value(target)}" for link, target in tree.links)]
    return lines


def _members(case: Case) -> "Iterator[tuple[str, str]]":
    yield "name", _value(case.name)
    if case.advance_ns:
        yield "advance_seconds", _seconds(case.advance_ns)
    yield "action", _value(case.action)
    if case.args:
        yield "args", _value(dict(case.args)) if _has_toml(case.args) else _value(json.dumps(case.args))
    for name, usual in (("cwd", ""), ("cost", 1), ("times", 1)):
        if getattr(case, name) != usual:
            yield name, _value(getattr(case, name))
    yield "expect", _value(str(case.expect))
    for name in ("remaining", "tool"):
        if getattr(case, name) is not None:
            yield name, _value(getattr(case, name))
    if case.obligations is not None:
        yield "obligations", _value(list(case.obligations))


def _seconds(nanoseconds: int) -> str:
    whole, rest = divmod(nanoseconds, NANOSECONDS)
    return f"{whole}.{rest:09}".rstrip("0") if rest else str(whole)


def _has_toml(value: object) -> bool:
    """Whether TOML can say a value: it has no null."""
    if isinstance(value, dict | list):
        return all(map(_has_toml, value.values() if isinstance(value, dict) else value))
    return value is not None


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{_key(name)} = {_value(part)}" for name, part in value.items()) + " }" if value else "{}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(text: str) -> str:
    """Return a string; what is no letter to see is escaped."""
    if '"' in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    if text.isprintable():
        return json.dumps(text, ensure_ascii=False)
    inner = (json.dumps(one, ensure_ascii=False)[1:-1] if one.isprintable() else _escaped(one) for one in text)
    return f'"{"".join(inner)}"'


def _escaped(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) <= 0xFFFF else f"\\U{ord(letter):08x}"  # noqa: PLR2004 - what four digits say


def _key(name: str) -> str:
    return name if name and _BARE.issuperset(name) else _text(name)
