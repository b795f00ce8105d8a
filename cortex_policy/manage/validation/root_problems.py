"""Problems that appear only among several files: shared budgets, stamps, file modes and unexpected files."""

import os
from contextlib import suppress
from shlex import quote

from cortex_policy.core.decode import HOOKS_TOML, ID_HINT, parse_grant_file_name
from cortex_policy.core.model import GrantError
from cortex_policy.manage import editor_schema
from cortex_policy.manage.path_names import make_path_relative_if_below_cwd
from cortex_policy.manage.validation.targets import TOOLS_SUFFIX, format_root_option_for_cwd
from cortex_policy.schema.problems import Problem, UnlocatedProblem, locate_problems, make_file_problem
from cortex_policy.state import Root, git_ignore
from cortex_policy.state import stamp as stamps
from cortex_policy.state.atomic_write import TEMPORARY_PREFIX
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.grants_errors import make_hand_edit_hint
from cortex_policy.state.ledger_ring import join_tool_and_action_by_colon
from cortex_policy.state.policy_files import read_policy_file_or_none

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.manage.validation.grant_file import FileInspector, FileReport
    from cortex_policy.manage.validation.targets import ValidationTarget

    Pair = tuple[ValidationTarget, FileReport]

_POLICY_FILES = frozenset((
    "tools", "tests", "stamp.json", "history", "config.toml", HOOKS_TOML, "stop", ".lock", editor_schema.NAME,
))  # fmt: skip
_READ_BY_OTHERS = (".git", "README")  # what git and people keep anywhere
MAX_NAMED = 3
_MAX_GITIGNORE_BYTES = 1 << 16  # bytes of a file for git


def find_problems_of_grants_sharing_budgets(reports: "list[Pair]", inspector: "FileInspector") -> "Iterator[Problem]":
    """Find grants of one root that share the budget of an action."""
    first: dict[str, str] = {}  # the grant that has a budget first
    for target, one in reports:
        shared: dict[str, str] = {}  # the first of the budgets that are another's as well
        for key in [join_tool_and_action_by_colon(one.tool, action) for action in one.actions]:
            shared.setdefault(first.setdefault(key, target.id), key)
        shared.pop(target.id, None)
        for other, key in sorted(shared.items()):
            message = f"it shares the budget `{key}` with `{other}`"
            problem = UnlocatedProblem(
                "budget-shared", message, "name another tool, if each should have a budget of its own", "/tool"
            )
            with suppress(OSError, GrantError):  # removed or changed since it was inspected
                data = inspector.read(target)
                yield from locate_problems(target.shown, data, [problem])


def find_root_problems(path: str, reports: "list[Pair]") -> "Iterator[Problem]":
    """Find the problems of a root as a whole, besides those of its grants."""
    root = Root(path, trusts_owner=True)
    if not reports:
        hint = f"make one with `cortex-policy new ID{format_root_option_for_cwd(path)}`"
        yield make_file_problem(
            make_path_relative_if_below_cwd(root.tools_path), "file-none", "there are no grants in it", hint
        )
    yield from _find_stray_files(root)
    yield from _find_gitignore_problems(root)
    yield from _find_schema_problems(root)
    yield from _find_stamp_problems(root, reports)


def _find_stray_files(root: Root) -> "Iterator[Problem]":
    for directory, is_known in ((root.policy_path, _is_policy_file), (root.tools_path, _is_grant)):
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError:
            continue  # reported elsewhere as unreadable
        for entry in entries:
            if not entry.name.startswith((TEMPORARY_PREFIX, *_READ_BY_OTHERS)) and not is_known(entry.name):
                yield _stray_problem(entry)


def _is_policy_file(name: str) -> bool:
    return name in _POLICY_FILES


def _is_grant(name: str) -> bool:
    return bool(parse_grant_file_name(name))


