"""Commands that an operator can type to let a denied call pass."""

from cortex_policy.core.engine import (
    find_matching_scope,
    find_path_syntax_problem_text_or_empty,
    strip_scope_slash_or_none,
)
from cortex_policy.core.model import WAITING
from cortex_policy.core.text import escape_unprintable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cortex_policy.core.model import Decision, Grant

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@+-")  # safe in any shell

_MAX_SCOPES = 20  # in one command
_MAX_LENGTH = 1000  # characters


def quote_for_shell(word: str) -> str:
    """Quote a word for a shell, but only if it needs that."""
    if word and _BARE.issuperset(word):
        return word
    from shlex import quote  # noqa: PLC0415 - 10 ms, and few words need it

    return quote(word)


def _is_typable(*words: str) -> bool:
    """Whether words can be shown unchanged, and are short enough to type."""
    return sum(map(len, words)) <= _MAX_LENGTH and all(word == escape_unprintable(word) for word in words)


def format_program_command(*words: str) -> str:
    """Return a command of this program, '' if a word of it cannot be typed."""
    return " ".join(("cortex-policy", *map(quote_for_shell, words))) if _is_typable(*words) else ""


def format_set_command(grant_id: str, option: str, values: "Sequence[str]") -> str:
    """Return the command that sets these values of a grant, '' if there are none or one cannot be typed."""
    if not values or (option == "allow" and "," in "".join(values)):  # `set` takes that for several actions
        return ""
    return format_program_command("set", grant_id, *make_option_words(option, values))


def make_option_words(option: str, values: "Sequence[str]") -> list[str]:
    """Return an option once for each value; one that begins with a dash would be read as an option."""
    words: list[str] = []
    for value in values:
        words += [f"--{option}={value}"] if value[:1] == "-" else [f"--{option}", value]
    return words


def append_root_option(text: str, root: str | None) -> str:
    """Return a command with its root as an option, '' if there is no command or the root cannot be typed."""
    if not text or root is None:
        return text
    return f"{text} --root {quote_for_shell(root)}" if _is_typable(root) else ""


def suggest_scopes_to_allow(grant: "Grant", decision: "Decision") -> list[str]:
    """Return the scopes that would allow every path of the call; none if there are no such scopes, or too many."""
    missing: dict[str, None] = {}
    for path, _ in decision.paths:
        for relative in (path.normalized, path.resolved_inside):
            if (
                relative is None
                or strip_scope_slash_or_none(relative) != relative
                or find_path_syntax_problem_text_or_empty(path.given)
                or path.error
            ):
                return []  # it is outside the root, or is denied for its spelling
            if find_matching_scope((*grant.fs_scope, *missing), relative) is None:
                missing[relative] = None
        if len(missing) > _MAX_SCOPES:
            return []
    return list(missing)


def format_approve_command(decision: "Decision") -> str:
    """Return the command that approves a waiting call, '' if the call does not wait."""
    approval = decision.approval
    return format_program_command("approve", approval.id) if approval is not None and approval.status == WAITING else ""


def make_approval_hint(decision: "Decision") -> str:
    """Return a hint for a call that no human has approved."""
    approval = decision.approval
    if approval is None:
        return (
            "see what waits with `cortex-policy approvals`"
            if decision.detail
            else "`check` asks a human for the approval"
        )
    if approval.status == WAITING:
        return f"an operator approves it with `{format_approve_command(decision)}`; `--wait` waits for that"
    return f"a human can be asked again in {int(approval.expires_in_seconds) + 1} seconds"
