"""The closest allowed word, value or scope for one that was denied."""

from difflib import SequenceMatcher

from cortex_policy.core import Value
from cortex_policy.core.arguments import (
    find_declaration_problem_text_or_empty,
    find_first_argument_violation_text,
    find_first_violating_argument,
)
from cortex_policy.core.engine import find_matching_scope, strip_scope_slash_or_none
from cortex_policy.core.unicode_equivalence import find_equivalent_word, find_scope_and_path_covered_in_nfc
from cortex_policy.core.value_text import format_first_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, TypeGuard

    from cortex_policy.core.model import ResolvedPath

_FIRST_KEYWORDS = ("type", "enum", "const")  # in the order of the engine; the rest as they are declared
_MIN_LIKENESS = 0.6
_MIN_LIKENESS_OF_OTHERS = 0.75  # of a word that begins differently
_MIN_START = 3  # characters of a word that stands for the only one that begins so
_MAX_WORDS = 500  # words that are compared
_MAX_PATH_LENGTH = 4096  # characters of a path or a scope that are compared
_MAX_NUMBER = 10**15  # the integers of floats
_MAX_LENGTH = 200  # characters that are compared: the work is their square


class ArgumentViolation(Value):
    """The keyword that an argument violates: why, its keys below `args`, the value, and what is allowed."""

    why: str
    keys: tuple[str, ...]
    keyword: str
    bound: object
    value: object
    allowed: str


def find_closest_word(word: str, words: "Sequence[str]", max_words: int = _MAX_WORDS) -> str:
    """Return the word that is most like another, '' if none is close; compare at most `max_words` words.

    The start of one word alone stands for it. Few mistype the first letter: another one needs to be closer.
    """
    if same := find_equivalent_word(word, words):
        return same
    completed = [other for other in words[:max_words] if other.casefold().startswith(word.casefold())]
    if len(word) >= _MIN_START and len(completed) == 1:
        return completed[0]

    def likeness(other: str) -> float:
        """Return how alike two words are without case, from 0 to 1; only the start of a long one is compared."""
        pair = word[:_MAX_LENGTH].casefold(), other[:_MAX_LENGTH].casefold()
        return SequenceMatcher(None, *pair, autojunk=False).ratio()

    best = max(words[:max_words], key=likeness, default="")
    is_same_start = bool(best) and best[:1].casefold() == word[:1].casefold()
    return best if best and likeness(best) >= (_MIN_LIKENESS if is_same_start else _MIN_LIKENESS_OF_OTHERS) else ""


def locate_argument_violation_or_none(
    declarations: "Mapping[str, object]", given: "Mapping[str, object]"
) -> ArgumentViolation | None:
    """Return the first violation with its keyword and value, as `explain` shows it; None if all arguments match."""
    name, why, items = find_first_violating_argument(declarations, given)
    if not why:
        return None
    declaration: Any = declarations[name]
    for _ in items:
        declaration = declaration["items"]
    value, keys = [*items, given[name]][0], (name, *["items"] * len(items))
    keyword = _find_violated_keyword(declaration, value)
    if not keyword:
        return ArgumentViolation(f"`{name}` {why}", keys, "", None, value, "")
    allowed = (
        ""
        if find_declaration_problem_text_or_empty(declaration, 0)
        else f"{_argument_label(keys)}: {_declaration_summary_text(declaration)}"
    )
    return ArgumentViolation(f"`{name}` {why}", (*keys, keyword), keyword, declaration[keyword], value, allowed)


def _argument_label(keys: tuple[str, ...]) -> str:
    return "each item of " * (len(keys) - 1) + f"`{keys[0]}`"


def _find_violated_keyword(declaration: object, value: object) -> str:
    """Return the keyword of a declaration that a value misses: the one that would deny it alone."""
    if not isinstance(declaration, dict):
        return ""
    members: dict[str, object] = declaration
    if find_declaration_problem_text_or_empty(members, 0):
        return next(
            keyword for keyword, bound in members.items() if find_declaration_problem_text_or_empty({keyword: bound}, 0)
        )
    first = [keyword for keyword in _FIRST_KEYWORDS if keyword in members]
    ordered = [*first, *(keyword for keyword in members if keyword not in first)]
    return next((keyword for keyword in ordered if _violates({keyword: members[keyword]}, value)), "")


def _violates(declaration: object, value: object) -> bool:
    return bool(find_first_argument_violation_text({"": declaration}, {"": value}))


def _declaration_summary_text(declaration: "dict[str, Any]") -> str:
    """Say in a few words what a declaration lets through."""
    parts = []
    for keyword, bound in declaration.items():
        if keyword == "type":
            parts.append(f"type {bound if isinstance(bound, str) else ' or '.join(bound)}")
        elif keyword == "enum":
            parts.append(f"one of {format_first_values(bound)}")
        elif keyword == "const":
            parts.append(format_first_values([bound]))
        elif keyword == "items" or not _violates({keyword: bound}, None):  # an annotation denies nothing
            parts += ["items as declared"] if keyword == "items" else []
        else:
            parts.append(f"{keyword} {bound}")
    return ", ".join(parts)


def find_closest_value(violation: ArgumentViolation) -> str:
    """Return the value that comes nearest to one that misses a list or a bound, '' if none does."""
    value, bound = violation.value, violation.bound
    if isinstance(value, str):
        words = [one for one in bound if isinstance(one, str)] if isinstance(bound, list) else []
        return find_closest_word(value, words)
    if not _is_number(value):
        return ""
    if violation.keyword == "enum" and isinstance(bound, list):
        return str(min(filter(_is_number, bound), key=lambda one: abs(one - value), default=""))
    return str(bound) if violation.keyword in ("minimum", "maximum") else ""


def _is_number(value: object) -> "TypeGuard[int | float]":
    """Whether a value is a number that can be subtracted from others."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MAX_NUMBER


def find_closest_scope(scopes: tuple[str, ...], resolved: "ResolvedPath") -> str:
    """Return the scope with which a path shares most: its first components, else its spelling; '' if none does."""
    if same := find_scope_and_path_covered_in_nfc(scopes, resolved)[0]:
        return same
    inner_path = next(
        (
            one
            for one in (resolved.normalized, resolved.resolved_inside)
            if one and find_matching_scope(scopes, one) is None
        ),
        None,
    )
    inner_path = (inner_path if inner_path is not None else resolved.given)[:_MAX_PATH_LENGTH]
    if not inner_path:
        return ""
    matching = [scope for scope in scopes[:_MAX_WORDS] if strip_scope_slash_or_none(scope) is not None]
    shared = {scope: _count_shared_components(inner_path, scope[:_MAX_PATH_LENGTH]) for scope in matching}
    best = max(matching, key=lambda scope: shared[scope], default="")
    if best and shared[best]:
        return best
    heads = {scope: "/".join(inner_path.split("/")[: scope.removesuffix("/").count("/") + 1]) for scope in matching}
    return next((scope for scope in matching if find_closest_word(heads[scope], [scope])), "")


def _count_shared_components(path: str, scope: str) -> int:
    """Return how many first components two paths have in common."""
    count = 0
    for path_part, scope_part in zip(path.split("/"), scope.removesuffix("/").split("/"), strict=False):
        if path_part != scope_part:
            break
        count += 1
    return count
