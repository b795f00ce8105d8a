"""The chain through an audit log: each line ends in a digest of the line before it and of itself.

It is the last member of `data`: SHA-256 of the 64 digits of the chained line before, of all bytes since the end of that
line, and of the line itself up to the member. So a line that a killed writer left incomplete is covered too. A
line that begins a chain holds `follows` before it: the digest that ends the file before, or null; only its own bytes
are hashed.

INVARIANT: `, "c` occurs nowhere else in a line: there is no other space outside of strings, quotes inside strings are
escaped, and no name follows the end of a string. So no argument can imitate a digest.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Digest = Callable[[bytes], str]  # SHA-256 in hexadecimal

DIGITS = 64
PREFIX = "sha256:"
_MARK, _END = b', "chain":"sha256:', b'"}}'
_FOLLOWS = b', "follows":'
_HEX = frozenset(b"0123456789abcdef")
LENGTH = len(_MARK) + DIGITS + len(_END)  # bytes with which each chained line ends, before its newline
_CLOSING = b"}}\n"
CLOSING = -len(_CLOSING)  # where a line closes before it is chained
_LAST = _END + b"\n"
DIGEST = slice(-len(_LAST) - DIGITS, -len(_LAST))  # in a line of this module, with its newline


def chain_line(line: bytes, before: str, since: bytes, digest: "Digest") -> bytes:
    """Return a line with its digest; `since` is the bytes between it and the line whose digest is `before`."""
    body = line.removesuffix(_CLOSING)
    return body + format_digest_as_suffix(digest(b"".join((before.encode(), since, body))))


def format_digest_as_suffix(digest: str) -> bytes:
    """Return the end of a chained line, with this digest."""
    return _MARK + digest.encode() + _LAST


def chain_first_line(line: bytes, follows: str | None, digest: "Digest") -> bytes:
    """Return a line that begins a chain, after a file that ends in the digest `follows`, if any."""
    named = b"null" if follows is None else f'"{PREFIX}{follows}"'.encode()
    return chain_line(b"".join((line.removesuffix(_CLOSING), _FOLLOWS, named, _CLOSING)), "", b"", digest)


def parse_chain_digest_or_empty(line: bytes) -> str:
    """Return the digest at the end of a line without its newline, '' if it is not chained."""
    end = line[-LENGTH:]
    value = end[len(_MARK) : -len(_END)]
    is_chained = end.startswith(_MARK) and end.endswith(_END) and len(end) == LENGTH and _HEX.issuperset(value)
    return value.decode() if is_chained else ""


def find_last_digest(data: bytes) -> tuple[str, int]:
    """Return the digest of the last chained line in some bytes, and the line's end without newline; ('', 0) if none."""
    end = len(data)
    while (start := data.rfind(_MARK, 0, end)) >= 0:
        end = start + LENGTH
        digest = parse_chain_digest_or_empty(data[start:end])
        if digest and data[end : end + 1] in (b"", b"\n"):
            return digest, end
        end = start
    return "", 0


def select_hashed_bytes(line: bytes) -> bytes:
    """Return the bytes of a chained line, without its newline, that its digest covers."""
    return line[:-LENGTH]


def parse_followed_digest_or_none(part: bytes) -> str | None:
    """Return the digest in `follows` of the hashed part of a line, '' for null; None if the line begins no chain."""
    if part.endswith(_FOLLOWS + b"null"):
        return ""
    start = len(part) - len(_FOLLOWS) - len(PREFIX) - DIGITS - 2
    end = part[max(start, 0) :]
    head, value = _FOLLOWS + f'"{PREFIX}'.encode(), end[-DIGITS - 1 : -1]
    is_named = end.startswith(head) and end.endswith(b'"') and len(value) == DIGITS and _HEX.issuperset(value)
    return value.decode() if is_named else None


def may_be_prefix_of_event(text: bytes) -> bool:
    """Whether an incomplete line could be the beginning of an event: after a digest only its closing may come."""
    start = text.rfind(_MARK)
    if start < 0:
        return True
    end = text[start + len(_MARK) :]
    return _HEX.issuperset(end[:DIGITS]) and _END.startswith(end[DIGITS:])
