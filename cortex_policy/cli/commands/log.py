"""`log`: list writes of grants, their authors and what they meant."""

from itertools import islice
from typing import Annotated

import typer

from cortex_policy.cli.options import JsonOption, RootOption, TableOption, integer_parser
from cortex_policy.cli.output.local_times import local_times
from cortex_policy.cli.output.printing import print_json, print_rows, print_warning
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.text import message_line
from cortex_policy.manage.history.writes import WriteHistory, read_write_history
from cortex_policy.state.history_entry import HistoryEntry

COLUMNS = ("VERSION", "WHEN", "WHO", "WHAT", "MEANING")


def log(
    grant_id: Annotated[
        str | None, typer.Argument(metavar="GRANT", help="Id of a grant; default: all.", show_default=False)
    ] = None,
    root: RootOption = None,
    *,
    most: Annotated[
        int | None, typer.Option("-n", "--number", metavar="N", parser=integer_parser(0), help="Show at most N writes.")
    ] = None,
    output: TableOption = None,
    json: JsonOption = False,
) -> None:
    """List the writes of grants, the last first.

    It prints when and by whom, and what the write allowed in addition: a table on a terminal, else one line per write,
    separated by tabs. Times are local on a terminal, else UTC. The setting `history.keep` limits the number of writes;
    each write drops those older than 90 days.

    $ cortex-policy log
    $ cortex-policy log git -n 5
    $ cortex-policy log --json
    """
    history = read_write_history(find_inner_root(root), grant_id)
    entries = list(islice(history.entries, most))
    if json:
        print_json(_log_to_json(history, entries))
        return
    print_rows(COLUMNS, [_row(entry) for entry in entries], output)
    for corrupt in history.corrupt_entries:
        typer.echo(message_line(f"warning: `{corrupt.file}`: {corrupt.problem}"), err=True)
    print_warning(history.unsafe_error)
    if not entries:
        of = f" of `{grant_id}`" if grant_id is not None else ""
        why = "" if history.is_enabled else ": the setting `history.keep` is 0"
        typer.echo(message_line(f"no write{of} is known{why}"), err=True)


def _row(entry: HistoryEntry) -> tuple[str, ...]:
    what = f"{entry.command} {', '.join(entry.ids)}".strip()
    return (str(entry.version), local_times(entry.written_at), str(entry.author), what, _meaning(entry))


def _meaning(entry: HistoryEntry) -> str:
    if entry.has_unknown_previous:
        return "recorded as found; cannot be undone"
    said = f"{entry.verdict}: {entry.widened}" if entry.widened else entry.verdict
    accepted = "hand edit, accepted" if entry.command == "stamp write" else None
    return "; ".join(filter(None, (accepted, said)))


def _log_to_json(history: WriteHistory, entries: list[HistoryEntry]) -> dict[str, object]:
    return {
        "entries": [_entry_to_json(entry) for entry in entries],
        "problems": [{"file": corrupt.file, "problem": corrupt.problem} for corrupt in history.corrupt_entries],
        "warning": history.unsafe_error.detail if history.unsafe_error is not None else None,
    }


def _entry_to_json(entry: HistoryEntry) -> dict[str, object]:
    return {
        "version": entry.version,
        "written_at": entry.written_at,
        "user": entry.author.user,
        "uid": entry.author.uid,
        "sudo_user": entry.author.sudo_user,
        "command": entry.command,
        "verdict": entry.verdict,
        "widened": entry.widened or None,
        "grants": [
            {"id": one.id, "old": one.old, "new": one.new, "kept": one.is_known} for one in entry.changes
        ],
        "blind": entry.has_unknown_previous,
    }  # fmt: skip
