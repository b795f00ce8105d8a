"""The questions of `new`: one for each missing option, asked until the answer is valid."""

from typing import TYPE_CHECKING

import typer

from cortex_policy.cli.prompts import ask_text
from cortex_policy.core.model import UsageError
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.manage.editing.new_grant import format_new_grant
from cortex_policy.manage.editing.set_fields import GrantEdit

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_RATE = "30"


def ask_missing_fields(grant_id: str, edit: GrantEdit) -> GrantEdit:
    """Ask for each missing field; raise NotDoneError at the end of input."""
    tool = (
        edit.tool
        if edit.tool is not None
        else _ask_until_valid("tool", grant_id, lambda word: GrantEdit(tool=word)).tool
    )
    allow = edit.allow or _ask_until_valid("actions it may do, such as read write", "", _parse_actions).allow
    scopes = (
        edit.add_scopes
        or _ask_until_valid("below which paths, from the root (none: any path)", "", _parse_scopes).add_scopes
    )
    per_minute = (
        edit.per_minute
        if edit.per_minute is not None
        else _ask_until_valid("calls a minute, of each action", DEFAULT_RATE, _parse_rate).per_minute
    )
    data_class = edit.data_class
    if data_class is None:
        data_class = _ask_until_valid("data: public, internal or sensitive", "internal", _parse_data_class).data_class
    return GrantEdit(per_minute, data_class, tool, allow, add_scopes=scopes, declare=edit.declare)


def _ask_until_valid(question: str, default: str, read: "Callable[[str], GrantEdit]") -> GrantEdit:
    while True:
        try:
            answer = read(ask_text(question, default))
            format_new_grant(answer)
        except UsageError as error:
            for line in (error.detail, *([f"hint: {error.hint}"] if error.hint else [])):
                typer.echo(escape_message_to_one_line(line), err=True)
        else:
            return answer


def _parse_actions(line: str) -> GrantEdit:
    if not _split_words(line):
        raise UsageError("name at least one action", "Ctrl-D cancels")
    return GrantEdit(allow=_split_words(line))


def _parse_scopes(line: str) -> GrantEdit:
    return GrantEdit(add_scopes=_split_words(line))


def _parse_rate(line: str) -> GrantEdit:
    try:
        return GrantEdit(per_minute=int(line))
    except ValueError:
        raise UsageError("a rate is an integer of at least 1") from None


def _parse_data_class(line: str) -> GrantEdit:
    return GrantEdit(data_class=line)


def _split_words(line: str) -> tuple[str, ...]:
    """Split a line at spaces and commas."""
    return tuple(line.replace(",", " ").split())
