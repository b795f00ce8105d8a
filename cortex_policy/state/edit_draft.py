"""The private copy of a text that an operator edits, in a directory that only the operator can enter.

It is never in the tree of the grants, which may be another user's: that user could put a link in its place, and the
editor would write through it. A text that was not saved is kept, so the places are those that keep files.
"""

import errno
import os
import shutil
import stat
import tempfile
from contextlib import suppress

from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import read_up_to, sha256
from cortex_policy.state.safe_directories import is_private_path

PLACES = ("/var/tmp", "/tmp")  # noqa: S108 - a directory of its own is made there
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_LINKS = (errno.ELOOP, errno.EMLINK)


class Draft:
    """A copy of a file for an editor, which opens it by its path."""

    path: str

    def __init__(self, file: str, text: bytes | None, max_bytes: int) -> None:
        """Copy the text of a file, or take the copy that was left last if the text is None.

        At most `max_bytes` bytes of it are read. Raise NotDoneError on failure.
        """
        self._max_bytes = max_bytes
        if text is None:
            self.path = _find_last_draft(file)
            self.read_text(b"")  # one that is a link, say, is refused
            return
        self.path = f"{_make_directory(file)}/{os.path.basename(file)}"
        try:
            self._write_copy(text)
        except BaseException:
            self.remove_files()
            raise

    def read_text(self, last: bytes) -> bytes:
        """Return the text that the editor left, or raise NotDoneError; a removed file is restored."""
        try:
            return self._read_copy()
        except FileNotFoundError:
            self._write_copy(last)
            raise NotDoneError("the editor removed the file; it is there again with its last text") from None
        except OSError as error:
            why = "is a link" if error.errno in _LINKS else f"cannot be read: {format_os_error_cause(error)}"
            raise NotDoneError(f"`{self.path}` {why}") from None

    def keep_if_changed(self, *known: bytes) -> bool:
        """Return whether its text was kept; one that is empty or known is removed instead."""
        try:
            text = self._read_copy()
        except FileNotFoundError:
            text = b""
        except (OSError, NotDoneError):
            return True
        if text.strip() and text not in known:
            return True
        self.remove_files()
        return False

    def remove_files(self) -> None:
        """Remove it, and the files that the editor left beside it."""
        shutil.rmtree(os.path.dirname(self.path), ignore_errors=True)

    def _read_copy(self) -> bytes:
        descriptor = os.open(self.path, _OLD)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                raise NotDoneError(f"`{self.path}` is not a regular file, or has more than one link")
            return read_up_to(descriptor, self._max_bytes)
        finally:
            os.close(descriptor)

    def _write_copy(self, text: bytes) -> None:
        try:
            descriptor = os.open(self.path, _NEW, 0o600)
            try:
                while text:
                    text = text[os.write(descriptor, text) :]
            finally:
                os.close(descriptor)
        except OSError as error:
            raise NotDoneError(f"`{self.path}`: {format_os_error_cause(error)}") from None


def list_leftover_drafts_of_file(file: str) -> list[str]:
    """Return the paths of the copies of a file that earlier sessions of the caller left."""
    name, drafts = os.path.basename(file), []
    for directory in _safe_parent_directories():
        with suppress(OSError):  # it may be searchable but not listable
            drafts += [
                f"{directory}/{one}/{name}"
                for one in os.listdir(directory)
                if one.startswith(_directory_name_prefix(file))
            ]
    return sorted(filter(_is_ours, drafts))


def _find_last_draft(file: str) -> str:
    """Return the path of the copy that was left last."""
    try:
        return max(list_leftover_drafts_of_file(file), key=lambda path: os.lstat(path).st_mtime_ns)
    except (ValueError, OSError):
        raise NotDoneError("no earlier session left a text") from None


def _is_ours(copy: str) -> bool:
    """Whether a copy exists in a directory of the caller; any other may be gone by now."""
    try:
        return os.lstat(os.path.dirname(copy)).st_uid == os.geteuid() and os.path.lexists(copy)
    except OSError:
        return False


def _make_directory(file: str) -> str:
    """Make a directory for the copy of a file that nobody else can enter."""
    why = "only you and root may be able to write in it"
    for directory in _safe_parent_directories():
        try:
            return tempfile.mkdtemp(prefix=_directory_name_prefix(file), dir=directory)
        except OSError as error:
            why = f"`{directory}`: {format_os_error_cause(error)}"
    raise NotDoneError(f"there is no directory for a private copy: {why}", "name one of your own in `TMPDIR`")


def _safe_parent_directories() -> list[str]:
    named = os.environ.get("TMPDIR", "")
    directories = [os.path.normpath(named)] if os.path.isabs(named) else []
    return [
        directory
        for directory in dict.fromkeys((*directories, *PLACES))
        if os.path.isdir(directory) and is_private_path(directory)
    ]


def _directory_name_prefix(file: str) -> str:
    """Return how the names of directories for the copies of a file begin."""
    mark = sha256(os.fsencode(file)).hexdigest()[:8]
    return f"cortex-policy-{os.path.splitext(os.path.basename(file))[0]}-{mark}-"
