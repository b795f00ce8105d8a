"""Print calls of an audit log, the result of its verification, and statistics."""

import shutil
import sys
from json import dumps, loads
from typing import TYPE_CHECKING, Any

import typer

from cortex_policy.cli.output.bar_chart import format_bar_lines, format_utc
from cortex_policy.cli.output.printing import print_table_or_tsv
from cortex_policy.cli.output.replay import MAX_ARGS_SHOWN, make_skipped_lines_sentences
from cortex_policy.core.text import (
    escape_job_commands_in_ascii_json,
    escape_message_to_one_line,
    escape_unprintable,
    format_count_with_noun,
)
from cortex_policy.state.local_times import localize_time

if TYPE_CHECKING:
    from cortex_policy.manage.audit.query import CallStats
    from cortex_policy.manage.audit.reader import Event, ReadCounts
    from cortex_policy.manage.audit.verify import ChainBreak, VerifyResult

COLUMNS = ("GRANT", "ACTION", "REASON", "CALLS")
MAX_KINDS_SHOWN = 20  # on a terminal


def format_call_line(event: "Event") -> str:
    """Return a call as one line with tabs; its root comes last."""
    return "\t".join(map(escape_message_to_one_line, [*format_call_cells(event), str(event[1].get("root") or "-")]))


def format_call_cells(event: "Event") -> list[str]:
    """Return a call in words: the time, the answer, grant, action, reason and arguments."""
    _, data = event
    answer = f"{'yes' if data['decision'] else 'no'}{format_peek_or_repeat_suffix(data)}"
    return [data["time"], answer, data["grant"], data["action"], str(data["reason"]), format_arguments(event)]


def format_peek_or_repeat_suffix(data: "dict[str, Any]") -> str:
    """Return why a call took no hit, as in ` (peek)`; '' if it took one, or that is unknown."""
    return "".join(f" ({word})" for word in ("peek", "repeat") if data.get(word) is True)


def format_arguments(event: "Event") -> str:
    """Return the arguments of a call as JSON, cut if they are long; nothing if it had none."""
    args = dumps(event[1]["args"])
    return "" if args in ("{}", "[]") else args if len(args) <= MAX_ARGS_SHOWN else f"{args[:MAX_ARGS_SHOWN]}..."


def escape_logged_line(line: bytes) -> str:
    """Return the line of an event as logged; in ASCII if a terminal could act on it."""
    text = line.decode("ascii", "replace").rstrip("\r\n")
    return escape_job_commands_in_ascii_json(
        text if escape_unprintable(text) == text and text.isascii() else dumps(loads(line))
    )


def print_skipped_line_counts(counts: "ReadCounts") -> None:
    """Print how many lines were skipped: unreadable ones, and calls of other roots."""
    for sentence in make_skipped_lines_sentences(counts.unreadable, counts.other_roots, 0):
        typer.echo(f"note: {sentence}", err=True)


def print_verification(result: "VerifyResult") -> None:
    """Print where the chain is broken, what was read, and the head."""
    for problem in result.breaks:
        typer.echo(escape_message_to_one_line(f"{problem.file}:{problem.line}: {_chain_break_text(problem)}"))
    if result.more_breaks:
        typer.echo(f"and {format_count_with_noun(result.more_breaks, 'problem')} more")
    for note in result.notes:
        typer.echo(escape_message_to_one_line(f"note: {note}"), err=True)
    without = f", {result.unchained} without a digest" if result.unchained else ""
    torn = f", {result.torn} torn" if result.torn else ""
    others = f", {result.others} of other programs" if result.others else ""
    files = f" in {len(result.files)} files" if len(result.files) > 1 else ""
    typer.echo(
        f"{format_count_with_noun(result.lines, 'line')}{files}: {result.chained} chained{without}{torn}{others}"
    )
    typer.echo(f"head: {result.head or 'none'}")


def _chain_break_text(problem: "ChainBreak") -> str:
    to = f"(to line {problem.end_line}) " if problem.end_line != problem.line else ""
    return f"{to}{problem.why}"


def verification_to_json(result: "VerifyResult") -> dict[str, Any]:
    """Return the result of a verification as JSON members."""
    return {
        "status": "fail" if result.breaks else "ok",
        "files": list(result.files),
        "lines": result.lines,
        "chained": result.chained,
        "unchained": result.unchained,
        "torn": result.torn,
        "others": result.others,
        "head": result.head or None,
        "problems": [
            {"file": one.file, "line": one.line, "end_line": one.end_line, "message": one.why}
            for one in result.breaks
        ],
        "more_problems": result.more_breaks,
        "notes": list(result.notes),
    }  # fmt: skip


def print_stats(stats: "CallStats") -> None:
    """Print call counts: bars and a table on a terminal, else one tab-separated row per number."""
    rows: list[tuple[str, ...]] = [(*kind, str(count)) for kind, count in stats.kinds]
    if not sys.stdout.isatty():
        for one in stats.spans:
            typer.echo(f"time\t{format_utc(one.at)}\t{one.allowed}\t{one.denied}")
        print_table_or_tsv((), [("calls", *row) for row in rows])
        return
    typer.echo(
        f"{format_count_with_noun(stats.calls, 'call')}, {stats.allowed} allowed, {stats.calls - stats.allowed} denied"
    )
    if stats.spans and stats.first is not None and stats.last is not None:
        first, last = localize_time(format_utc(stats.first)), localize_time(format_utc(stats.last))
        typer.echo(f"at {first}\n" if first == last else f"from {first} to {last}\n")
        for line in format_bar_lines(stats, _terminal_width()):
            typer.echo(line)
        typer.echo("")
        print_table_or_tsv(COLUMNS, rows[:MAX_KINDS_SHOWN])
    if len(rows) > MAX_KINDS_SHOWN:
        typer.echo(f"and {len(rows) - MAX_KINDS_SHOWN} kinds more")


def _terminal_width() -> int:
    return shutil.get_terminal_size().columns


def stats_to_json(stats: "CallStats", counts: "ReadCounts") -> dict[str, Any]:
    """Return the statistics as JSON members."""
    return {
        "lines": counts.lines,
        "unreadable": counts.unreadable,
        "other_roots": counts.other_roots,
        "calls": stats.calls,
        "allowed": stats.allowed,
        "denied": stats.calls - stats.allowed,
        "first_at": None if stats.first is None else format_utc(stats.first),
        "last_at": None if stats.last is None else format_utc(stats.last),
        "span_seconds": stats.span_seconds,
        "spans": [{"at": format_utc(one.at), "allowed": one.allowed, "denied": one.denied} for one in stats.spans],
        "kinds": [
            {"id": grant, "action": action, "reason": reason, "calls": count}
            for (grant, action, reason), count in stats.kinds
        ],
    }
