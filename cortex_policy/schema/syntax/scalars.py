"""Numbers, words and the insides of strings: what JSON does not know of them, and what it writes instead."""

import json
import re

from cortex_policy.core.decode import MAX_DIGITS
from cortex_policy.schema.syntax.problem_list import ProblemList, quote_and_shorten

Span = tuple[int, int]

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?")
_WORDS = {"true": "true", "false": "false", "null": "null", "none": "null", "nil": "null", "undefined": "null",
          "yes": "true", "on": "true", "no": "false", "off": "false"}  # fmt: skip
_NON_NUMBERS = ("nan", "inf", "infinity")
_HEX = "[0-9a-fA-F]"
_STRING_PARTS = re.compile(  # in this order: each backslash is read with what it escapes
    rf"\\u[dD][89abAB]{_HEX}{{2}}\\u[dD][c-fC-F]{_HEX}{{2}}"
    rf"|(?P<lone>\\u[dD][89a-fA-F]{_HEX}{{2}})"
    rf'|\\u{_HEX}{{4}}|\\["\\/bfnrt]'
    r"|(?P<escape>\\.?)|(?P<control>[\x00-\x1f])",
    re.DOTALL,
)
_CONTROLS = {"\n": ("a line break", "\\n"), "\r": ("a carriage return", "\\r"), "\t": ("a tab", "\\t")}


def unescape_string(content: str) -> str:
    """Return the text of a string, given what is between its quotes; unchanged if it is malformed."""
    if "\\" not in content:
        return content
    try:
        return str(json.loads(f'"{content}"', strict=False))
    except ValueError:
        return content


def note_and_recognize_value_word(word: str, span: Span, problems: ProblemList) -> bool:
    """Note a bare word that means a value and is not how JSON writes it; say whether it is one."""
    low = word.lower()
    if low.lstrip("+-") in _NON_NUMBERS:
        problems.add("syntax-number", span, f"{quote_and_shorten(word)} is not a number of JSON", "write a number")
        return True
    if word not in ("true", "false", "null") and low in _WORDS:
        hint = f"JSON writes `{_WORDS[low]}`"
        problems.add_repeated(f"word {word}", "syntax-json", span, f"{quote_and_shorten(word)} is not JSON", hint)
    return low in _WORDS


def note_invalid_number(digits: str, span: Span, problems: ProblemList) -> None:
    """Note what is wrong with a number, nothing for one of JSON."""
    if not _NUMBER.fullmatch(digits):
        problems.add(
            "syntax-number", span, f"{quote_and_shorten(digits)} is not a number of JSON", _number_hint(digits)
        )
    elif digits.lstrip("-").isdigit():
        length = len(digits.lstrip("-"))
        if length > MAX_DIGITS:
            message = f"an integer of {length:,} digits, more than {MAX_DIGITS:,}"
            problems.add("syntax-number", span, message, "write a smaller one")
    elif float(digits) in (float("inf"), float("-inf")):
        problems.add(
            "syntax-number", span, f"{quote_and_shorten(digits)} is too large for a number", "write a smaller one"
        )


def _number_hint(digits: str) -> str:
    if len(digits) <= 20 and re.fullmatch("0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+", digits):  # noqa: PLR2004 - 64 bits
        return f"write `{int(digits, 0)}`"
    sign, bare = ("-" if digits.startswith("-") else ""), digits.lstrip("+-").replace("_", "")
    bare = bare.lstrip("0") if bare.strip("0") else "0"
    bare = f"0{bare}" if not bare[:1].isdigit() else bare
    repaired = sign + re.sub(r"\.(?![0-9])", "", bare)
    return (
        f"write {quote_and_shorten(repaired)}"
        if _NUMBER.fullmatch(repaired)
        else f"write {quote_and_shorten(chr(34) + digits + chr(34))} if it is a text"
    )


def note_invalid_string_content(text: str, span: Span, problems: ProblemList, *, double: bool = True) -> None:
    """Note what a string must not contain, the first of each kind; the span is that of its content."""
    seen = set()
    for match in _STRING_PARTS.finditer(text, *span):
        kind = match.lastgroup
        if kind and kind not in seen and (double or match[0] != r"\'"):
            seen.add(kind)
            _NOTERS[kind](match, span, problems)


def _note_lone_surrogate(match: re.Match[str], _: Span, problems: ProblemList) -> None:
    hint = "write the character itself, or both halves of its pair"
    problems.add("syntax-string", match.span(), f"`{match[0]}` is half of a character, a lone surrogate", hint)


def _note_escape(match: re.Match[str], _: Span, problems: ProblemList) -> None:
    escaped = match[0][1:]
    hint = (
        f"write `{escaped}` without the backslash" if escaped in ("'", "`", "$") else "write `\\\\` for one backslash"
    )
    problems.add("syntax-json", match.span(), f"`{match[0]}` is not an escape of JSON", hint)


def _note_control(match: re.Match[str], span: Span, problems: ProblemList) -> None:
    unnamed = (f"the control character U+{ord(match[0]):04X}", f"\\u{ord(match[0]):04x}")
    name, escape = _CONTROLS.get(match[0], unnamed)
    # a line break cannot be underlined: the text before it is
    place = (span[0] - 1, match.start()) if match[0] in "\r\n" else match.span()
    problems.add("syntax-json", place, f"{name} in a string", f"write `{escape}`")


_NOTERS = {"lone": _note_lone_surrogate, "escape": _note_escape, "control": _note_control}
