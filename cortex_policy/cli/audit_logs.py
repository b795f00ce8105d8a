"""The audit logs that a command reads: those that are named, else the configured one and its rotated files."""

import os
import sys
from time import time
from typing import TYPE_CHECKING

import typer

from cortex_policy.cli.output.progress import track_progress
from cortex_policy.core.model import UsageError
from cortex_policy.core.settings import USER, resolve_setting
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.manage.audit.log_files import list_log_files
from cortex_policy.manage.audit.reader import ReadCounts, parse_since, read_lines_of_logs, sort_logs_oldest_first
from cortex_policy.state.settings import read_layers, read_setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.state import Root


def choose_log_files(logs: list[str] | None) -> list[str]:
    """Return the named logs, or the configured one and its rotated files, oldest first."""
    return sort_logs_oldest_first(logs) if logs else list_log_files(find_configured_log_of_caller())


def find_configured_log_of_caller() -> str:
    """Return the configured audit log; on a terminal, say if it is root's own: services have other users."""
    log = _find_configured_log(None)
    if (
        os.geteuid() == 0
        and sys.stderr.isatty()
        and resolve_setting(read_layers(None), "audit.file").effective.place == USER
    ):
        other = "see the log of another user with `sudo -u USER cortex-policy audit show`"
        typer.echo(escape_message_to_one_line(f"note: `{log}` is the log of root's own calls; {other}"), err=True)
    return log


def read_log_lines_and_start_time(
    root: "Root", logs: list[str] | None, when: str | None, counts: ReadCounts
) -> "tuple[Iterator[bytes], float]":
    """Return the lines of the named logs, or of the configured one and its rotated files, and the start time."""
    start = parse_since(when, time()) if when is not None else float("-inf")
    names = logs or list_log_files(_find_configured_log(root))
    return track_progress(read_lines_of_logs(names, counts), what="lines"), start


def _find_configured_log(root: "Root | None") -> str:
    """Return the configured audit log; raise UsageError if there is none."""
    named = read_setting("audit.file", root.path if root is not None else None)
    if isinstance(named, str):
        return named
    user = "run this command with `sudo -u USER` as the user who has a log"
    hint = f"set a log with `cortex-policy config set audit.file ~/audit.jsonl`, name a log, or {user}"
    raise UsageError("no audit log is configured", hint)
