"""The input of the rules: a grant with its document."""

from typing import Any, NamedTuple

from cortex_policy.core.model import Grant


class LintSubject(NamedTuple):
    """A decoded grant document and its grant, which knows the id of its file, '' if it has none.

    `id_in_commands` is how a command that changes it would name it; `root` is the directory its scopes start at, ''
    if that is not known; `prefixes` are its scopes as they are compared, None for one that never matches. There are
    thousands of these: a `Value` takes five times as long.
    """

    document: dict[str, Any]
    grant: Grant
    id_in_commands: str
    prefixes: tuple[str | None, ...]
    root: str = ""
