"""The history entry of one write: its author, its meaning, the bytes that it replaced, and those that it wrote."""

import json
import os
import re
from base64 import b64decode, b64encode
from time import gmtime, strftime

from cortex_policy.core import Value
from cortex_policy.core.decode import MalformedError, decode_json, to_whole_number
from cortex_policy.state.policy_files import is_grant_id_or_hooks_toml
from cortex_policy.state.stamp import VERSIONS, compute_content_digest
from cortex_policy.state.users import format_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

FORMAT = 1
MAX_TEXT_BYTES = 1 << 21  # of the texts that one entry keeps: the largest grant before and after
MAX_ENTRY_BYTES = 1 << 24  # as many bytes of text, each character escaped
MODES = 0o775  # more is never recorded
MAX_GRANTS = 1000  # grants that one entry names
MAX_WIDENED_LENGTH = 500  # characters of the text of what widened
_SUDO_LENGTH = 64
_COMMAND = re.compile(r"[a-z][a-z -]{0,31}")
_WRITTEN_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_VERDICTS = (None, "same", "narrowed", "widened", "both")


class GrantChange(Value):
    """One file of a write: its digests before and after (None if absent), and its bytes and mode before.

    The id is that of a grant, or `hooks.toml`.

    Without bytes, the grant was absent before, or its bytes are unknown. If `old` is a hand edit that was undone, the
    stamp had `new` already.
    """

    id: str
    old: str | None
    new: str | None
    data: bytes | None = None
    mode: int = 0o644
    is_hand_edit: bool = False

    @property
    def is_restorable(self) -> bool:
        """Whether the grant can be restored."""
        return self.old is None or self.data is not None

    @property
    def stamp_digest_before(self) -> str | None:
        """The digest that the stamp had before the write."""
        return self.new if self.is_hand_edit else self.old


class Author(Value):
    """Who made a write; `sudo_user` is taken from the environment."""

    user: str
    uid: int
    sudo_user: str | None = None

    def __str__(self) -> str:
        """Return the user, with the one who called `sudo`."""
        return f"{self.sudo_user} as {self.user}" if self.sudo_user else self.user


def find_current_author() -> Author:
    """Return the user who runs this, and the user who called `sudo`."""
    sudo_user = os.environ.get("SUDO_USER", "")[:_SUDO_LENGTH] if os.geteuid() == 0 else ""
    return Author(format_user(os.geteuid()), os.geteuid(), sudo_user or None)


def format_current_time() -> str:
    """Return the time as entries have it."""
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime())


class HistoryEntry(Value):
    """One write: its version, time, author, command and meaning, and the texts that it wrote.

    `has_unknown_previous` is for a write that stamped grants which had no stamp before: their old bytes are unknown.
    `previous` is the version before, if a merge skipped some.
    """

    version: int
    written_at: str
    author: Author
    command: str
    verdict: str | None
    widened: str
    changes: tuple[GrantChange, ...]
    has_unknown_previous: bool = False
    written: tuple[bytes, ...] = ()
    previous: int | None = None

    @property
    def previous_version(self) -> int:
        """The version of the stamp before the write."""
        return self.version - 1 if self.previous is None else self.previous

    @property
    def texts(self) -> "Iterator[bytes]":
        """The texts that the entry keeps: first those that were written, then those from before."""
        yield from self.written
        yield from (one.data for one in self.changes if one.data is not None)

    @property
    def ids(self) -> tuple[str, ...]:
        """The grants that were written."""
        return tuple(one.id for one in self.changes)


def encode_entry(entry: HistoryEntry) -> bytes:
    """Return an entry as JSON, as `decode_entry` reads it."""
    author = entry.author
    members: dict[str, Any] = {
        "format": FORMAT,
        "version": entry.version,
        "written_at": entry.written_at,
        "user": author.user,
        "uid": author.uid,
        "sudo_user": author.sudo_user,
        "command": entry.command,
        "verdict": entry.verdict,
        "widened": entry.widened,
        "blind": entry.has_unknown_previous,
        "grants": [_change_members(one) for one in entry.changes],
        "written": [_text_members(text) for text in entry.written],
    }
    if entry.previous is not None:
        members["previous"] = entry.previous
    return json.dumps(members, indent=1).encode() + b"\n"


