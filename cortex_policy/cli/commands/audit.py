"""`audit`: verify the log, follow it, send it, and look up calls."""

from collections import deque
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.command_classes import CommandWithExamples, GroupWithExamples
from cortex_policy.cli.commands.audit_send import send
from cortex_policy.cli.commands.audit_tail import JsonEventsOption, OfRootOption, tail
from cortex_policy.cli.common_options import GrantOption, JsonOption, NumberOption, SinceOption
from cortex_policy.cli.output.printing import print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.manage.audit.query import CallFilter
    from cortex_policy.manage.audit.reader import Event, ReadCounts

LOOKAHEAD = 200  # calls that decide how wide columns are
audit_app: typer.Typer = typer.Typer(cls=GroupWithExamples, no_args_is_help=True)
_LOGS_HELP = "Audit logs, also `.gz`; `-` is stdin. Default: `audit.file` and its rotated files."
LogsArgument = Annotated[list[str] | None, typer.Argument(metavar="LOGS", help=_LOGS_HELP, show_default=False)]


@audit_app.callback()
def audit_group() -> None:
    """Verify the audit log, follow it, send it, or look calls up.

    The setting `audit.file` names the log. Without `--root`, calls of all roots are included.
    """


@audit_app.command(cls=CommandWithExamples)
def verify(
    logs: LogsArgument = None,
    *,
    expected: Annotated[
        str | None, typer.Option("--expect", metavar="HEAD", help="Fail if no line has this digest.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Verify the chain of digests through the log.

    The exit code is 1 if lines were changed, lost, moved or duplicated. Anyone who can write the log can replace it, or
    cut its end. So the command prints a digest, the head of the log: keep this digest in another place, and pass it as
    `--expect` next time.

    $ cortex-policy audit verify
    $ cortex-policy audit verify audit.jsonl.1 audit.jsonl
    $ cortex-policy audit verify --expect "$HEAD"
    """
    from cortex_policy.cli.audit_logs import choose_log_files  # noqa: PLC0415 - no other command needs them
    from cortex_policy.cli.output import audit as audit_output  # noqa: PLC0415
    from cortex_policy.cli.output.progress import track_progress  # noqa: PLC0415
    from cortex_policy.manage.audit import verify as audit_verify  # noqa: PLC0415
    from cortex_policy.manage.audit.log_files import open_logs  # noqa: PLC0415

    with open_logs(choose_log_files(logs)) as files:
        result = audit_verify.verify_chain(files, expected, lambda lines: track_progress(lines, what="lines"))
    if json:
        print_json(audit_output.verification_to_json(result))
    else:
        audit_output.print_verification(result)
    if result.breaks:
        raise typer.Exit(1)


audit_app.command("tail", cls=CommandWithExamples)(tail)
audit_app.command("send", cls=CommandWithExamples)(send)


@audit_app.command(cls=CommandWithExamples)
def show(  # noqa: PLR0913 - one parameter for each option
    logs: LogsArgument = None,
    root: OfRootOption = None,
    *,
    since: SinceOption = None,
    grant_id: GrantOption = None,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="WORD", help="Only answers with this reason.")
    ] = None,
    denied: Annotated[bool, typer.Option("--denied", help="Only calls that were not allowed.")] = False,
    number: NumberOption = None,
    json: JsonEventsOption = False,
) -> None:
    """List the calls in the log, one per line, oldest first.

    $ cortex-policy audit show --since 24h --denied
    $ cortex-policy audit show --denied -n 5
    $ cortex-policy audit show --grant git --reason rate_limited --json
    """
    from cortex_policy.cli.output import audit as audit_output  # noqa: PLC0415 - no other command needs them
    from cortex_policy.cli.output.call_table import print_calls  # noqa: PLC0415
    from cortex_policy.manage.audit import query  # noqa: PLC0415
    from cortex_policy.manage.audit.reader import ReadCounts  # noqa: PLC0415

    counts = ReadCounts()
    if reason is not None:
        query.check_reason(reason)
    call_filter = query.CallFilter(_parse_start_time(since), _find_root_path(root), grant_id, reason, denied)
    calls = _read_calls(logs, call_filter, counts)
    if print_calls(
        calls if number is None else deque(calls, number), json=json, with_root=root is None, lookahead=LOOKAHEAD
    ):
        audit_output.print_skipped_line_counts(counts)


@audit_app.command(cls=CommandWithExamples)
def stats(
    logs: LogsArgument = None,
    root: OfRootOption = None,
    *,
    since: SinceOption = None,
    grant_id: GrantOption = None,
    json: JsonOption = False,
) -> None:
    """Count the calls in the log, over time and by grant.

    On a terminal it draws bars of allowed and denied calls, in local time; in a pipe it prints one figure per line.

    $ cortex-policy audit stats --since 7d
    $ cortex-policy audit stats --grant git
    $ cortex-policy audit stats --json
    """
    from cortex_policy.cli.output import audit as audit_output  # noqa: PLC0415 - no other command needs them
    from cortex_policy.cli.output import bar_chart  # noqa: PLC0415
    from cortex_policy.manage.audit import query  # noqa: PLC0415
    from cortex_policy.manage.audit.reader import ReadCounts  # noqa: PLC0415

    counts = ReadCounts()
    call_filter = query.CallFilter(_parse_start_time(since), _find_root_path(root), grant_id)
    stats = query.count_calls(_read_calls(logs, call_filter, counts), bar_chart.MAX_ROWS)
    if json:
        print_json(audit_output.stats_to_json(stats, counts))
        return
    audit_output.print_stats(stats)
    audit_output.print_skipped_line_counts(counts)


def _parse_start_time(since: str | None) -> float:
    from time import time  # noqa: PLC0415 - no other command needs them

    from cortex_policy.manage.audit import reader  # noqa: PLC0415

    return reader.parse_since(since, time()) if since is not None else float("-inf")


def _find_root_path(root: str | None) -> str | None:
    from cortex_policy.state.grants import find_named_or_only_root  # noqa: PLC0415 - no other command needs it

    return find_named_or_only_root(root).path if root is not None else None


def _read_calls(
    logs: list[str] | None, call_filter: "CallFilter", counts: "ReadCounts"
) -> "Iterator[tuple[Event, bytes]]":
    from cortex_policy.cli.audit_logs import choose_log_files  # noqa: PLC0415 - no other command needs them
    from cortex_policy.cli.output.progress import track_progress  # noqa: PLC0415
    from cortex_policy.manage.audit import query  # noqa: PLC0415
    from cortex_policy.manage.audit.log_files import open_logs  # noqa: PLC0415

    with open_logs(choose_log_files(logs)) as files:
        lines = query.read_lines_of_open_logs(files, counts, lambda some: track_progress(some, what="lines"))
        yield from query.decode_matching_calls_with_lines(lines, call_filter, counts)
