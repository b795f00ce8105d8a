"""`fmt`: format grants in the canonical layout."""

from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.options import JsonOption, RootOption
from cortex_policy.cli.output.table import print_json
from cortex_policy.cli.prompts import WaitOption, lock_wait
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.text import printable
from cortex_policy.state.grants_errors import root_option

if TYPE_CHECKING:
    from cortex_policy.manage.editing.operations import FormatResult
    from cortex_policy.state import Root


def fmt(
    grant_ids: Annotated[
        list[str] | None, typer.Argument(metavar="GRANTS", help="Ids of grants, else all.", show_default=False)
    ] = None,
    root: RootOption = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a layout differs.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Like --check, and print the diff.")] = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Format grants in one canonical layout.

    Only white space changes. Each grant is a write of its own. An invalid grant is reported and skipped.

    $ cortex-policy fmt
    $ cortex-policy fmt git --diff
    $ cortex-policy fmt --check
    """
    from cortex_policy.manage.editing import operations  # noqa: PLC0415 - only writers need it

    found, names, is_dry = find_inner_root(root), tuple(grant_ids or ()), check or diff
    _print_warnings(found, names)
    seen = []
    for laid in (
        operations.preview_format(found, names)
        if is_dry
        else operations.format_grants(found, names, lock_wait(wait_seconds))
    ):
        seen.append(laid)
        if not json:
            _print_result(laid, with_diff=diff)
    if json:
        print_json({"grants": [_result_to_json(laid) for laid in seen]})
    elif not any(laid.differs or laid.error for laid in seen):
        typer.echo("nothing to do: the layout is canonical" if seen else "nothing to do: there are no grants")
    if code := max((laid.error.exit_code for laid in seen if laid.error), default=0):
        raise typer.Exit(code)
    if is_dry and any(laid.differs for laid in seen):
        if not json:
            typer.echo(printable(f"hint: format with `cortex-policy fmt{root_option(found)}`"), err=True)
        raise typer.Exit(1)


def _print_warnings(root: "Root", grant_ids: tuple[str, ...]) -> None:
    from cortex_policy.manage.unsafe_files import permission_warnings, unsafe_warning  # noqa: PLC0415 - as above

    for warning in unsafe_warning(permission_warnings(root, grant_ids)):
        typer.echo(printable(f"warning: {warning}"), err=True)


def _print_result(laid: "FormatResult", *, with_diff: bool) -> None:
    from cortex_policy.cli.confirm import print_grant_text, version_text  # noqa: PLC0415 - as above

    if laid.error is not None:
        typer.echo(printable(f"{laid.id}: {laid.error}"), err=True)
        if laid.error.hint:
            typer.echo(printable(f"hint: {laid.error.hint}"), err=True)
    elif laid.result is not None and laid.result.is_written:
        typer.echo(f"formatted `{laid.id}`, {version_text(laid.result.version)}")
    elif laid.result is not None and laid.differs:
        typer.echo(f"`{laid.id}` would be formatted", err=with_diff)
        print_grant_text(laid.result.diff if with_diff else "")


def _result_to_json(laid: "FormatResult") -> dict[str, object]:
    written = laid.result
    return {
        "id": laid.id,
        "differs": laid.differs,
        "changed": written is not None and written.is_written,
        "version": written.version if written is not None else None,
        "diff": written.diff if written is not None else None,
        "problem": laid.error.detail if laid.error is not None else None,
    }