def _change_members(one: GrantChange) -> "dict[str, Any]":
    members: dict[str, Any] = {"id": one.id, "old": one.old, "new": one.new}
    if one.is_hand_edit:
        members["hand_edit"] = True
    if one.data is not None:
        members["mode"] = one.mode
        members |= _text_members(one.data)
    return members


def _text_members(data: bytes) -> dict[str, str]:
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": b64encode(data).decode()}


def decode_entry(data: bytes) -> HistoryEntry:
    """Decode an entry; raise MalformedError with the cause for what no `encode` wrote."""
    document = decode_json(data, MAX_ENTRY_BYTES)
    if not isinstance(document, dict) or to_whole_number(document.get("format")) != FORMAT:
        raise MalformedError("its format is unknown to this program")
    version, grants, words = (
        to_whole_number(document.get("version")),
        document.get("grants"),
        decode_members_shared_with_commands(document),
    )
    if version is None or version not in VERSIONS or not isinstance(grants, list) or words is None:
        raise MalformedError("a member is missing or malformed")
    if len(grants) > MAX_GRANTS:
        raise MalformedError("it names more grants than one write has")
    changes = tuple(map(_decode_change, grants))
    if len({one.id for one in changes}) < len(changes):
        raise MalformedError("it names a grant twice")
    written, previous = document.get("written", []), to_whole_number(document.get("previous", version - 1))
    if not isinstance(written, list) or not all(isinstance(one, dict) for one in written):
        raise MalformedError("the texts that it wrote are malformed")
    if previous is None or not 0 <= previous < version:
        raise MalformedError("`previous` is not the version before")
    return HistoryEntry(
        version, *words, changes, document.get("blind") is True,
        tuple(text for text in map(_decode_bytes, written) if text is not None),
        None if previous == version - 1 else previous,
    )  # fmt: skip


def decode_members_shared_with_commands(document: "dict[str, Any]") -> tuple[str, Author, str, str | None, str] | None:
    """Return the time, the author, the command, the verdict and what widened; None if one of them is malformed."""
    texts = [document.get(name) for name in ("written_at", "command", "user", "widened")]
    uid, sudo_user, verdict = document.get("uid"), document.get("sudo_user"), document.get("verdict")
    if not isinstance(uid, int) or not isinstance(sudo_user, str | None) or verdict not in _VERDICTS:
        return None
    when, command, user, widened = map(str, texts)
    if [when, command, user, widened] != texts:  # no strings
        return None
    if not _WRITTEN_AT.fullmatch(when) or not _COMMAND.fullmatch(command):
        return None
    return when, Author(user, uid, sudo_user), command, verdict, widened


def _decode_change(member: object) -> GrantChange:
    if (
        not isinstance(member, dict)
        or not isinstance(grant_id := member.get("id"), str)
        or not is_grant_id_or_hooks_toml(grant_id)
    ):
        raise MalformedError("it names an id that no grant can have")
    old, new, mode, data = member.get("old"), member.get("new"), member.get("mode", 0o644), _decode_bytes(member)
    if not _is_digest_or_none(old) or not _is_digest_or_none(new) or not isinstance(mode, int) or mode & ~MODES:
        raise MalformedError(f"its members of `{grant_id}` are malformed")
    if data is not None and compute_content_digest(data) != old:  # INVARIANT: an entry never brings back other bytes
        raise MalformedError(f"the bytes of `{grant_id}` do not match their digest")
    return GrantChange(grant_id, old, new, data, mode, member.get("hand_edit") is True)


def _decode_bytes(member: "dict[str, Any]") -> bytes | None:
    text, packed = member.get("text"), member.get("base64")
    if isinstance(text, str):
        return text.encode()
    try:
        return b64decode(packed, validate=True) if isinstance(packed, str) else None
    except ValueError:
        raise MalformedError("its bytes are malformed") from None


def _is_digest_or_none(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.startswith("sha256:"))
