"""`fmt`: format grants in the canonical layout."""

from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption, WaitOption
from cortex_policy.cli.output.printing import print_json
from cortex_policy.cli.prompts import make_lock_wait_options_with_notice
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.state.grants_errors import format_root_option

if TYPE_CHECKING:
    from cortex_policy.manage.editing.results import FormatResult
    from cortex_policy.state import Root


@add_quiet_option
def fmt(
    grant_ids: Annotated[
        list[str] | None, typer.Argument(metavar="GRANTS", help="Ids of grants; default: all.", show_default=False)
    ] = None,
    root: RootOption = None,
    *,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 1 if a layout differs.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Like --check, and print the diff.")] = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Format grants in one canonical layout.

    Only white space changes. Each grant is one write, which `cortex-policy undo` can undo. An invalid grant is reported
    and skipped.

    $ cortex-policy fmt
    $ cortex-policy fmt git --diff
    $ cortex-policy fmt --check
    """
    from cortex_policy.manage.editing import operations, plans  # noqa: PLC0415 - only writers need it

    policy_root, names, is_dry = find_inner_root(root), tuple(grant_ids or ()), check or diff
    _print_unsafe_file_warnings(policy_root, names)
    results = []
    for result in (
        plans.preview_format_of_each_grant(policy_root, names)
        if is_dry
        else operations.format_and_write_each_grant(
            policy_root, names, make_lock_wait_options_with_notice(wait_seconds)
        )
    ):
        results.append(result)
        if not json:
            _print_result(result, with_diff=diff)
    if json:
        print_json({"grants": [_result_to_json(result) for result in results]})
    elif not any(result.differs or result.error for result in results):
        typer.echo("nothing to do: the layout is canonical" if results else "nothing to do: there are no grants")
    if code := max((result.error.exit_code for result in results if result.error), default=0):
        raise typer.Exit(code)
    if is_dry and any(result.differs for result in results):
        if not json:
            typer.echo(
                escape_message_to_one_line(f"hint: format with `cortex-policy fmt{format_root_option(policy_root)}`"),
                err=True,
            )
        raise typer.Exit(1)


def _print_unsafe_file_warnings(root: "Root", grant_ids: tuple[str, ...]) -> None:
    from cortex_policy.manage.unsafe_files import find_unsafe_grant_file_texts, summarize_unsafe_file_texts  # noqa: PLC0415 - as above

    for warning in summarize_unsafe_file_texts(find_unsafe_grant_file_texts(root, grant_ids)):
        typer.echo(escape_message_to_one_line(f"warning: {warning}"), err=True)


def _print_result(result: "FormatResult", *, with_diff: bool) -> None:
    from cortex_policy.cli.output.write_result import print_escaped_text, version_to_text  # noqa: PLC0415 - as above

    if result.error is not None:
        typer.echo(escape_message_to_one_line(f"{result.id}: {result.error}"), err=True)
        if result.error.hint:
            typer.echo(escape_message_to_one_line(f"hint: {result.error.hint}"), err=True)
    elif result.write is not None and result.write.is_written:
        typer.echo(f"formatted `{result.id}`, {version_to_text(result.write.version)}")
    elif result.write is not None and result.differs:
        typer.echo(f"`{result.id}` would be formatted", err=with_diff)
        print_escaped_text(result.write.diff if with_diff else "")


def _result_to_json(result: "FormatResult") -> dict[str, object]:
    from cortex_policy.manage.transaction.version_after_write import version_to_number_or_none  # noqa: PLC0415 - as above

    written = result.write
    return {
        "id": result.id,
        "differs": result.differs,
        "changed": written is not None and written.is_written,
        "version": version_to_number_or_none(written.version) if written is not None else None,
        "diff": written.diff if written is not None else None,
        "problem": result.error.detail if result.error is not None else None,
    }
