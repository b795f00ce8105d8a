"""Refuse a text that is not a valid grant, with the place of its first error."""

from cortex_policy.core.decode import HOOKS, decode
from cortex_policy.core.hooks.rules_text import decode_rules_text
from cortex_policy.core.model import GRANT_INVALID, GrantError
from cortex_policy.state import Root
from cortex_policy.state.grants_errors import root_option


def require_valid_text(root: Root, name: str, data: bytes, hint: str) -> None:
    """Raise GrantError (21) with a hint unless a text decodes as what its file must be: a grant or `hooks.toml`."""
    if name != HOOKS:
        require_valid_grant(root, name, data, hint)
        return
    try:
        decode_rules_text(data)
    except GrantError as error:
        raise GrantError(GRANT_INVALID, f"`{root.policy}/{HOOKS}`: {error.detail}", hint) from None


def require_valid_grant(root: Root, grant_id: str, data: bytes, hint: str = "") -> None:
    """Raise GrantError (21) unless a text decodes; its hint is to edit the grant, if none is given."""
    try:
        decode(data, grant_id)
    except GrantError:
        from cortex_policy.schema.lint import lint_grant  # noqa: PLC0415 - a valid grant needs no rules
        from cortex_policy.schema.problems import locate_problems  # noqa: PLC0415

        first, *more = locate_problems(f"{root.tools}/{grant_id}.json", data, lint_grant(data, grant_id)[1])
        others = f" (and {len(more)} more)" if more else ""
        detail = f"`{first.file}:{first.line}:{first.column}`: {first.message}{others}"
        hint = hint or f"fix it with `cortex-policy edit {grant_id}{root_option(root)}`"
        raise GrantError(GRANT_INVALID, detail, hint) from None
