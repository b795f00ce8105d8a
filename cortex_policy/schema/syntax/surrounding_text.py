"""What surrounds JSON that was pasted or merged, or replaces it: named as what it is."""

import re

from cortex_policy.core import Value
from cortex_policy.schema.syntax.problem_list import ProblemList, format_position, quote_and_shorten

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.schema.syntax.parser import TolerantParser

_MARKER = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?=[ \r\n]|\Z)[^\r\n]*+", re.MULTILINE)
_CONFLICT = re.compile(r"<\|?=>")
_CONFLICT_HINT = "resolve it and delete the markers, then run `cortex-policy stamp merge`"
_LINE = re.compile(r"[^\n]*+")
_NOT_BREAKS = re.compile(r"[^\r\n]")
# a brace that looks like the one of an object: not `${X}`, not a function's body
_OBJECT = re.compile(r"(?<![$\w)(])(?<!\) )\{(?=[ \t\r\n]*+[\"'}\\])")

_SHELL = (
    (re.compile(r"#!"), "a shell script"),
    (re.compile(r"[^\n{]*<<-?[ \t]*['\"\\]?\w"), "a heredoc of a shell"),
    (re.compile(r"(?:(?:export|declare|local|readonly|typeset)(?: -\w+)* )?[A-Za-z_]\w*="), "a shell assignment"),
    (re.compile(r"\$\(|`(?!``)[a-z]"), "a command substitution of a shell"),
    (re.compile(r"[$%] |(?:sudo|set|cat|echo|printf|tee|curl|jq|mkdir|cd|if|export|gh) "), "a shell command"),
)
_PROGRAM = re.compile(r"export default\b|module\.exports\b|(?:const|let|var) \w|\w+ = [{\[]")
_PROSE = re.compile(r"[^\W\d]\w*+,? [^\n\"{\[]*+\n")
_FENCE = re.compile(r"(?:```|~~~)[^\n]*+")

_DOWNLOAD_HINT = "a download saved a web page: fetch the raw file"
_OBJECT_HINT = 'write one JSON object: `{"tool": "...", "actions": [], "rate": {"perMinute": 1}}`'
_OTHER_FORMATS = (
    (re.compile(r"version https://git-lfs\."), "it is a pointer of git-lfs, not the file", "run `git lfs pull`"),
    (re.compile(r"<\?xml"), "it is XML, not JSON", _OBJECT_HINT),
    (re.compile(r"<(?:!doctype|html|head|body)", re.IGNORECASE), "it is HTML, not JSON", _DOWNLOAD_HINT),
    (re.compile(r"\[[\w.-]+\]\s*+(?:#[^\n]*+\n)?[\w-]+\s*+=|[\w-]+ += +[\"'\d]"), "it looks like TOML", _OBJECT_HINT),
    (
        re.compile(r"---(?:\s|$)|%YAML|- |[\w$-]+:(?:[ \t\r\n]|$)"),
        "it looks like YAML, not JSON",
        "convert it, for example with `yq -o json FILE`",
    ),
    (
        re.compile(r"(?:\.{0,2}/)?[\w@.-]+(?:/[\w@.-]+)*\.json\s*\Z|\.{0,2}/[\w@./-]+\s*\Z"),
        "it holds the path of a file and nothing else",
        "a link was checked out as text: see `git config core.symlinks`, and copy the file",
    ),
)  # fmt: skip
_MISSING_BRACE = "the `{` before the first key is missing"
_LEFTOVERS = re.compile(r"['\")]|[A-Z_]{2,}\Z|(?:```|~~~)")
_MEMBERS = re.compile(r",?\s*+[{\[]")
_VALUE_STARTS = ("{", "[", '"', "'")


class SurroundingText(Value):
    """What starts at an offset around an object that begins at another, None if there is none."""

    code: str
    what: str
    start: int
    json_start: int | None


def blank_conflicts_or_none_if_unpaired(text: str, problems: ProblemList) -> str | None:
    """Note the conflicts of a merge; return the text with one side of each blanked, None if they do not pair."""
    markers = list(_MARKER.finditer(text))
    symbols = "".join(marker[0][0] for marker in markers)
    pieces, last = [], 0
    for group in _CONFLICT.finditer(symbols):
        first, *_, final = conflict = markers[group.start() : group.end()]
        message = f"a merge conflict between {_side_name(first)} and {_side_name(final)}"
        problems.add("syntax-conflict", (first.start(), final.end()), message, _CONFLICT_HINT)
        ours = slice(first.end(), conflict[1].start())
        pieces += [
            text[last : first.start()],
            _replace_by_spaces(first[0]),
            text[ours],
            _replace_by_spaces(text[ours.stop : final.end()]),
        ]
        last = final.end()
    strays = _CONFLICT.sub(lambda group: "." * len(group[0]), symbols)
    stray = next((marker for marker, symbol in zip(markers, strays, strict=True) if symbol != "."), None)
    if stray:
        problems.add(
            "syntax-conflict",
            stray.span(),
            f"{quote_and_shorten(stray[0])} is left of a merge conflict",
            _CONFLICT_HINT,
        )
        return None
    return "".join([*pieces, text[last:]])


