"""What is wrong with the text of a grant or of `hooks.toml`; an invalid one is refused with its first error."""

from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.core.model import GRANT_INVALID, GrantError
from cortex_policy.state import Root
from cortex_policy.state.grants_errors import format_root_option
from cortex_policy.state.policy_files import is_valid_policy_text, make_file_path_below_policy_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.schema.problems import Problem


def require_valid_policy_text(root: Root, name: str, data: bytes, hint: str = "") -> None:
    """Raise GrantError (21) unless a text decodes as what its file must be; without a hint its hint is to edit it."""
    if is_valid_policy_text(name, data):
        return
    first, *more = find_policy_text_problems(
        name, data, f"{root.policy_path}/{make_file_path_below_policy_directory(name)}"
    )
    others = f" (and {len(more)} more)" if more else ""
    detail = f"`{first.file}:{first.line}:{first.column}`: {first.message}{others}"
    words = "hook edit" if name == HOOKS_TOML else f"edit {name}"
    hint = hint or f"fix it with `cortex-policy {words}{format_root_option(root)}`"
    raise GrantError(GRANT_INVALID, detail, hint)


def find_policy_text_problems(name: str, data: bytes, file: str = "") -> "tuple[Problem, ...]":
    """Return what `validate` says of a text alone; the file is named by its base name, if by nothing else."""
    from cortex_policy.schema.hook_rules import decode_and_lint_hook_rules  # noqa: PLC0415 - a valid text needs no rules
    from cortex_policy.schema.lint import decode_and_lint_grant  # noqa: PLC0415
    from cortex_policy.schema.problems import locate_problems  # noqa: PLC0415

    _, problems = decode_and_lint_hook_rules(data) if name == HOOKS_TOML else decode_and_lint_grant(data, name, name)
    return locate_problems(file or make_file_path_below_policy_directory(name).rpartition("/")[2], data, problems)
