"""`audit send`: send the events of the audit log to a receiver."""

from enum import StrEnum
from time import sleep
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, LogArgument, QuietOption
from cortex_policy.cli.output.printing import print_json
from cortex_policy.core.model import NOT_DONE
from cortex_policy.core.text import escape_message_to_one_line, format_count_with_noun

if TYPE_CHECKING:
    from cortex_policy.manage.audit.send import LogSender, SendResult

POLL_SECONDS = 0.5
FINDINGS = 1


class Mode(StrEnum):
    """How events become requests, by the HTTP binding of CloudEvents."""

    STRUCTURED = "structured"
    BINARY = "binary"
    BATCH = "batch"


FollowOption = Annotated[bool, typer.Option("--follow", "-f", help="Keep sending new events until interrupted.")]
ModeOption = Annotated[Mode, typer.Option("--mode", help="A request carries one event; with batch, up to 100.")]
TokenOption = Annotated[
    str | None,
    typer.Option("--token", metavar="FILE", help="The bearer token, in a file of mode 0600.", show_default=False),
]
CursorOption = Annotated[
    str | None,
    typer.Option(
        "--cursor",
        metavar="FILE",
        help="The file that remembers what was sent; default: next to the log.",
        show_default=False,
    ),
]


def send(  # noqa: PLR0913 - one parameter for each option
    url: Annotated[str, typer.Argument(metavar="URL", help="The receiver's address: https, or http on this host.")],
    log: LogArgument = None,
    *,
    follow: FollowOption = False,
    mode: ModeOption = Mode.STRUCTURED,
    token: TokenOption = None,
    cursor: CursorOption = None,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Send the events of the audit log over HTTP, as CloudEvents.

    It sends, in order, what was logged since its last run, also from rotated files. The first run sends the whole log.
    An event may arrive twice, with the same id. The exit code is 3 if events could not be delivered yet. It is 1 if the
    receiver refused some events for good, or if a rotated file or a part of one was deleted before it was sent.

    $ cortex-policy audit send https://bus.example.org/events
    $ cortex-policy audit send https://bus.example.org/ --mode batch --token t
    $ cortex-policy audit send http://127.0.0.1:8080/ --follow
    """
    from cortex_policy.cli.audit_logs import find_configured_log_of_caller  # noqa: PLC0415 - no other command needs them
    from cortex_policy.cli.output.progress import track_progress  # noqa: PLC0415
    from cortex_policy.library.event_delivery.receiver import EventReceiver  # noqa: PLC0415
    from cortex_policy.manage.audit.send import LogSender, make_cursor_path_beside_log  # noqa: PLC0415

    receiver = EventReceiver(url, token)
    file = log or find_configured_log_of_caller()
    with LogSender(
        file, receiver, cursor or make_cursor_path_beside_log(file, url), mode.value, _print_report
    ) as sender:
        while follow:
            _send_once(sender, json=json)
            sleep(POLL_SECONDS if sender.retry_seconds is None else sender.retry_seconds)
        for _ in track_progress(sender.send(), what="events"):
            pass
        result = sender.result
    _print_result(result, quiet=quiet, json=json)
    code = NOT_DONE.exit_code if result.problem else FINDINGS if result.refused or result.gaps else 0
    if code:
        raise typer.Exit(code)


def _send_once(sender: "LogSender", *, json: bool) -> None:
    """Send what waits; print what was sent if programs read that."""
    if sum(1 for _ in sender.send()) and json:
        print_json(_result_to_json(sender.result))


def _print_result(result: "SendResult", *, quiet: bool, json: bool) -> None:
    if json:
        print_json(_result_to_json(result))
    if quiet or json:
        return
    refused = f", {result.refused} refused" if result.refused else ""
    skipped = f", {format_count_with_noun(result.skipped, 'line')} skipped" if result.skipped else ""
    typer.echo(f"{format_count_with_noun(result.delivered, 'event')} sent{refused}{skipped}")


def _result_to_json(result: "SendResult") -> dict[str, object]:
    return {
        "delivered": result.delivered,
        "refused": result.refused,
        "skipped": result.skipped,
        "gaps": result.gaps,
        "problem": result.problem or None,
    }


def _print_report(sentence: str) -> None:
    typer.echo(escape_message_to_one_line(sentence), err=True)
