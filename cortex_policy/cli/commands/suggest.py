"""`suggest`: find the smallest changes that would allow denied calls."""

from typing import TYPE_CHECKING, Any

import typer

from cortex_policy.cli.commands.replay import LogsArgument
from cortex_policy.cli.common_options import GrantOption, JsonOption, RootOption, SinceOption
from cortex_policy.cli.output.printing import print_json
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.text import escape_message_to_one_line, format_count_with_noun
from cortex_policy.state.grants import check_grant_id

if TYPE_CHECKING:
    from cortex_policy.manage.audit.reader import ReadCounts
    from cortex_policy.manage.suggest import Suggestion, Suggestions


def suggest(
    logs: LogsArgument = None,
    root: RootOption = None,
    *,
    since: SinceOption = None,
    grant_id: GrantOption = None,
    json: JsonOption = False,
) -> None:
    """Show the smallest changes that would allow denied calls.

    For each change it prints the diff, how many calls the change would have allowed, what else the change would allow,
    and the command that makes the change. Nothing is applied: a denied call may have been denied on purpose. The
    command never guesses what the log does not contain.

    $ cortex-policy suggest --since 24h
    $ cortex-policy suggest /var/log/cortex/audit.jsonl --grant git --json
    """
    from cortex_policy.cli.audit_logs import read_log_lines_and_start_time  # noqa: PLC0415 - no other command needs them
    from cortex_policy.manage.audit.reader import ReadCounts  # noqa: PLC0415
    from cortex_policy.manage.suggest import suggest_grant_changes as run  # noqa: PLC0415

    policy_root, counts = find_inner_root(root), ReadCounts()
    if grant_id is not None:
        check_grant_id(grant_id)
    lines, start = read_log_lines_and_start_time(policy_root, logs, since, counts)
    result = run(policy_root, lines, counts, start, grant_id)
    if json:
        print_json(_suggestions_to_json(result, counts))
    else:
        _print_suggestions(result, counts)


def _print_suggestions(result: "Suggestions", counts: "ReadCounts") -> None:
    from cortex_policy.cli.output import replay  # noqa: PLC0415 - as above
    from cortex_policy.cli.output.printing import print_hints  # noqa: PLC0415
    from cortex_policy.cli.output.write_result import print_escaped_text  # noqa: PLC0415

    for one in result.suggestions:
        for line in _suggestion_lines(one):
            typer.echo(escape_message_to_one_line(line))
        print_escaped_text(one.diff)
        typer.echo("")
    for each in result.unfixable:
        calls = format_count_with_noun(each.count, "call")
        typer.echo(escape_message_to_one_line(f"cannot help: {each.grant}: {calls}: {each.why}"), err=True)
    fixable = sum(one.call_count for one in result.suggestions)
    allowed = f", {result.allowed_now} are allowed already" if result.allowed_now else ""
    changes = format_count_with_noun(len(result.suggestions), "change")
    unfixable = sum(each.count for each in result.unfixable)
    rest = f", {unfixable} cannot be helped" if unfixable else ""
    denied = format_count_with_noun(result.denied, "denied call")
    typer.echo(f"{denied}: {changes} would allow {fixable} of them{allowed}{rest}")
    for sentence in replay.make_skipped_lines_sentences(counts.unreadable, counts.other_roots, 0):
        typer.echo(f"note: {sentence}", err=True)
    print_hints(each.hint for each in result.unfixable)


def _suggestion_lines(one: "Suggestion") -> list[str]:
    from cortex_policy.cli.output.replay import format_call_example  # noqa: PLC0415 - as above

    limited = f", {one.above_rate} more would still be denied by the rate" if one.above_rate else ""
    calls = format_count_with_noun(one.call_count, "call")
    return [
        f"{one.change.name}: would have allowed {calls}{limited}: {format_call_example(one.example)}",
        *(f"  means: {part.field}: {part.sentence}" for part in one.change.meaning.fields if part.sentence),
        *(f"  warning: {each.sentence}" for each in one.escalations),
        *([f"  note: did the caller mean `{one.nearest}`? then no change is needed"] if one.nearest else []),
        f"  to do it: {one.command}",
    ]


def _suggestions_to_json(result: "Suggestions", counts: "ReadCounts") -> dict[str, Any]:
    from cortex_policy.cli.output.diff import diff_to_json  # noqa: PLC0415 - as above
    from cortex_policy.cli.output.replay import call_example_to_json  # noqa: PLC0415
    from cortex_policy.manage.diff.grants import PolicyDiff  # noqa: PLC0415

    return {
        "denied": result.denied,
        "passing": result.allowed_now,
        "unreadable": counts.unreadable,
        "other_roots": counts.other_roots,
        "suggestions": [
            {
                "id": one.change.name,
                "calls": one.call_count,
                "above_rate": one.above_rate,
                "example": call_example_to_json(one.example),
                "nearest": one.nearest or None,
                "command": one.command,
                "diff": one.diff,
            }
            | {"meaning": diff_to_json(PolicyDiff((one.change,)), None)["changes"]}
            for one in result.suggestions
        ],
        "helpless": [
            {"id": each.grant, "calls": each.count, "why": each.why, "hint": each.hint or None}
            for each in result.unfixable
        ],
    }  # fmt: skip
