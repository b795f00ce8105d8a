"""Standard output and error: texts are escaped so that no terminal or CI job acts on them; write errors are kept."""

import errno
import os
import re
import sys
from contextlib import suppress

from cortex_policy.core.text import escape_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

_DEFAULT_WRAP_WIDTH = 80  # columns
_MIN_WRAP_WIDTH, _MAX_WRAP_WIDTH = 40, 100  # columns: people read no longer lines well
_MAX_LINE_START = 64  # characters of an unfinished line: longer than what begins any command
_STYLE = re.compile(r"(\x1b\[[0-9;]*m)")


class UnescapedStream:
    """A stream that records a write error instead of raising it, so that the exit code stays the same."""

    is_used: bool  # whether anything was written

    def __init__(self, stream: "TextIO") -> None:
        """Take Python's stream, which may be closed, full or broken."""
        self._stream = stream
        self.failure: OSError | None = None
        self.is_used = False

    def write(self, text: str) -> int:
        """Write a text as it is; an error is recorded, not raised."""
        self.is_used = True
        try:
            return self._stream.write(text)
        except OSError as error:
            self._record_failure(error)
        except ValueError:  # it was closed
            self._record_failure(OSError(errno.EBADF, os.strerror(errno.EBADF)))
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes unchanged; an error is recorded, not raised."""
        self.flush()
        self.is_used = True
        try:
            self._stream.buffer.write(data)
        except OSError as error:
            self._record_failure(error)

    def flush(self) -> None:
        """Flush the stream; an error is recorded, not raised."""
        try:
            self._stream.flush()
        except OSError as error:
            self._record_failure(error)
        except ValueError:
            return

    def _record_failure(self, error: OSError) -> None:
        self.failure = self.failure or error

    def __getattr__(self, name: str) -> "Any":
        """Return an attribute of the stream, but not its `buffer`, which would bypass this class."""
        if name == "buffer":
            raise AttributeError(name)
        return getattr(self._stream, name)


class EscapingStream:
    """The standard stream that `print` uses."""

    raw: "UnescapedStream"

    def __init__(self, raw: UnescapedStream, *, keeps_styles: bool = False) -> None:
        """Take the stream below; with `keeps_styles`, colour sequences pass, and no other escape sequence."""
        self.raw, self._keeps_styles, self._line = raw, keeps_styles, ""

    def write(self, text: str) -> int:
        """Write a text, escaped in the context of its line so far."""
        parts = _STYLE.split(text) if self._keeps_styles else [text]
        for index, part in enumerate(parts):
            self.raw.write(part if index % 2 else self._escape(part))
        return len(text)

    def _escape(self, text: str) -> str:
        shown = escape_output(text, self._line)
        line = (self._line + shown).rpartition("\n")[2]
        is_long = len(line) > _MAX_LINE_START and bool(line.strip())
        self._line = f"-{line[-_MAX_LINE_START:]}" if is_long else line
        return shown

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return bool(self.raw.isatty())

    def __getattr__(self, name: str) -> "Any":
        """Return an attribute of the stream below."""
        return getattr(self.raw, name)


def replace_standard_streams() -> None:
    """Replace Python's two streams by ours, once."""
    sys.stdout, sys.stderr = _wrap_standard_stream(sys.stdout, 1), _wrap_standard_stream(sys.stderr, 2)


def unwrap_escaping_stream(stream: "TextIO") -> "TextIO":
    """Return the unescaped stream: for progress bars, and for commands that a CI job is meant to read."""
    return stream.raw if isinstance(stream, EscapingStream) else stream  # type: ignore[return-value]


def make_colour_keeping_stream(stream: "TextIO") -> "TextIO":
    """Return a stream that lets colours pass, for a text whose values are escaped already."""
    if not isinstance(stream, EscapingStream):
        return stream
    return EscapingStream(stream.raw, keeps_styles=is_colour_wanted(is_terminal=stream.isatty()))  # type: ignore[return-value]


def is_colour_wanted(*, is_terminal: bool) -> bool:
    """Return whether people want colours: on a terminal, unless the usual variables say otherwise."""
    if os.environ.get("NO_COLOR"):
        return False
    if any(os.environ.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return is_terminal and os.environ.get("TERM") not in ("dumb", "unknown")


def find_any_terminal_width_or_none() -> int | None:
    """Return the columns of the terminal that people look at, None if there is none."""
    if (columns := os.environ.get("COLUMNS", "")).isdecimal() and int(columns) > 0:
        return int(columns)
    for descriptor in (1, 2, 0):  # a pager or `watch` has the first
        with suppress(OSError):
            return os.get_terminal_size(descriptor).columns or None
    return None


def find_wrap_width(descriptor: int) -> int:
    """Return at how many columns a text is folded: those of its terminal within limits, else as many as everywhere."""
    columns = (find_any_terminal_width_or_none() if os.isatty(descriptor) else None) or _DEFAULT_WRAP_WIDTH
    return min(max(columns, _MIN_WRAP_WIDTH), _MAX_WRAP_WIDTH)


def write_stdout_bytes(data: bytes) -> None:
    """Write bytes to standard output unchanged."""
    out = sys.stdout
    if isinstance(out, EscapingStream):
        out.raw.write_bytes(data)
    else:
        out.flush()
        out.buffer.write(data)


def write_stdout_line(line: str, *, styled: bool = False) -> bool:
    """Write a line to standard output at once, with its colours if it has any; return False if that is impossible."""
    (make_colour_keeping_stream(sys.stdout) if styled else sys.stdout).write(f"{line}\n")
    sys.stdout.flush()
    return find_earlier_stdout_error() is None


def find_earlier_stdout_error() -> "OSError | None":
    """Return the error that kept standard output from being written."""
    return getattr(sys.stdout, "failure", None)


def _wrap_standard_stream(stream: "TextIO | None", descriptor: int) -> "TextIO":
    if isinstance(stream, EscapingStream):
        return stream
    plain = stream if stream is not None else os.fdopen(descriptor, "w", closefd=False)
    plain.reconfigure(errors="backslashreplace")  # type: ignore[attr-defined]
    return EscapingStream(UnescapedStream(plain))  # type: ignore[return-value]
