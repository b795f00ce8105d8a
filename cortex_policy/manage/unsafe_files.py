"""Files of a root that others than its owner could change: `check` refuses them, other commands warn."""

import os
from contextlib import suppress
from shlex import quote

from cortex_policy.core.model import GrantError
from cortex_policy.manage.path_names import make_path_relative_if_below_cwd
from cortex_policy.schema.problems import Problem, make_file_problem
from cortex_policy.state import Root, make_dot_cortex_path
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.possible_writers import NAMESPACE_HINT, OWNER, UNKNOWN, WRITERS, can_group_write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from cortex_policy.state.possible_writers import TrustProblem

MAX_NAMED = 3


def find_permission_problems(root: Root, files: list[str], of_files: "Iterable[TrustProblem]") -> "Iterator[Problem]":
    """Find what others could change, with one command to fix each kind; `of_files` are those of the grants."""
    trust = TrustCheck(root)
    try:
        with PolicyDirectory(trust, "tools"):
            pass
    except FileNotFoundError:
        return
    except GrantError as error:
        yield make_file_problem(
            make_path_relative_if_below_cwd(make_dot_cortex_path(root.path)),
            "file-unreadable",
            error.detail,
            error.hint,
        )
        return
    found = [*trust.problems, *of_files]  # reading a file opens its directories too
    for kind, what in (
        (WRITERS, "can be changed by others"),
        (OWNER, "is somebody else's"),
        (UNKNOWN, "has an owner that this user namespace cannot distinguish from others"),
    ):
        paths = list(dict.fromkeys(problem.path for problem in found if problem.kind == kind))
        if paths:
            message = f"{_format_first_paths(paths)} {what}, and `check` refuses that"
            yield make_file_problem(
                make_path_relative_if_below_cwd(paths[0]), "file-unsafe", message, _fix_hint(root, kind, paths)
            )
    yield from find_group_writer_problems(root, files, {problem.path for problem in found})


def summarize_unsafe_file_texts(faults: list[str]) -> list[str]:
    """Return one sentence about files that a check would refuse, if any; `faults` are sentences of a `TrustCheck`."""
    if not faults:
        return []
    more = f" (and {len(faults) - 1} more: `cortex-policy validate`)" if len(faults) > 1 else ""
    return [f"{faults[0]}{more}, and `check` refuses that"]


def find_unsafe_grant_file_texts(root: Root, grant_ids: tuple[str, ...] = ()) -> list[str]:
    """Return what is unsafe about these grants, or about all; files that cannot be opened are left out."""
    trust = TrustCheck(root)
    with suppress(FileNotFoundError, GrantError), PolicyDirectory(trust, "tools") as tools:
        for grant_id in grant_ids or tools.grant_ids():
            with suppress(FileNotFoundError, GrantError):
                tools.read(f"{grant_id}.json", 0)
    return trust.sentences


def _format_first_paths(paths: list[str]) -> str:
    """Return the first few paths, and the number of the others."""
    more = f" and {len(paths) - MAX_NAMED} more" if len(paths) > MAX_NAMED else ""
    return ", ".join(f"`{make_path_relative_if_below_cwd(path)}`" for path in paths[:MAX_NAMED]) + more


def _fix_hint(root: Root, kind: str, paths: list[str]) -> str:
    if kind == UNKNOWN:
        return NAMESPACE_HINT
    command = "chmod go-w" if kind == WRITERS else f"chown {os.geteuid()}"
    fixing = f"fix it with `{_fix_command(command, root.path, paths)}`"
    if kind == OWNER and {_owner_uid(path) for path in paths} == {_owner_uid(root.path)}:
        return f"name the root for `check`: `--root {quote(root.path)}`; or {fixing}"
    return fixing


def _owner_uid(path: str) -> int:
    """Return the uid of the owner of a path, -1 if the path does not exist."""
    try:
        return os.lstat(path).st_uid
    except OSError:
        return -1


def _fix_command(command: str, root: str, paths: list[str]) -> str:
    if len(paths) <= MAX_NAMED:
        return f"{command} {' '.join(quote(make_path_relative_if_below_cwd(path)) for path in paths)}"
    program, word = command.split(" ")
    every = f"{program} -R {word} {quote(make_path_relative_if_below_cwd(make_dot_cortex_path(root)))}"
    return f"{every} && {command} {quote(make_path_relative_if_below_cwd(root))}" if root in paths else every


def _root_directories(root: Root) -> "Iterator[str]":
    yield from (root.path, make_dot_cortex_path(root.path), root.policy_path, root.tools_path)


def find_group_writer_problems(root: Root, files: list[str], known: "Container[str]" = ()) -> "Iterator[Problem]":
    """Report other members of the private groups that may write what is not known as unsafe: no check looks them up."""
    from cortex_policy.state.users import find_user_name_or_empty  # noqa: PLC0415 - as in `find_names_of_group_members`

    groups: dict[int, str] = {}
    for path in (*_root_directories(root), *files):
        with suppress(OSError, ValueError):
            status = os.lstat(path)
            if path not in known and can_group_write(path, status):
                groups.setdefault(status.st_gid, path)
    for gid, path in groups.items():
        others = sorted(
            find_names_of_group_members(gid) - {find_user_name_or_empty(uid) for uid in (0, gid, os.geteuid())}
        )
        if others:
            named = ", ".join(f"`{name}`" for name in others[:MAX_NAMED])
            more = f" and {len(others) - MAX_NAMED} more" if len(others) > MAX_NAMED else ""
            message = f"{named}{more} can change the file: the group {gid} may write it, and has these members"
            hint = f"take this right from the group with `{_fix_command('chmod go-w', root.path, [path])}`"
            yield make_file_problem(make_path_relative_if_below_cwd(path), "file-unsafe", message, hint)


def find_names_of_group_members(gid: int) -> set[str]:
    """Return the names of the users in a group, including those whose primary group it is."""
    import grp  # noqa: PLC0415 - only if a group may write
    import pwd  # noqa: PLC0415

    try:
        listed = set(grp.getgrgid(gid).gr_mem)
    except (KeyError, OSError):
        listed = set()
    return listed | {user.pw_name for user in pwd.getpwall() if user.pw_gid == gid}
