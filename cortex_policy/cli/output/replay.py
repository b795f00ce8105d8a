"""What `replay` and `suggest` share: printing calls and counts of skipped lines."""

import json
from typing import TYPE_CHECKING, Any

import typer

from cortex_policy.cli.output.printing import print_hints, print_table_or_tsv
from cortex_policy.core.text import escape_message_to_one_line, format_count_with_noun

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.cli.common_options import TableFormat
    from cortex_policy.manage.replay.past_call import CallExample
    from cortex_policy.manage.replay.replay import Flip, ReplayResult

COLUMNS = ("ANSWER", "GRANT", "REASON", "CALLS", "FOR EXAMPLE")
MAX_ARGS_SHOWN = 100  # characters of the arguments of an example


def print_replay(result: "ReplayResult", output: "TableFormat | None" = None) -> None:
    """Print calls whose answer changes, calls that cannot be decided, and counts."""
    print_table_or_tsv(COLUMNS, [_flip_row(flip) for flip in result.flips], output)
    for one in result.undecided:
        calls = format_count_with_noun(one.count, "call")
        typer.echo(escape_message_to_one_line(f"undecided: {one.grant}: {calls}: {one.why}"), err=True)
    calls = format_count_with_noun(result.call_count, "call")
    typer.echo(f"of {calls}: {_format_flips_summary(result)}, {result.same} as before")
    for sentence in make_skipped_lines_sentences(result.unreadable, result.other_roots, result.earlier):
        typer.echo(f"note: {sentence}", err=True)
    print_hints(one.hint for one in result.undecided)


def _format_flips_summary(result: "ReplayResult") -> str:
    """Return the number of answers that change, and of undecided calls."""
    unknown = f", {result.undecided_count} undecided" if result.undecided_count else ""
    return f"{result.newly_allowed_count} no -> yes, {result.newly_denied_count} yes -> no{unknown}"


def make_skipped_lines_sentences(unreadable: int, elsewhere: int, earlier: int) -> "Iterator[str]":
    """Yield a sentence for each kind of skipped line."""
    if unreadable:
        yield f"{format_count_with_noun(unreadable, 'line')} of the log could not be read as a decision"
    if elsewhere:
        yield f"{format_count_with_noun(elsewhere, 'call')} of other roots"
    if earlier:
        yield f"{format_count_with_noun(earlier, 'call')} before the time that was asked for"


def _flip_row(flip: "Flip") -> tuple[str, ...]:
    answer = "no -> yes" if flip.allows else "yes -> no"
    return answer, flip.grant, f"{flip.before} -> {flip.after}", str(flip.count), format_call_example(flip.example)


def format_call_example(example: "CallExample") -> str:
    """Return a call in one line, with its arguments if they are known."""
    args = "" if example.args is None else json.dumps(example.args, ensure_ascii=False)
    shown = args if len(args) <= MAX_ARGS_SHOWN else f"{args[:MAX_ARGS_SHOWN]}..."
    return " ".join(filter(None, (example.action, "" if args in ("{}", "[]") else shown, f"at {example.time}")))


def replay_to_json(result: "ReplayResult") -> dict[str, Any]:
    """Return the members of `replay --json`; counts of lines that were not replayed are among them."""
    return {
        "lines": result.lines,
        "calls": result.call_count,
        "same": result.same,
        "no_to_yes": result.newly_allowed_count,
        "yes_to_no": result.newly_denied_count,
        "undecided": result.undecided_count,
        "unreadable": result.unreadable,
        "other_roots": result.other_roots,
        "earlier": result.earlier,
        "flips": [
            {
                "id": flip.grant,
                "decision": flip.allows,
                "old_reason": flip.before,
                "new_reason": flip.after,
                "calls": flip.count,
                "example": call_example_to_json(flip.example),
            }
            for flip in result.flips
        ],
        "unknown": [
            {"id": one.grant, "calls": one.count, "why": one.why, "hint": one.hint or None} for one in result.undecided
        ],
    }


def call_example_to_json(one: "CallExample") -> dict[str, object]:
    """Return an example call as JSON members."""
    return {"action": one.action, "args": one.args, "time": one.time}
