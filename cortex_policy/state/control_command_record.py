"""Records of control commands, which write no grant: `stop`, `resume`, `rate reset`, `config set`. One file for each.

They are in `history/commands` beside what the command changed: in a policy directory, or a directory of settings. A
record is `...-begun.json` until its command is done, so that one whose command was killed can be told from the others.
No command fails because it cannot be recorded.
"""

import json
import os
import re
from contextlib import suppress
from time import time, time_ns

from cortex_policy.core import Value
from cortex_policy.core.decode import MalformedError, decode_json, to_whole_number
from cortex_policy.core.model import CortexPolicyError
from cortex_policy.core.settings import PROJECT, SYSTEM
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import history_entry
from cortex_policy.state.atomic_write import TEMPORARY_PREFIX, replace_file_atomically, sync_directory
from cortex_policy.state.history import COMMANDS, DAY, NAME, create_history_directory
from cortex_policy.state.history_entry import MAX_WIDENED_LENGTH, Author, find_current_author, format_current_time
from cortex_policy.state.safe_directories import make_directory, open_child_directory
from cortex_policy.state.settings import find_settings_directory_of_place, open_settings_directory, read_setting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

FORMAT = 1
MAX_BYTES = 1 << 14  # of a record
MAX_RECORDS, MAX_DAYS = 500, 90  # that are kept
_BEGUN = "-begun.json"
RECORD_NAME = re.compile(r"[0-9]{20}-[0-9]{1,10}(-begun)?\.json")
_PRIVATE, _PUBLIC = 0o600, 0o644


class CommandRecord(Value):
    """One command: its author and time, what it was about, and what it changed.

    `place` is whose settings or grants it changed: the system's, the user's or the project's. A `grant_id` is known
    if it was about one grant. `is_finished` is false if the command was killed, so that nobody knows what it did.
    `begun_ns` orders records of one second.
    """

    written_at: str
    author: Author
    command: str
    subject: str = ""
    detail: str = ""
    verdict: str | None = None
    grant_id: str | None = None
    place: str = PROJECT
    is_finished: bool = True
    begun_ns: int = 0


def make_begun_command_record(
    command: str, subject: str = "", detail: str = "", *,
    verdict: str | None = None, grant_id: str | None = None, place: str = PROJECT,
) -> CommandRecord:  # fmt: skip
    """Return the record of a command that the caller runs now."""
    author, now = find_current_author(), format_current_time()
    return CommandRecord(now, author, command, subject, detail, verdict, grant_id, place, begun_ns=time_ns())


