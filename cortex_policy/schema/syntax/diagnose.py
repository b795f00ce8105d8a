"""Find why bytes are not JSON: one problem for each cause, with its position, the likely cause first."""

import re

from cortex_policy.core.decode import MAX_BYTES, MalformedError, decode_json
from cortex_policy.core.json_tree import JsonSyntaxError, parse_tree
from cortex_policy.schema.syntax.parser import TolerantParser
from cortex_policy.schema.syntax.problem_list import ProblemList
from cortex_policy.schema.syntax.surrounding_text import (
    SurroundingText,
    add_problem_of_surrounding_text,
    blank_conflicts_or_none_if_unpaired,
    find_known_text_before_json_or_none,
    note_other_format,
    note_trailing_text,
)
from cortex_policy.schema.syntax.tokens import Tokenizer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.schema.problems import UnlocatedProblem

_ENCODING_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_REMOVE_MARK_HINT = "remove it: `tail -c +4 FILE > NEW && mv NEW FILE`"
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1f]")
_C1 = re.compile(rb"[\x80-\x9f]")


def find_syntax_problems(data: bytes) -> "tuple[UnlocatedProblem, ...]":
    """Return why `decode_json` refuses bytes, in the order of the text; nothing for those that it takes."""
    try:
        decode_json(data)
    except MalformedError as refusal:
        problems = ProblemList()
        _note_bytes(data, problems)
        if not problems:
            _note_reason_of_decoder(data.decode("utf-8", "replace"), refusal, problems)
        return problems.in_order()
    return ()


def _note_bytes(data: bytes, problems: ProblemList) -> None:
    if len(data) > MAX_BYTES:
        message = f"{len(data):,} bytes are more than a grant may have, {MAX_BYTES:,}"
        problems.add("syntax-limit", (0, 1), message, "a grant is small: is this the right file?")
    elif not data.strip(b"\0 \t\r\n"):
        _note_empty(data, problems)
    elif wide := _wide_encoding(data):
        problems.add("syntax-encoding", (0, 1), f"it is {wide[:6]}, not UTF-8", _convert_hint(wide))
    elif _CONTROL.search(data) and not _is_utf8(data):
        problems.add("syntax-encoding", (0, 1), "it is not text", "is this the right file?")
    else:
        _note_encoding(data, problems)
        _note_text(data.decode("utf-8", "replace"), problems)


def _note_empty(data: bytes, problems: ProblemList) -> None:
    if b"\0" in data:
        message, hint = "it holds nothing but NUL bytes", "it was lost while it was written: restore it"
    else:
        message, hint = (
            "it is empty",
            'write a grant, at least `{"tool": "...", "actions": [], "rate": {"perMinute": 1}}`',
        )
    problems.add("syntax-json", (0, 0), message, hint)


def _wide_encoding(data: bytes) -> str:
    """Return the name of an encoding of more than a byte a character, '' if it is none."""
    for mark, name in _ENCODING_MARKS:
        if data.startswith(mark):
            return name
    if len(data) % 2 == 0 and data[1::2].count(0) * 2 > len(data) // 2:
        return "UTF-16LE"
    return "UTF-16BE" if len(data) % 2 == 0 and data[::2].count(0) * 2 > len(data) // 2 else ""


def _is_utf8(data: bytes) -> bool:
    return b"\xef\xbf\xbd" in data or "\ufffd" not in data.decode("utf-8", "replace")


def _note_encoding(data: bytes, problems: ProblemList) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        likely, name = ("Windows-1252", "CP1252") if _C1.search(data) else ("Latin-1", "LATIN1")
        character = data[error.start : error.start + 1].decode(name, "replace")
        start = len(data[: error.start].decode("utf-8"))
        message = f"byte {error.start + 1} is not UTF-8, it would be `{character}` in {likely}"
        problems.add("syntax-encoding", (start, start + 1), message, _convert_hint(name))


def _convert_hint(encoding: str) -> str:
    return f"convert it: `iconv -f {encoding} -t UTF-8 FILE > NEW && mv NEW FILE`"


def _note_text(text: str, problems: ProblemList) -> None:
    start = 0
    if text.startswith("\ufeff"):
        start = 1
        problems.add("syntax-bom", (0, 1), "it starts with a byte order mark", _REMOVE_MARK_HINT)
    readable = blank_conflicts_or_none_if_unpaired(text, problems)
    if readable is not None:
        _note_json(readable, start, problems)


def _note_json(text: str, start: int, problems: ProblemList) -> None:
    first = Tokenizer(text, ProblemList(), start).skip_to_next_token()
    spaces = len(text[start:]) - len(text[start:].lstrip())
    # `#!` is not a comment, and comments above what is no JSON are not comments in JSON
    around = find_known_text_before_json_or_none(text, start + spaces) or find_known_text_before_json_or_none(
        text, first
    )
    if around is not None:
        _note_wrapped(text, around, problems)
    elif not note_other_format(text, first, problems):
        parser = TolerantParser(text, problems, start).parse()
        if parser.end is not None:
            note_trailing_text(parser, problems)


def _note_wrapped(text: str, around: SurroundingText, problems: ProblemList) -> None:
    end = None
    # where its quotes are escaped, each of them would be a follow-up
    if around.json_start is not None and not text.startswith("\\", around.json_start + 1):
        end = TolerantParser(text, problems, around.json_start).parse().end
    add_problem_of_surrounding_text(text, around, end, problems)


def _note_reason_of_decoder(text: str, refusal: MalformedError, problems: ProblemList) -> None:
    """Note what the strict readers say, for a cause that is not recognised."""
    try:
        parse_tree(text)
    except JsonSyntaxError as stop:
        problems.add("syntax-json", (stop.offset, min(stop.offset + 1, len(text))), stop.why)
    else:
        problems.add("syntax-json", (0, 0), str(refusal))
