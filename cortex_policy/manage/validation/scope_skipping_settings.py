"""Notes about grants with `fsScope` that allow calls in which no scope is checked, as the settings are."""

from cortex_policy.core.model import GrantError
from cortex_policy.core.text import join_words_that_fit
from cortex_policy.manage.path_names import make_path_relative_if_below_cwd
from cortex_policy.manage.validation.targets import format_root_option_for_cwd
from cortex_policy.schema.problems import Problem, make_file_problem
from cortex_policy.state import make_policy_directory_path
from cortex_policy.state.settings import read_uncached_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_NAMED = 3


def find_scope_skipping_setting_problems(path: str, scoped: list[str]) -> "Iterator[Problem]":
    """Note what the settings of a root let these grants allow: calls without a path, and undeclared arguments."""
    if not scoped:
        return
    try:
        settings = read_uncached_settings(path)
    except GrantError:  # reported elsewhere: every check is denied
        return
    others = f" and {len(scoped) - _MAX_NAMED} more" if len(scoped) > _MAX_NAMED else ""
    grants = join_words_that_fit([f"`{grant_id}`" for grant_id in scoped[:_MAX_NAMED]]) + others
    file, end = (
        make_path_relative_if_below_cwd(f"{make_policy_directory_path(path)}/tools"),
        format_root_option_for_cwd(path),
    )
    if not settings.require_path:
        message = f"a call that names no path is allowed, whatever `fsScope` says: {grants}"
        hint = f"deny it with `cortex-policy config set require_path true --project{end}`, or `check --require-path`"
        yield make_file_problem(file, "scope-no-path", message, hint)
    if settings.undeclared_args == "allow":
        message = f"arguments that `args` does not declare are allowed, and only names tell which are paths: {grants}"
        hint = f"deny them with `cortex-policy config set undeclared_args deny --project{end}`"
        yield make_file_problem(file, "arg-undeclared", message, hint)