class CommandRecorder:
    """Records a command that runs inside of `with`, unless it raises; `problem` says why it could not be recorded."""

    def __init__(self, record: CommandRecord, root: str | None) -> None:
        """Take the record, and the root whose project settings apply."""
        self.problem: str = ""
        self._is_discarded = False
        self._record, self._root = record, root
        self._name, self._is_enabled = f"{record.begun_ns:020}-{os.getpid()}", _is_history_kept(root)

    def __enter__(self) -> "Self":
        """Record that the command has begun."""
        self._try_in_directory(lambda directory: self._write_record(directory, self._name_while_begun))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Record that the command is done, or take back what was recorded."""
        if not self.problem:
            is_done = kind is None and not self._is_discarded
            self._try_in_directory(
                self._finish_record
                if is_done
                else lambda directory: os.unlink(self._name_while_begun, dir_fd=directory)
            )

    def discard(self) -> None:
        """Leave no record: the command found nothing to do."""
        self._is_discarded = True

    def record_at_once(self) -> "Self":
        """Record a command that is done already, instead of using `with`: it must not wait for its record."""
        self._try_in_directory(lambda directory: self._write_record(directory, f"{self._name}.json"))
        return self

    @property
    def _name_while_begun(self) -> str:
        return f"{self._name}{_BEGUN}"

    def _write_record(self, directory: int, name: str) -> None:
        mode = _PUBLIC if self._record.place == SYSTEM else _PRIVATE
        replace_file_atomically(directory, name, encode_command_record(self._record), mode)
        _prune_records(directory)

    def _finish_record(self, directory: int) -> None:
        os.rename(self._name_while_begun, f"{self._name}.json", src_dir_fd=directory, dst_dir_fd=directory)
        sync_directory(directory)

    def _try_in_directory(self, work: "Callable[[int], None]") -> None:
        """Call a function with the directory of the records; no error leaves this."""
        try:
            if self._is_enabled:
                with open_settings_directory(self._record.place, self._root) as top:
                    _call_in_commands_directory(top, self._record.place, work)
        except CortexPolicyError as error:
            self.problem = error.message
        except OSError as error:
            self.problem = (
                f"`{find_command_records_directory(self._record.place, self._root)}`: {format_os_error_cause(error)}"
            )


def encode_command_record(record: CommandRecord) -> bytes:
    """Return a record as JSON; a long subject or detail is cut."""
    author = record.author
    members: dict[str, Any] = {
        "format": FORMAT,
        "written_at": record.written_at,
        "user": author.user,
        "uid": author.uid,
        "sudo_user": author.sudo_user,
        "command": record.command,
        "subject": record.subject[:MAX_WIDENED_LENGTH],
        "detail": record.detail[:MAX_WIDENED_LENGTH],
        "verdict": record.verdict,
        "grant": record.grant_id,
    }
    return json.dumps(members, indent=1).encode() + b"\n"


def decode_command_record(data: bytes, place: str, name: str) -> CommandRecord:
    """Decode a record in a file of this name; raise MalformedError for what no `encode_command_record` wrote."""
    document = decode_json(data, MAX_BYTES)
    if not isinstance(document, dict) or to_whole_number(document.get("format")) != FORMAT:
        raise MalformedError("its format is unknown to this program")
    words = history_entry.decode_members_shared_with_commands({**document, "widened": ""})
    subject, detail, grant_id = (document.get(name) for name in ("subject", "detail", "grant"))
    if words is None or not (isinstance(subject, str) and isinstance(detail, str) and isinstance(grant_id, str | None)):
        raise MalformedError("a member is missing or malformed")
    written_at, author, command, verdict, _ = words
    is_finished, begun_ns = not name.endswith(_BEGUN), int(name[:20])
    return CommandRecord(written_at, author, command, subject, detail, verdict, grant_id, place, is_finished, begun_ns)


def _call_in_commands_directory(top: int, place: str, work: "Callable[[int], None]") -> None:
    """Call a function with the directory of the records below an open one, which is made if it does not exist."""
    mode = _PUBLIC | 0o111 if place == SYSTEM else _PRIVATE | 0o100
    create_history_directory(top, mode)
    history = open_child_directory(top, NAME)
    try:
        make_directory(history, COMMANDS, mode)
        directory = open_child_directory(history, COMMANDS)
    finally:
        os.close(history)
    try:
        work(directory)
    finally:
        os.close(directory)


def _prune_records(directory: int) -> None:
    """Remove old records, and what killed writers left; another writer may be at work, so nothing that is new."""
    found = os.listdir(directory)
    for name in found:
        with suppress(FileNotFoundError):
            is_left = name.startswith(TEMPORARY_PREFIX) and time() - os.lstat(name, dir_fd=directory).st_mtime > DAY
            if is_left:
                os.unlink(name, dir_fd=directory)
    names = sorted(name for name in found if RECORD_NAME.fullmatch(name))
    oldest = time_ns() - MAX_DAYS * DAY * 1_000_000_000
    for index, name in enumerate(names[:-1]):  # the newest one stays
        if index >= len(names) - MAX_RECORDS and int(name[:20]) >= oldest:
            return
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)


def find_command_records_directory(place: str, root: str | None) -> str:
    """Return the directory of the records of a place: beside its settings, below its history."""
    return f"{find_settings_directory_of_place(place, root)}/{NAME}/{COMMANDS}"


def _is_history_kept(root: str | None) -> bool:
    """Whether a history is kept; if the settings are invalid, it is."""
    try:
        return read_setting("history.keep", root) != 0
    except (CortexPolicyError, OSError):
        return True
