"""`replay`: decide past calls again with today's grants or proposed ones."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption, SinceOption, TableOption
from cortex_policy.cli.output.printing import print_json
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.not_done_error import NotDoneError

if TYPE_CHECKING:
    from cortex_policy.manage.replay.replay import ReplayResult


class ReplayFailOn(StrEnum):
    """What ends with 1."""

    ALLOW = "allow"
    DENY = "deny"
    ANY = "any"


LogsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="LOGS", help="Audit logs, also `.gz`; `-` is stdin. By default `audit.file`.", show_default=False
    ),
]


def replay(
    logs: LogsArgument = None,
    root: RootOption = None,
    *,
    proposed: Annotated[
        str | None,
        typer.Option("--with", metavar="REV|DIR", help="Use the grants of a git revision or a directory."),
    ] = None,
    since: SinceOption = None,
    fail_on: Annotated[
        ReplayFailOn | None,
        typer.Option(
            "--fail-on",
            metavar="allow|deny|any",
            help="Exit 1 if a call becomes allowed (allow), denied (deny), or one of both (any).",
        ),
    ] = None,
    output: TableOption = None,
    json: JsonOption = False,
) -> None:
    """Decide past calls again, and list the changed answers.

    It uses today's grants and settings, or the grants of a branch or a directory. Nothing is counted or written, and no
    path is looked up. A log line may lack what is needed to decide its call again; the call is then reported as
    undecided. To record all arguments, set `audit.args = "full"`.

    $ cortex-policy replay
    $ cortex-policy replay audit.jsonl --with main --since 24h
    $ cortex-policy replay audit.jsonl.1.gz audit.jsonl --fail-on allow
    $ ssh host cat audit.jsonl | cortex-policy replay - --json
    """
    from cortex_policy.cli.audit_logs import read_log_lines_and_start_time  # noqa: PLC0415 - no other command needs them
    from cortex_policy.cli.output import replay as replay_output  # noqa: PLC0415
    from cortex_policy.manage.audit.reader import ReadCounts  # noqa: PLC0415
    from cortex_policy.manage.replay import replay as call_replay  # noqa: PLC0415

    policy_root, counts = find_inner_root(root), ReadCounts()
    lines, start = read_log_lines_and_start_time(policy_root, logs, since, counts)
    result = call_replay.replay_logged_calls(
        policy_root, lines, counts, call_replay.load_grants_of_root_or_dir_or_revision(policy_root, proposed), start
    )
    if json:
        print_json(replay_output.replay_to_json(result))
    else:
        replay_output.print_replay(result, output)
    if fail_on is not None and result.is_inconclusive:  # a gate that sees nothing lets everything through
        raise NotDoneError("no call of the log could be decided", "see the reasons with `cortex-policy replay --json`")
    if fail_on is not None and _has_failing_flip(result, fail_on):
        raise typer.Exit(1)


def _has_failing_flip(result: "ReplayResult", fail_on: ReplayFailOn) -> bool:
    opens, closes = (
        fail_on is not ReplayFailOn.DENY and result.newly_allowed_count,
        fail_on is not ReplayFailOn.ALLOW and result.newly_denied_count,
    )
    return bool(opens or closes)
