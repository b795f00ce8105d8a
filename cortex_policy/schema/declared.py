"""Rules about declared arguments: what `check` denies because it cannot enforce it, and what could stall it."""

from functools import cache
from re import _constants, _parser  # type: ignore[attr-defined] # how a pattern repeats is told nowhere else

from cortex_policy.core.arguments import broken
from cortex_policy.core.declarations import KEYWORDS
from cortex_policy.core.patterns import compiled
from cortex_policy.schema.problems import Finding, pointer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from cortex_policy.schema.subject import Subject

_HINTS = {
    "format": 'the formats are "path" and "not-path"',
    "pattern": "it is no ECMA pattern, or one that means something else to Python",
    "type": "the types are string, number, integer, boolean, array, object and null",
}
_REPEATS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)


def unenforceable(subject: "Subject") -> "Iterator[Finding]":
    """Find declarations that deny every call with the argument."""
    if subject.grant.args.get("type") == "object" and isinstance(subject.grant.args.get("properties"), dict):
        message = "`args` is the JSON Schema of an object, and must name each argument itself"
        yield Finding("arg-keyword", message, "write what `properties` holds straight into `args`", "/args")
        return
    for name, declaration in subject.grant.args.items():
        if broken(declaration, 0):
            yield from _broken(name, declaration, ("args", name))


def stalling_patterns(subject: "Subject") -> "Iterator[Finding]":
    """Find patterns with a repeat in a repeat and nothing between: the time they take can double with each letter."""
    for name, declaration in subject.grant.args.items():
        for steps, pattern in _patterns(declaration, ("args", name)):
            if _can_stall(pattern):
                message = f"`{name}` has a pattern that can take for ever: it repeats what repeats itself"
                yield Finding("arg-pattern", message, "let each part be matched in one way only", pointer(*steps))


def _broken(name: str, declaration: object, steps: tuple[str, ...]) -> "Iterator[Finding]":
    if not isinstance(declaration, dict):
        message = f"`{name}` is declared by something that is no object, so every call with it is denied"
        yield Finding("arg-keyword", message, 'declare it as in {"type": "string"}', pointer(*steps))
        return
    for keyword, value in declaration.items():
        if keyword == "items":
            yield from _broken(name, value, (*steps, keyword))
        elif broken({keyword: value}, 0):
            message = f"`{name}` {broken({keyword: value}, 0)}, so every call with it is denied"
            known = f"what can be enforced: {', '.join(sorted(KEYWORDS))}"
            yield Finding("arg-keyword", message, _HINTS.get(keyword, known), pointer(*steps, keyword))


def _patterns(declaration: object, steps: tuple[str, ...]) -> "Iterator[tuple[tuple[str, ...], str]]":
    if isinstance(declaration, dict):
        if isinstance(declaration.get("pattern"), str):
            yield (*steps, "pattern"), declaration["pattern"]
        yield from _patterns(declaration.get("items"), (*steps, "items"))


@cache
def _can_stall(pattern: str) -> bool:
    found = compiled(pattern)
    try:
        return found is not None and _stalls(_parser.parse(found.pattern))
    except RecursionError:  # hundreds of groups in each other: nobody can say how long that takes
        return True


def _stalls(parts: "Sequence[Any]") -> bool:
    return any(
        (operator in _REPEATS and _is_endless(argument) and _is_one_repeat(argument[2]))
        or any(_stalls(inner) for inner in _inside(argument))
        for operator, argument in parts
    )


def _is_endless(repeat: "Any") -> bool:
    return repeat[1] is _constants.MAXREPEAT


def _is_one_repeat(parts: "Any") -> bool:
    """Whether a sequence, but for what may be absent, is one endless repeat."""
    must = [part for part in parts if _width(parts.state, part)]
    return len(must) < 2 and any(map(_is_repeat, must or parts))  # noqa: PLR2004 - nothing parts its rounds


def _is_repeat(part: "Any") -> bool:
    operator, argument = part
    if operator in _REPEATS:
        return _is_endless(argument) or _is_one_repeat(argument[2])
    return any(_is_one_repeat(inner) for inner in _inside(argument))


def _width(state: "Any", part: "Any") -> int:
    """Return how many characters a part matches at least; the state knows the groups that it refers to."""
    width = _parser.SubPattern(state, [part]).getwidth()[0]
    return int(width)


def _inside(argument: "Any") -> "Iterator[Any]":
    """Yield the sequences inside what an operator takes."""
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for part in argument:
            yield from _inside(part)
