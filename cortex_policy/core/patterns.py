"""ECMA patterns, spelled for `re`: one that `re` would read otherwise is refused, never misread."""

import re
import warnings

_TOKEN = re.compile(
    r"(?P<escape>\\.?)|(?P<set>\[\^?(?:\\.|[^\]\\])*\]?)|(?P<group>\(\?(?:<?[=!]|:)?)"
    r"|(?P<count>[+*?}]\+|\{,)|(?P<other>.)",
    re.DOTALL,
)
_PART = re.compile(r"\\.|.", re.DOTALL)
# what `\\s` means to ECMA; to `re` it is something else, with and without re.ASCII
_BLANKS = r"\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
_ANYTHING = (r"[\s\S]", r"[\S\s]")
_SAME = frozenset([r"\d", r"\D", r"\w", r"\W", r"\b", r"\t", r"\n", r"\r", r"\v", r"\f", r"\x", r"\u"])
_OUTSIDE_SETS = {r"\s": f"[{_BLANKS}]", r"\S": f"[^{_BLANKS}]", r"\B": r"\B"} | {
    word: word for word in (*_SAME, *map("\\{}".format, range(1, 10)))
}
_IN_SETS = {r"\s": _BLANKS} | {word: word for word in _SAME}


def compiled(pattern: str) -> "re.Pattern[str] | None":
    """Compile an ECMA pattern, None where it is broken or means something else here."""
    words = [_spelled(token) for token in _TOKEN.finditer(pattern)]
    if None in words:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return re.compile("".join(map(str, words)), re.ASCII)
        except (re.error, ValueError, RecursionError, OverflowError):
            return None


def _spelled(token: "re.Match[str]") -> str | None:
    word = token[0]
    match token.lastgroup:
        case "escape":
            return _escape(word, _OUTSIDE_SETS)
        case "set":
            return word if word in _ANYTHING else _set(word)
        case "group":
            return word if len(word) > len("(?") else None
        case "count":
            return None
        case _:
            # to `re`, `$` also stands before a last newline, and `.` for three more ends of a line
            return {"$": r"\Z", ".": r"[^\n\r\u2028\u2029]"}.get(word, word)


def _set(word: str) -> str | None:
    start = 2 if word[1:2] == "^" else 1
    parts = [_escape(part, _IN_SETS) if part[0] == "\\" else part for part in _PART.findall(word[start:-1])]
    if not parts or None in parts or word[-1] != "]":
        return None  # `[]` is nothing to ECMA, and `[^]` everything
    return word[:start] + "".join("\\[" if part == "[" else str(part) for part in parts) + "]"


def _escape(word: str, known: dict[str, str]) -> str | None:
    is_letter = word[1:].isascii() and word[1:].isalnum()
    return known.get(word) if is_letter or len(word) == 1 else word
