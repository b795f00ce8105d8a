"""Words that look the same but differ: Unicode writes `é` in two ways, and no rule treats them as equal."""

from unicodedata import is_normalized, normalize

from cortex_policy.core.engine import find_matching_scope, strip_scope_slash_or_none

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cortex_policy.core.model import ResolvedPath

_MAX_WORDS = 500  # words that are compared
_MAX_LENGTH = 1_000  # characters of a word: the work grows with the square of the marks in a row


def to_nfc(text: str) -> str:
    """Return a text in normal form C; a very long one as it is."""
    return normalize("NFC", text) if len(text) <= _MAX_LENGTH else text


def find_equivalent_word(word: str, words: "Sequence[str]") -> str:
    """Return the word that is another one in another normal form, '' if there is none."""
    plain = to_nfc(word)
    return next((other for other in words[:_MAX_WORDS] if other != word and to_nfc(other) == plain), "")


def find_scope_and_path_covered_in_nfc(scopes: tuple[str, ...], resolved: "ResolvedPath") -> tuple[str, str]:
    """Return the scope that a path would be in if both were written in one normal form, and which spelling of it.

    Both are '' if there is none. A link may lead to the spelling: the path as given need not read like the scope.
    """
    for relative in (resolved.normalized, resolved.resolved_inside):
        if relative is None or find_matching_scope(scopes, relative) is not None:
            continue
        plain = to_nfc(relative)
        for scope in scopes[:_MAX_WORDS]:
            prefix = strip_scope_slash_or_none(scope)
            if prefix is not None and find_matching_scope((to_nfc(prefix),), plain) is not None:
                return scope, relative
    return "", ""


def format_normal_form_difference(kind: str, word: str, other: str) -> str:
    """Say how a word differs from another that reads the same."""
    return (
        f"it reads like {kind} `{other}`, and is written in another Unicode normal form:"
        f" {_name_of_form(word)} instead of {_name_of_form(other)}"
    )


def _name_of_form(text: str) -> str:
    if is_normalized("NFC", text):
        return "NFC"
    return "NFD" if is_normalized("NFD", text) else "neither NFC nor NFD"