def _stray_problem(entry: "os.DirEntry[str]") -> Problem:
    path, name = make_path_relative_if_below_cwd(entry.path), entry.name
    if name.startswith(".edit-"):
        return make_file_problem(
            path, "file-stray", "a session of `edit` left its text here", f"look at it, then `rm {quote(path)}`"
        )
    if name.endswith(".json") and os.path.dirname(entry.path).endswith(TOOLS_SUFFIX):
        is_taken = name == f"{HOOKS_TOML}.json"
        hint = f"rename the grant: `{HOOKS_TOML}` has the rules of agents' hooks" if is_taken else ID_HINT
        return make_file_problem(path, "file-name", "no check can name it", hint)
    message = "nothing below it is read" if entry.is_dir(follow_symlinks=False) else "it is not read"
    return make_file_problem(
        path, "file-stray", message, "a grant is `.cortex/policy/tools/<id>.json`; move it there, or away"
    )


def _find_gitignore_problems(root: Root) -> "Iterator[Problem]":
    """Find lines that the `.gitignore` of a policy directory lacks, if there is one."""
    text = None
    with suppress(FileNotFoundError, GrantError), PolicyDirectory(TrustCheck(root)) as policy:
        text = policy.read(git_ignore.NAME, _MAX_GITIGNORE_BYTES).decode("utf-8", "replace")
    if text is not None and (missing := git_ignore.find_unignored_names(text)):
        file = make_path_relative_if_below_cwd(f"{root.policy_path}/{git_ignore.NAME}")
        names = ", ".join(f"`{name}`" for name in missing)
        lines = " ".join(map(quote, missing))
        yield make_file_problem(
            file, "file-ignore", f"it does not ignore {names}", f"add them: `printf '%s\\n' {lines} >> {quote(file)}`"
        )


def _find_schema_problems(root: Root) -> "Iterator[Problem]":
    """Find an installed schema for editors that is not the one of this version."""
    file = make_path_relative_if_below_cwd(f"{root.policy_path}/{editor_schema.NAME}")
    try:
        installed = editor_schema.read_schema_of_root_or_none(root)
    except GrantError as error:
        yield make_file_problem(file, "file-schema", error.detail, error.hint)
        return
    if installed not in (None, editor_schema.read_packaged_schema()):
        hint = f"write it again with `cortex-policy schema --install{format_root_option_for_cwd(root.path)}`"
        yield make_file_problem(file, "file-schema", "it is not the schema of this version", hint)


def _find_stamp_problems(root: Root, reports: "list[Pair]") -> "Iterator[Problem]":
    """Find a stamp that is broken or missing, and each file that differs from its stamp."""
    file = make_path_relative_if_below_cwd(stamps.make_stamp_path(root.path))
    command = f"`cortex-policy stamp write{format_root_option_for_cwd(root.path)}`"
    try:
        stamp = stamps.read_stamp(root)
    except GrantError as error:
        yield make_file_problem(file, "stamp-broken", error.detail, error.hint)
        return
    if stamp is None:
        if reports:
            yield make_file_problem(file, "stamp-missing", "there is no stamp", f"write one with {command}")
        return
    digests = {target.id: one.digest for target, one in reports}
    names = {target.id: target.shown for target, _ in reports}
    with suppress(GrantError):  # a link, which is reported elsewhere
        if (hooks := read_policy_file_or_none(root, HOOKS_TOML)) is not None:
            digests[HOOKS_TOML] = stamps.compute_content_digest(hooks)
            names[HOOKS_TOML] = make_path_relative_if_below_cwd(f"{root.policy_path}/{HOOKS_TOML}")
    for grant_id in sorted({*digests, *stamp.digests, *stamp.pending}):
        if not stamp.accepts(grant_id, digests.get(grant_id)):
            what = "is stamped, and is not there" if grant_id not in names else "does not match its stamp"
            hint = make_hand_edit_hint(format_root_option_for_cwd(root.path), grant_id)
            yield make_file_problem(names.get(grant_id, file), "stamp-differs", f"`{grant_id}` {what}", hint)
