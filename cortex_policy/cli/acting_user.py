"""The option with which root acts as another user, and how a command does what it does as that user."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.command_errors import Invocation, run_to_exit_code

if TYPE_CHECKING:
    from collections.abc import Callable

UserOption = Annotated[
    str | None, typer.Option("--user", metavar="NAME", help="Use the budgets of this user (root only).")
]


def run_as_user_or_exit(
    name: str | None, command: "Callable[[], None]", *, changes: bool = False, json: bool = False
) -> None:
    """Run what a command does as a user, by name or number; None is the caller.

    `changes` says whether it does more than print, `json` whether programs read its output. Its exit code becomes the
    code of this command.
    """
    from cortex_policy.manage.other_user import find_user_by_name_or_number, run_function_in_child_as_user  # noqa: PLC0415 - only with the option

    user = find_user_by_name_or_number(name) if name is not None else None
    if user is None or user.uid == os.geteuid():
        command()
        return

    def run() -> int:
        """Run the command; its child has exit code 0 unless it raises."""
        command()
        return 0

    code = run_function_in_child_as_user(
        user, run, lambda inner: run_to_exit_code(inner, Invocation(changes=changes, is_json=json))
    )
    if code:
        raise typer.Exit(code)
