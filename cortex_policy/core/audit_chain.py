"""The chain through an audit log: each line ends in a digest over the one before it, and over itself.

It is the last member of `data`: SHA-256 of the 64 digits of the chained line before, of all bytes since the end of that
line, and of the line itself up to the member. So a line that a dead writer left half done is covered as it stands. A
line that begins a chain holds `follows` before it: the digest that ends the file before, or null; only its own bytes
are hashed.

INVARIANT: `, "c` is found nowhere else in a line: outside of strings no other blank is written, in a string no quote
stands bare, and no name follows the end of one. So no argument can pass for a digest.
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
CLOSING = -len(_CLOSING)  # where a line before it is chained closes
_LAST = _END + b"\n"
DIGEST = slice(-len(_LAST) - DIGITS, -len(_LAST))  # in a line that was made here, with its newline


def chain_line(text: bytes, before: str, since: bytes, digest: "Digest") -> bytes:
    """Return a line with its digest; `since` is what stands between it and the line whose digest is `before`."""
    body = text.removesuffix(_CLOSING)
    return body + chain_ending(digest(b"".join((before.encode(), since, body))))


def chain_ending(digest: str) -> bytes:
    """Return what is behind a line up to where it closes: the digest of what is before it and of itself."""
    return _MARK + digest.encode() + _LAST


def chain_first_line(text: bytes, follows: str | None, digest: "Digest") -> bytes:
    """Return a line that begins a chain, after a file that ends in the digest `follows`, if any."""
    named = b"null" if follows is None else f'"{PREFIX}{follows}"'.encode()
    return chain_line(b"".join((text.removesuffix(_CLOSING), _FOLLOWS, named, _CLOSING)), "", b"", digest)


def digest_at_end(line: bytes) -> str:
    """Return the digest with which a line without its newline, or the end of it, is chained; '' where it is not."""
    end = line[-LENGTH:]
    value = end[len(_MARK) : -len(_END)]
    is_chained = end.startswith(_MARK) and end.endswith(_END) and len(end) == LENGTH and _HEX.issuperset(value)
    return value.decode() if is_chained else ""


def last_digest(data: bytes) -> tuple[str, int]:
    """Return the digest of the last chained line in some bytes and where it ends, its newline left out; ('', 0)."""
    end = len(data)
    while (start := data.rfind(_MARK, 0, end)) >= 0:
        end = start + LENGTH
        found = digest_at_end(data[start:end])
        if found and data[end : end + 1] in (b"", b"\n"):
            return found, end
        end = start
    return "", 0


def hashed_part(line: bytes) -> bytes:
    """Return what is hashed of a chained line without its newline."""
    return line[:-LENGTH]


def previous_digest(part: bytes) -> str | None:
    """Return what the hashed part of a line says that it follows: a digest, '' for nothing; None where it goes on."""
    if part.endswith(_FOLLOWS + b"null"):
        return ""
    start = len(part) - len(_FOLLOWS) - len(PREFIX) - DIGITS - 2
    end = part[max(start, 0) :]
    head, value = _FOLLOWS + f'"{PREFIX}'.encode(), end[-DIGITS - 1 : -1]
    is_named = end.startswith(head) and end.endswith(b'"') and len(value) == DIGITS and _HEX.issuperset(value)
    return value.decode() if is_named else None


def is_prefix_of_event(text: bytes) -> bool:
    """Whether a line that is not whole could be the beginning of one: nothing else comes after a digest."""
    start = text.rfind(_MARK)
    if start < 0:
        return True
    end = text[start + len(_MARK) :]
    return _HEX.issuperset(end[:DIGITS]) and _END.startswith(end[DIGITS:])
