"""The last calls of a root in its audit log."""

from cortex_policy.core.model import Settings
from cortex_policy.manage.audit.log_files import list_log_files
from cortex_policy.manage.audit.reader import ReadCounts, decode_calls, read_last_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.manage.audit.reader import Event
    from cortex_policy.state import Root

MAX_LINES, MAX_BYTES = 500, 1 << 18  # of a log, to look for calls of the root


def read_last_calls(root: "Root", settings: Settings, most: int) -> "tuple[Event, ...]":
    """Return the last calls of a root among the last lines of the log, the oldest first; raise OSError, NotDoneError.

    There are none without a log.
    """
    if settings.audit_file is None:
        return ()
    *rotated, file = list_log_files(settings.audit_file)
    lines = read_last_lines(file, rotated, MAX_LINES, MAX_BYTES)
    return tuple(decode_calls(lines, root.path, ReadCounts()))[-most:]
