"""The questions of `new`: one for each option that was not given, asked again until the answer fits."""

from typing import TYPE_CHECKING

import typer

from cortex_policy.cli.prompts import is_attended, told
from cortex_policy.core.model import UsageError
from cortex_policy.core.text import printable
from cortex_policy.manage.editing.operations import new_grant_text
from cortex_policy.manage.editing.set_fields import GrantEdit

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["answered", "is_attended"]
RATE = "30"


def answered(grant_id: str, said: GrantEdit) -> GrantEdit:
    """Ask for what was not said; raise NotDone at the end of input."""
    tool = said.tool if said.tool is not None else _asked("tool", grant_id, lambda word: GrantEdit(tool=word)).tool
    allow = said.allow or _asked("actions it may do, such as read write", "", _actions).allow
    scopes = said.add_scopes or _asked("below which paths, from the root (none: any path)", "", _scopes).add_scopes
    rate = said.rate if said.rate is not None else _asked("calls a minute, of each action", RATE, _rate).rate
    data_class = said.data_class
    if data_class is None:
        data_class = _asked("data: public, internal or sensitive", "internal", _data_class).data_class
    return GrantEdit(rate, data_class, tool, allow, add_scopes=scopes)


def _asked(question: str, default: str, read: "Callable[[str], GrantEdit]") -> GrantEdit:
    while True:
        try:
            answer = read(told(question, default))
            new_grant_text(answer)
        except UsageError as error:
            for line in (error.detail, *([f"hint: {error.hint}"] if error.hint else [])):
                typer.echo(printable(line), err=True)
        else:
            return answer


def _actions(line: str) -> GrantEdit:
    if not _words(line):
        raise UsageError("name at least one action", "Ctrl-D cancels")
    return GrantEdit(allow=_words(line))


def _scopes(line: str) -> GrantEdit:
    return GrantEdit(add_scopes=_words(line))


def _rate(line: str) -> GrantEdit:
    try:
        return GrantEdit(rate=int(line))
    except ValueError:
        raise UsageError("a rate is an integer of at least 1") from None


def _data_class(line: str) -> GrantEdit:
    return GrantEdit(data_class=line)


def _words(line: str) -> tuple[str, ...]:
    """Read words apart by blanks or commas."""
    return tuple(line.replace(",", " ").split())
