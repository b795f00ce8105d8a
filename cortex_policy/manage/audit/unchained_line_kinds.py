"""Kinds of log lines without a digest."""

import json

from cortex_policy.core.audit_chain import may_be_prefix_of_event

MAX_EVENT_BYTES = 1 << 21  # bytes of a line without a digest that can be an event
EVENT, TORN, OTHER = range(3)  # from before there were chains, incomplete or changed, of another program
_LINE_START = b'{"specversion":"1.0","id":"'  # of each of our lines
_EVENT_MARKS = (
    b'"specversion":"1.0"',
    b'"source":"cortex.policy/',
    b', "chain":"sha256:',
)  # one byte spoils one of them


def classify_unchained_line(line: bytes) -> int:
    """Return the kind of a line without a digest; a changed line of this program is not one of another program."""
    text = line.strip(b"\0\r\n ")
    is_ours = _LINE_START.startswith(text[: len(_LINE_START)]) if text else b"\0" in line  # a crash may leave NUL bytes
    if not is_ours and not any(mark in text for mark in _EVENT_MARKS):
        return OTHER
    return EVENT if _is_event(text) else TORN


def find_torn_line_problem_text(line: bytes) -> str:
    """Return the error of a torn line that no chained line follows, '' if it is only cut off."""
    if line.endswith(b"\n"):
        return "is not an event, and no later line covers it"
    return "" if may_be_prefix_of_event(line) else "was changed"


def _is_event(text: bytes) -> bool:
    if len(text) > MAX_EVENT_BYTES:  # no version wrote such a line, and decoding takes many times its size
        return False
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and "data" in document
