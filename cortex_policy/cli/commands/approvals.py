"""`approvals`: list requests that wait for a human, and the last answers."""

from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption, TableOption
from cortex_policy.cli.output.printing import print_json, to_escaped_json
from cortex_policy.core.model import ROOT_NOT_FOUND, GrantError
from cortex_policy.core.text import escape_message_to_one_line, escape_unprintable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Group

    from cortex_policy.cli.output.live import Row


def approvals(
    request_id: Annotated[
        str | None, typer.Argument(metavar="ID", help="Show one request in full.", show_default=False)
    ] = None,
    root: RootOption = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Include the calls of all roots.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Keep running and show what changes.")] = False,
    output: TableOption = None,
    json: JsonOption = False,
) -> None:
    """List the calls that wait for a human.

    It also lists the last answers. It lists only calls that this user makes in this root; `--all` includes the calls in
    the user's other roots. With `--watch` it draws the calls on a terminal until you press `q`; in a pipe it prints a
    line for each change.

    $ cortex-policy approvals
    $ cortex-policy approvals 1f0c9a7e
    $ cortex-policy approvals --watch --json
    $ cortex-policy approvals --all
    """
    from cortex_policy.cli.output import live  # noqa: PLC0415 - no other command needs these
    from cortex_policy.cli.output.approvals import (  # noqa: PLC0415
        format_request,
        make_request_columns,
        make_request_row,
        request_to_json,
    )
    from cortex_policy.cli.output.printing import print_table_or_tsv  # noqa: PLC0415
    from cortex_policy.manage.approvals import list_waiting_and_answered_requests, read_approval_request  # noqa: PLC0415

    if request_id is not None:
        details = read_approval_request(request_id, root)
        typer.echo(to_escaped_json(request_to_json(details)) if json else format_request(details), nl=json)
        return
    root = None if every else _find_root_to_list(root)
    if not watch:
        requests = list_waiting_and_answered_requests(root)
        if json:
            print_json({"requests": [request_to_json(one) for one in requests]})
        else:
            print_table_or_tsv(
                make_request_columns(every=every), [make_request_row(one, every=every) for one in requests], output
            )
            if not requests:
                typer.echo(_none_waits_text(root), err=True)
    elif live.can_redraw() and not json:
        live.redraw_until_quit(lambda height: _request_screen(root, height, every=every))
    else:
        live.print_changes_until_closed(lambda: _request_rows(root, json=json, every=every))


def _find_root_to_list(root: str | None) -> str | None:
    """Return the root whose requests are listed; None, with a note, if there is none here."""
    from cortex_policy.cli.roots import find_inner_root  # noqa: PLC0415 - as above

    if root is not None:
        return root
    try:
        return find_inner_root(None).path
    except GrantError as error:
        if error.reason is not ROOT_NOT_FOUND:
            raise
        typer.echo("note: there is no policy root here; these are the calls of all roots", err=True)
        return None


def _none_waits_text(root: str | None) -> str:
    """Say that there is no request, and where that was looked for."""
    return escape_message_to_one_line(f"no call {f'of {root} ' if root is not None else ''}waits for a human")


def _request_rows(root: str | None, *, json: bool, every: bool) -> "Iterator[Row]":
    from cortex_policy.cli.output.approvals import make_request_row, request_to_json  # noqa: PLC0415 - as above
    from cortex_policy.manage.approvals import list_waiting_and_answered_requests  # noqa: PLC0415

    for one in list_waiting_and_answered_requests(root):
        line = (
            to_escaped_json(request_to_json(one))
            if json
            else "\t".join(map(escape_unprintable, make_request_row(one, every=every)))
        )
        yield one.id, one.status, line


def _request_screen(root: str | None, height: int, *, every: bool) -> "Group":
    import shutil  # noqa: PLC0415 - only a terminal needs these

    from rich.console import Group  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from cortex_policy.cli.output.approvals import make_request_columns, make_request_row  # noqa: PLC0415 - as above
    from cortex_policy.cli.output.fitted_table import make_fitted_table  # noqa: PLC0415
    from cortex_policy.manage.approvals import list_waiting_and_answered_requests  # noqa: PLC0415

    requests = list_waiting_and_answered_requests(root)
    more = len(requests) - height
    rows = [
        [Text(escape_unprintable(cell)) for cell in make_request_row(one, every=every)] for one in requests[-height:]
    ]
    last = f"q ends; {more} earlier" if more > 0 else "q ends" if requests else f"{_none_waits_text(root)}; q ends"
    table = make_fitted_table(make_request_columns(every=every), rows, shutil.get_terminal_size().columns)
    return Group(table, Text(last, style="dim"))
