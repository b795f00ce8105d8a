"""Rotation of an audit log: `log` becomes `log.1`, that `log.2`, and so on; loaded only if a log is full."""

import os
from shlex import quote

from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state.audit_errors import AuditLogError


def move_log_away_and_remove_oldest(file: str, keep: int) -> None:
    """Move a log away, whose lock is held, and remove the oldest over `keep`; raise AuditLogError.

    A writer that is killed in between leaves a gap in the numbers; the next rotation fills it and moves nothing else.
    A log that another program has just moved counts as rotated.
    """
    try:
        if keep == 0:
            os.unlink(file)
            return
        _remove_excess_logs(file, keep + 1)
        gap = next((number for number in range(1, keep) if not os.path.lexists(f"{file}.{number}")), keep)
        for number in range(gap, 1, -1):
            os.rename(f"{file}.{number - 1}", f"{file}.{number}")
        os.rename(file, f"{file}.1")
    except FileNotFoundError:
        return
    except OSError as error:
        directory = quote(os.path.dirname(file))
        hint = f"see why with `ls -la {directory}`, or set `audit.max_bytes` to 0"
        raise AuditLogError(file, f"cannot be rotated: {format_os_error_cause(error)}", hint) from None


def _remove_excess_logs(file: str, number: int) -> None:
    """Remove the logs that were kept when `audit.keep` was larger."""
    while os.path.lexists(f"{file}.{number}"):
        os.unlink(f"{file}.{number}")
        number += 1
