"""`audit tail`: print the last calls, and follow the log."""

from typing import Annotated

import typer

from cortex_policy.cli.common_options import LogArgument, NumberOption

POLL_SECONDS = 0.2
DEFAULT_NUMBER = 10
OfRootOption = Annotated[
    str | None, typer.Option("--root", metavar="DIR", help="Only calls of this root; default: all roots.")
]
JsonEventsOption = Annotated[bool, typer.Option("--json", help="Print the logged events as JSON, one per line.")]


def tail(
    log: LogArgument = None,
    root: OfRootOption = None,
    *,
    number: NumberOption = DEFAULT_NUMBER,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new calls, also after rotations.")
    ] = False,
    json: JsonEventsOption = False,
) -> None:
    """Show the last calls in the log, and follow it.

    Without `--number` it shows ten.

    $ cortex-policy audit tail
    $ cortex-policy audit tail -n 0 --follow --json
    """
    from cortex_policy.cli.audit_logs import find_configured_log_of_caller  # noqa: PLC0415 - no other command needs them
    from cortex_policy.cli.output.call_table import print_calls  # noqa: PLC0415
    from cortex_policy.manage.audit.query import CallFilter, decode_matching_calls_with_lines  # noqa: PLC0415
    from cortex_policy.manage.audit.reader import ReadCounts  # noqa: PLC0415
    from cortex_policy.manage.audit.tail import tail_log_lines  # noqa: PLC0415
    from cortex_policy.state.grants import find_named_or_only_root  # noqa: PLC0415

    call_filter = CallFilter(root=find_named_or_only_root(root).path if root is not None else None)
    lines = tail_log_lines(
        log or find_configured_log_of_caller(),
        number if number is not None else DEFAULT_NUMBER,
        _wait_for_closed_pipe if follow else None,
    )
    print_calls(decode_matching_calls_with_lines(lines, call_filter, ReadCounts()), json=json, with_root=root is None)


def _wait_for_closed_pipe() -> bool:
    """Wait for the poll interval; return True once the reader has closed the pipe."""
    import select  # noqa: PLC0415 - only to follow

    reader = select.poll()
    reader.register(1, 0)  # only errors: the reading end was closed
    return bool(reader.poll(POLL_SECONDS * 1000))
