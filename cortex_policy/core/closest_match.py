"""What comes nearest to a word, a value or a path that was denied."""

from difflib import SequenceMatcher

from cortex_policy.core.arguments import broken, listed, unmet
from cortex_policy.core.engine import covering, usable
from cortex_policy.core.model import Value
from cortex_policy.core.unicode_form import twin, twin_scope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, TypeGuard

    from cortex_policy.core.model import ResolvedPath

_FIRST = ("type", "enum", "const")  # in the order of the engine; the rest as they are declared
_NEAR = 0.6
_MOST = 500  # words that are compared
_WIDEST = 10**15  # the integers of floats
_LONGEST = 200  # characters that are compared: the work is their square


class Miss(Value):
    """The keyword that a given argument misses: the way to it below `args`, the value, and what it allows."""

    way: tuple[str, ...]
    keyword: str
    bound: object
    value: object
    allowed: str


def nearest_word(word: str, words: "Sequence[str]") -> str:
    """Return the word that reads most like another, '' where none comes near."""
    if same := twin(word, words):
        return same

    def likeness(other: str) -> float:
        pair = word[:_LONGEST].casefold(), other[:_LONGEST].casefold()
        return SequenceMatcher(None, *pair, autojunk=False).ratio()

    best = max(words[:_MOST], key=likeness, default="")
    return best if best and likeness(best) >= _NEAR else ""


def miss_of(declarations: "Mapping[str, object]", given: "Mapping[str, object]") -> Miss:
    """Return the first miss of arguments of which some are known not to meet their declaration."""
    name = next(name for name in given if name in declarations and unmet(declarations, {name: given[name]}))
    return _miss((name,), declarations[name], given[name])


def _miss(way: tuple[str, ...], declaration: object, value: object) -> Miss:
    keyword = _keyword(declaration, value)
    if not isinstance(declaration, dict) or not keyword:
        return Miss(way, "", None, value, "")
    bound = declaration[keyword]
    if keyword == "items" and isinstance(value, list | tuple) and not broken({keyword: bound}, 0):
        return _miss((*way, keyword), bound, next(part for part in value if _misses(bound, part)))
    allowed = "" if broken(declaration, 0) else f"{_label(way)}: {_allowed(declaration)}"
    return Miss((*way, keyword), keyword, bound, value, allowed)


def _label(way: tuple[str, ...]) -> str:
    return "each item of " * (len(way) - 1) + f"`{way[0]}`"


def _keyword(declaration: object, value: object) -> str:
    """Return the keyword of a declaration that a value misses: the one that would deny it alone."""
    if not isinstance(declaration, dict):
        return ""
    members: dict[str, object] = declaration
    if broken(members, 0):
        return next(keyword for keyword, bound in members.items() if broken({keyword: bound}, 0))
    first = [keyword for keyword in _FIRST if keyword in members]
    ordered = [*first, *(keyword for keyword in members if keyword not in first)]
    return next((keyword for keyword in ordered if _misses({keyword: members[keyword]}, value)), "")


def _misses(declaration: object, value: object) -> bool:
    return bool(unmet({"": declaration}, {"": value}))


def _allowed(declaration: "dict[str, Any]") -> str:
    """Say in a few words what a declaration lets through."""
    parts = []
    for keyword, bound in declaration.items():
        if keyword == "type":
            parts.append(f"type {bound if isinstance(bound, str) else ' or '.join(bound)}")
        elif keyword == "enum":
            parts.append(f"one of {listed(bound)}")
        elif keyword == "const":
            parts.append(listed([bound]))
        elif keyword == "items" or not _misses({keyword: bound}, None):  # an annotation denies nothing
            parts += ["items as declared"] if keyword == "items" else []
        else:
            parts.append(f"{keyword} {bound}")
    return ", ".join(parts)


def nearest_value(miss: Miss) -> str:
    """Return the value that comes nearest to one that misses a list or a bound, '' where none does."""
    value, bound = miss.value, miss.bound
    if isinstance(value, str):
        words = [one for one in bound if isinstance(one, str)] if isinstance(bound, list) else []
        return nearest_word(value, words)
    if not _is_number(value):
        return ""
    if miss.keyword == "enum" and isinstance(bound, list):
        return str(min(filter(_is_number, bound), key=lambda one: abs(one - value), default=""))
    return str(bound) if miss.keyword in ("minimum", "maximum") else ""


def _is_number(value: object) -> "TypeGuard[int | float]":
    """Whether a value is a number that can be subtracted from others."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _WIDEST


def nearest_scope(scopes: tuple[str, ...], there: "ResolvedPath") -> str:
    """Return the scope with which a path shares most: its first components, else its spelling; '' where nothing."""
    if same := twin_scope(scopes, there):
        return same
    wanted = next(
        (one for one in (there.normalized, there.resolved_inside) if one and covering(scopes, one) is None), None
    )
    wanted = wanted if wanted is not None else there.given
    if not wanted:
        return ""
    matching = [scope for scope in scopes[:_MOST] if usable(scope) is not None]
    shared = {scope: _shared(wanted, scope) for scope in matching}
    best = max(matching, key=lambda scope: shared[scope], default="")
    if best and shared[best]:
        return best
    heads = {scope: "/".join(wanted.split("/")[: scope.removesuffix("/").count("/") + 1]) for scope in matching}
    return next((scope for scope in matching if nearest_word(heads[scope], [scope])), "")


def _shared(path: str, scope: str) -> int:
    """Return how many first components two paths have in common."""
    count = 0
    for mine, theirs in zip(path.split("/"), scope.removesuffix("/").split("/"), strict=False):
        if mine != theirs:
            break
        count += 1
    return count