def _side_name(marker: re.Match[str]) -> str:
    name = marker[0][7:].strip()
    return quote_and_shorten(name) if name else "two sides without names"


def _replace_by_spaces(part: str) -> str:
    return _NOT_BREAKS.sub(" ", part)


def note_other_format(text: str, start: int, problems: ProblemList) -> bool:
    """Note what the text is in place of JSON; say whether that is known."""
    for pattern, message, hint in _OTHER_FORMATS:
        if pattern.match(text, start):
            problems.add("syntax-json", (start, _line_end(text, start)), message, hint)
            return True
    return False


def find_known_text_before_json_or_none(text: str, start: int) -> SurroundingText | None:
    """Return what starts at an offset and surrounds JSON, None if it is nothing known."""
    if text.startswith(_VALUE_STARTS, start):
        return None
    for pattern, what in _SHELL:
        if pattern.match(text, start):
            return SurroundingText("syntax-shell", what, start, _find_start_of_json(text, start))
    if _PROGRAM.match(text, start):
        return SurroundingText("syntax-json", "a program", start, _find_start_of_json(text, start))
    if fence := _FENCE.match(text, start):
        return SurroundingText("syntax-json", "a fence of Markdown", start, _find_start_of_json(text, fence.end()))
    prose = _PROSE.match(text, start)
    begin = _find_start_of_json(text, prose.end()) if prose else None
    return None if begin is None else SurroundingText("syntax-json", "prose", start, begin)


def _find_start_of_json(text: str, start: int) -> int | None:
    match = _OBJECT.search(text, start)
    return match.start() if match else None


def add_problem_of_surrounding_text(text: str, around: SurroundingText, end: int | None, problems: ProblemList) -> None:
    """Note what surrounds JSON, and where the JSON starts and ends."""
    if around.json_start is None:
        span, message = (around.start, _line_end(text, around.start)), f"it is {around.what}, and no JSON is in it"
        problems.add(around.code, span, message, _OBJECT_HINT)
        return
    message = f"{around.what} surrounds the JSON, which begins at {format_position(text, around.json_start)}"
    last = "its last `}`" if end is None else f"the `}}` at {format_position(text, end - 1)}"
    before = text[around.start : around.json_start].strip()
    before = "all" if "\n" in before else quote_and_shorten(before)
    hint = f"delete {before} before it, and all that follows {last}"
    problems.add(around.code, (around.start, around.json_start), message, hint)


def note_trailing_text(parser: "TolerantParser", problems: ProblemList) -> None:
    """Note what follows the value that was read to its end, unless that is a follow-up."""
    text, end = parser.text, parser.end or 0
    rest = parser.tokenizer.skip_to_next_token()
    line = text[rest : _line_end(text, rest)].rstrip()
    if not line or parser.brackets.is_unbalanced:
        return
    code, message, hint = _trailing_problem(parser, line, rest)
    span = (rest, rest + len(line)) if message != _MISSING_BRACE else (parser.start, end)
    problems.add(code, span, message, hint)


def _trailing_problem(parser: "TolerantParser", line: str, rest: int) -> tuple[str, str, str]:
    """Return the code, the message and the hint for a line after the value."""
    text = parser.text
    if line[0] == ":" and text[parser.start] not in "{[":
        return "syntax-json", _MISSING_BRACE, "write `{` before it, and `}` at the end"
    if line[0] in "}]":
        return "syntax-json", f"`{line[0]}` closes nothing", "delete it"
    if _MEMBERS.match(text, rest):
        one_each = "\n" not in text[parser.start : parser.end]
        is_lines = one_each and all(part[:1] in ("{", "") for part in text[rest:].split("\n"))
        what = "JSON Lines, an object a line" if is_lines and line[0] == "{" else "a second value after the first"
        return "syntax-json", what, "a file holds one grant: write each grant into its own file"
    if line in (",", ";"):
        return "syntax-comma", f"`{line}` after the value", "delete it"
    if left := _LEFTOVERS.match(line):
        what = "Markdown" if left[0][0] in "`~" else "a shell"
        return (
            ("syntax-json" if what == "Markdown" else "syntax-shell"),
            f"{quote_and_shorten(line)} of {what} is left after the JSON",
            "delete it",
        )
    return "syntax-json", f"text after the value: {quote_and_shorten(line)}", "delete it"


def _line_end(text: str, start: int) -> int:
    match = _LINE.match(text, start)
    return start + len(match[0].rstrip("\r")) if match else start
