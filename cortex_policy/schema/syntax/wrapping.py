"""What stands around JSON that was pasted or merged, or in its place: said in the words of what it is."""

import re

from cortex_policy.core.model import Value
from cortex_policy.schema.syntax.findings import Notes, shown, where

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.schema.syntax.parser import Reader

_MARKER = re.compile(r"^(?:<{7}|={7}|>{7}|\|{7})(?=[ \r\n]|\Z)[^\r\n]*+", re.MULTILINE)
_CONFLICT = re.compile(r"<\|?=>")
_CHOOSE = "keep one side, delete the markers, then run `cortex-policy stamp write`"
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

_FETCH = "a download saved a web page: fetch the raw file"
_ONE_OBJECT = 'write one JSON object: `{"tool": "...", "actions": [], "rate": {"perMinute": 1}}`'
_OTHERS = (
    (re.compile(r"version https://git-lfs\."), "it is a pointer of git-lfs, not the file", "run `git lfs pull`"),
    (re.compile(r"<\?xml"), "it is XML, not JSON", _ONE_OBJECT),
    (re.compile(r"<(?:!doctype|html|head|body)", re.IGNORECASE), "it is HTML, not JSON", _FETCH),
    (re.compile(r"\[[\w.-]+\]\s*+(?:#[^\n]*+\n)?[\w-]+\s*+=|[\w-]+ += +[\"'\d]"), "it looks like TOML", _ONE_OBJECT),
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
_BARE_MEMBERS = "the `{` before the first key is missing"
_LEFT = re.compile(r"['\")]|[A-Z_]{2,}\Z|(?:```|~~~)")
_MEMBERS = re.compile(r",?\s*+[{\[]")
_VALUE_STARTS = ("{", "[", '"', "'")


class Wrapping(Value):
    """What starts at an offset around an object that begins at another, None where there is none."""

    code: str
    what: str
    start: int
    begin: int | None


def note_conflicts(text: str, notes: Notes) -> str | None:
    """Note the conflicts of a merge; return the text with one side of each blanked, None where they do not pair."""
    markers = list(_MARKER.finditer(text))
    signs = "".join(marker[0][0] for marker in markers)
    pieces, last = [], 0
    for group in _CONFLICT.finditer(signs):
        first, *_, final = conflict = markers[group.start() : group.end()]
        message = f"a merge conflict between {_side(first)} and {_side(final)}"
        notes.add("syntax-conflict", (first.start(), final.end()), message, _CHOOSE)
        ours = slice(first.end(), conflict[1].start())
        pieces += [text[last : first.start()], _blank(first[0]), text[ours], _blank(text[ours.stop : final.end()])]
        last = final.end()
    strays = _CONFLICT.sub(lambda group: "." * len(group[0]), signs)
    stray = next((marker for marker, sign in zip(markers, strays, strict=True) if sign != "."), None)
    if stray:
        notes.add("syntax-conflict", stray.span(), f"{shown(stray[0])} is left of a merge conflict", _CHOOSE)
        return None
    return "".join([*pieces, text[last:]])


def _side(marker: re.Match[str]) -> str:
    name = marker[0][7:].strip()
    return shown(name) if name else "two sides without names"


def _blank(part: str) -> str:
    return _NOT_BREAKS.sub(" ", part)


def note_other(text: str, start: int, notes: Notes) -> bool:
    """Note what the text is in place of JSON; say whether that is known."""
    for pattern, message, hint in _OTHERS:
        if pattern.match(text, start):
            notes.add("syntax-json", (start, _line_end(text, start)), message, hint)
            return True
    return False


def wrapping(text: str, start: int) -> Wrapping | None:
    """Return what begins at an offset and stands around JSON, None where it is nothing that is known."""
    if text.startswith(_VALUE_STARTS, start):
        return None
    for pattern, what in _SHELL:
        if pattern.match(text, start):
            return Wrapping("syntax-shell", what, start, _begin(text, start))
    if _PROGRAM.match(text, start):
        return Wrapping("syntax-json", "a program", start, _begin(text, start))
    if fence := _FENCE.match(text, start):
        return Wrapping("syntax-json", "a fence of Markdown", start, _begin(text, fence.end()))
    prose = _PROSE.match(text, start)
    begin = _begin(text, prose.end()) if prose else None
    return None if begin is None else Wrapping("syntax-json", "prose", start, begin)


def _begin(text: str, start: int) -> int | None:
    found = _OBJECT.search(text, start)
    return found.start() if found else None


def note_wrapping(text: str, around: Wrapping, end: int | None, notes: Notes) -> None:
    """Note what stands around JSON, and where that begins and ends."""
    if around.begin is None:
        span, message = (around.start, _line_end(text, around.start)), f"it is {around.what}, and no JSON is in it"
        notes.add(around.code, span, message, _ONE_OBJECT)
        return
    message = f"{around.what} stands around the JSON, which begins at {where(text, around.begin)}"
    last = "its last `}`" if end is None else f"the `}}` at {where(text, end - 1)}"
    before = text[around.start : around.begin].strip()
    before = "all" if "\n" in before else shown(before)
    hint = f"delete {before} before it, and all that follows {last}"
    notes.add(around.code, (around.start, around.begin), message, hint)


def note_rest(reader: "Reader", notes: Notes) -> None:
    """Note what follows the value that was read to its end, unless that is a follow-up."""
    text, end = reader.text, reader.end or 0
    rest = reader.words.skip()
    line = text[rest : _line_end(text, rest)].rstrip()
    if not line or reader.is_unbalanced:
        return
    code, message, hint = _rest(reader, line, rest)
    span = (rest, rest + len(line)) if message != _BARE_MEMBERS else (reader.start, end)
    notes.add(code, span, message, hint)


def _rest(reader: "Reader", line: str, rest: int) -> tuple[str, str, str]:
    """Return the code, the message and the hint for a line after the value."""
    text = reader.text
    if line[0] == ":" and text[reader.start] not in "{[":
        return "syntax-json", _BARE_MEMBERS, "write `{` before it, and `}` at the end"
    if line[0] in "}]":
        return "syntax-json", f"`{line[0]}` closes nothing", "delete it"
    if _MEMBERS.match(text, rest):
        one_each = "\n" not in text[reader.start : reader.end]
        is_lines = one_each and all(part[:1] in ("{", "") for part in text[rest:].split("\n"))
        what = "JSON Lines, an object a line" if is_lines and line[0] == "{" else "a second value after the first"
        return "syntax-json", what, "a file holds one grant: write each into its own"
    if line in (",", ";"):
        return "syntax-comma", f"`{line}` after the value", "delete it"
    if left := _LEFT.match(line):
        what = "Markdown" if left[0][0] in "`~" else "a shell"
        return (
            ("syntax-json" if what == "Markdown" else "syntax-shell"),
            f"{shown(line)} of {what} is left after the JSON",
            "delete it",
        )
    return "syntax-json", f"text after the value: {shown(line)}", "delete it"


def _line_end(text: str, start: int) -> int:
    match = _LINE.match(text, start)
    return start + len(match[0].rstrip("\r")) if match else start
