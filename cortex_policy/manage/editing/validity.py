"""What is wrong with the text of a grant or of `hooks.toml`; an invalid one is refused with its first error."""

from cortex_policy.core.decode import HOOKS
from cortex_policy.core.model import GRANT_INVALID, GrantError
from cortex_policy.manage.transaction.record import is_valid_text
from cortex_policy.state import Root
from cortex_policy.state.grants_errors import root_option
from cortex_policy.state.policy_files import path_below_policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.schema.problems import Problem


def require_valid_text(root: Root, name: str, data: bytes, hint: str = "") -> None:
    """Raise GrantError (21) unless a text decodes as what its file must be; without a hint its hint is to edit it."""
    if is_valid_text(name, data):
        return
    first, *more = find_text_problems(name, data, f"{root.policy}/{path_below_policy(name)}")
    others = f" (and {len(more)} more)" if more else ""
    detail = f"`{first.file}:{first.line}:{first.column}`: {first.message}{others}"
    words = "hook edit" if name == HOOKS else f"edit {name}"
    hint = hint or f"fix it with `cortex-policy {words}{root_option(root)}`"
    raise GrantError(GRANT_INVALID, detail, hint)


def find_text_problems(name: str, data: bytes, file: str = "") -> "tuple[Problem, ...]":
    """Return what `validate` says of a text alone; the file is named by its base name, if by nothing else."""
    file = file or path_below_policy(name).rpartition("/")[2]
    if name == HOOKS:
        return _find_rules_problems(data, file)
    from cortex_policy.schema.lint import lint_grant  # noqa: PLC0415 - a valid grant needs no rules
    from cortex_policy.schema.problems import locate_problems  # noqa: PLC0415

    return locate_problems(file, data, lint_grant(data, name, name)[1])


def _find_rules_problems(data: bytes, file: str) -> "tuple[Problem, ...]":
    from cortex_policy.core.hooks.rules_text import decode_rules_text  # noqa: PLC0415 - as above
    from cortex_policy.schema.catalog import ERROR  # noqa: PLC0415
    from cortex_policy.schema.problems import Problem  # noqa: PLC0415

    try:
        decode_rules_text(data)
    except GrantError as error:
        return (Problem(file, 1, 1, 1, 1, "", "hooks-value", ERROR, error.detail),)
    return ()
