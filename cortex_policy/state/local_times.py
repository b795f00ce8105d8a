"""Times as people read them: on a terminal local, with their offset; programs and pipes get UTC with a `Z`."""

import re
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

_UTC_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)")


def localize_times_if_terminal(text: str, stream: "TextIO | None" = None) -> str:
    """Return a text of ours with each UTC time in it made local, if the stream is a terminal; None is standard output.

    Seconds are the finest that people are shown.
    """
    if not (stream if stream is not None else sys.stdout).isatty():
        return text
    return localize_times_in_text(text)


def localize_times_in_text(text: str) -> str:
    """Return a text of ours with each UTC time in it made local."""
    return _UTC_TIME.sub(lambda found: localize_time(found[0]), text)


def localize_time(timestamp: str) -> str:
    """Return a UTC time as local time with its offset, such as `2026-11-30 00:28:05+09:00`; else the text itself."""
    from datetime import datetime  # noqa: PLC0415 - only a terminal needs it

    try:
        return datetime.fromisoformat(timestamp).astimezone().isoformat(" ", "seconds")
    except (ValueError, OverflowError, OSError):  # no calendar has it
        return timestamp
