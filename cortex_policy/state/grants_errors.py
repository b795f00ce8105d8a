"""What to do about roots and grants that cannot be found or trusted: loaded only if something failed."""

import errno
import os
from shlex import quote as quoted

from cortex_policy.core.closest_match import find_closest_word
from cortex_policy.core.decode import HOOKS_TOML, ID_HINT, MAX_BYTES, is_grant_id, parse_grant_file_name
from cortex_policy.core.model import (
    GRANT_INVALID,
    GRANT_NOT_FOUND,
    GRANT_UNSAFE,
    ROOT_AMBIGUOUS,
    ROOT_NOT_FOUND,
    GrantError,
)
from cortex_policy.core.text import format_guess_hint, format_os_error_cause
from cortex_policy.state import OPEN_FILES_HINT, Root, make_policy_directory_path, sha256
from cortex_policy.state.possible_writers import NAMESPACE_HINT, OWNER, UNKNOWN, WRITERS
from cortex_policy.state.users import format_replace_by_copy_command, format_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.state.possible_writers import TrustProblem

MAX_SHOWN_IDS = 20  # known ids in a hint
MAX_SHOWN_ROOTS = 3
_MOUNTED = (
    "it is mounted from a ConfigMap or Secret, which holds links: let an init container copy the files, or mount each "
    "with `subPath` and `defaultMode: 0444`"
)
_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_LINKS = (errno.ELOOP, errno.EMLINK)
_WRONG_KINDS = (errno.ENOTDIR, errno.ENXIO)


def format_root_option(root: Root) -> str:
    """Return the option with which a command finds this root, '' if it needs none."""
    return f" --root {quoted(root.path)}" if root.is_explicit else ""


def make_hand_edit_hint(where: str, grant_id: str = "") -> str:
    """Return what to do about grants, or one, that differ from their stamp; `where` is the option for the root."""
    one = f" {grant_id}" if grant_id else ""
    return (
        f"see it with `cortex-policy diff{one} --against stamp{where}`; take it back with "
        f"`cortex-policy undo{one}{where}`, or accept it with `cortex-policy stamp write{where}`"
    )


def make_missing_or_ambiguous_root_error(here: str, roots: list[str]) -> GrantError:
    """Return the error for no root above the working directory, or more than one."""
    if roots:
        pins = " or ".join(f"`--root {quoted(root)}`" for root in roots[:MAX_SHOWN_ROOTS])
        hint = f"name one with {pins}, or with CORTEX_POLICY_ROOT; a check never chooses"
        return GrantError(ROOT_AMBIGUOUS, " and ".join(f"`{root}`" for root in roots), hint)
    hint = "make one there with `cortex-policy init`, or name the root with `--root DIR` or CORTEX_POLICY_ROOT"
    if "PRE_COMMIT" in os.environ:  # its hooks run at the top of a repository, where no second root must be made
        words = " or ".join(f"`args: [--root, {_quote_yaml(root)}]`" for root in _roots_below(here) or ["DIR"])
        hint = f"name the root of the hook in .pre-commit-config.yaml: {words}"
    return GrantError(ROOT_NOT_FOUND, f"neither `{here}` nor a directory above it holds .cortex/policy", hint)


def _quote_yaml(word: str) -> str:
    """Return a word for a list in YAML: in double quotes unless it is a plain name."""
    if word.isascii() and word.replace("/", "").replace("_", "").replace("-", "").replace(".", "").isalnum():
        return word
    from json import dumps  # noqa: PLC0415 - few names need it

    return dumps(word)


def _roots_below(here: str, depth: int = 3) -> list[str]:
    """Return the first few roots at most `depth` directories below `here`, relative to it: one of them may be meant."""
    roots: list[str] = []
    for directory, below, _ in os.walk(here):
        name = os.path.relpath(directory, here)
        if ".cortex" in below and os.path.isdir(make_policy_directory_path(directory)):
            roots.append(name)
        is_deep = name != os.curdir and name.count("/") + 1 >= depth
        below[:] = [] if is_deep else sorted(each for each in below if not each.startswith("."))
        if len(roots) >= MAX_SHOWN_ROOTS:
            break
    return roots


def make_unsafe_grant_error(
    root: str, problems: "list[TrustProblem]", stranger: int | None, path: str, kind: str, error: OSError | None
) -> GrantError:
    """Return the error (grant_unsafe) for all problems, with one command that fixes those that a command can fix.

    If the root belongs to a `stranger`, and nothing else is wrong, it is enough to name it. A `path` is an object that
    is no `kind`, or that failed with `error`.
    """
    faults, commands, advice = list(dict.fromkeys(problem.sentence for problem in problems)), [], []
    if error is not None and error.errno == errno.EACCES and (hint := _hint_to_read(path)):
        return GrantError(GRANT_UNSAFE, f"`{path}`: {format_os_error_cause(error)}", hint)
    if error is not None and error.errno not in (*_LINKS, *_WRONG_KINDS):
        faults.append(f"`{path}`: {format_os_error_cause(error)}")
        advice += [OPEN_FILES_HINT] if error.errno in _DESCRIPTORS else []
    elif path:
        fault, is_fixed_by_copy = _describe_wrong_kind(path, kind)
        faults.append(f"`{path}` {fault}")
        if is_fixed_by_copy and (command := format_replace_by_copy_command(path)):
            commands.append(command)
        else:
            advice.append(_MOUNTED if _is_mounted_by_kubernetes(path) else f"put a real {kind} at `{path}`")
    commands += _fix_commands(problems)
    if _paths_with_problem(problems, UNKNOWN):
        advice.append(NAMESPACE_HINT)
    if commands:
        advice.insert(0, f"fix it with `{' && '.join(commands)}`")
    if stranger is not None and len(faults) == len(_paths_with_problem(problems, OWNER)):
        naming = f"{_hint_to_name_root(root, stranger)}; else "
        return GrantError(GRANT_UNSAFE, f"`{root}` belongs to {format_user(stranger)}", naming + "; ".join(advice))
    return GrantError(GRANT_UNSAFE, "; ".join(faults), "; ".join(advice))


def make_other_user_history_error(root: str, owner: int) -> GrantError:
    """Return the error for a history in a root of another user that was found, not named."""
    user = format_user(owner)
    return GrantError(
        GRANT_UNSAFE, f"the history belongs to {user}, who could have changed it", _hint_to_name_root(root, owner)
    )


def _hint_to_read(path: str) -> str:
    """Return who can read what the caller cannot, '' if that is unknown, or the caller could."""
    try:
        owner = os.lstat(path).st_uid
    except OSError:
        return ""
    return "" if owner == os.geteuid() else f"run this as {format_user(owner)} or root, who may read it"


def _fix_commands(problems: "list[TrustProblem]") -> "Iterator[str]":
    for kind, command in ((OWNER, f"chown {os.geteuid()}"), (WRITERS, "chmod go-w")):
        if paths := _paths_with_problem(problems, kind):
            yield f"{command} {' '.join(map(quoted, paths))}"


def _paths_with_problem(problems: "list[TrustProblem]", kind: str) -> list[str]:
    """Return the paths with a problem of this kind, each once."""
    return list(dict.fromkeys(problem.path for problem in problems if problem.kind == kind))


def _hint_to_name_root(root: str, owner: int) -> str:
    """Return the hint for a checkout of another user, where naming the root is enough."""
    name = f"`--root {quoted(root)}` or CORTEX_POLICY_ROOT"
    return f"if {format_user(owner)} may decide what is allowed, name the root with {name}"


def _is_mounted_by_kubernetes(path: str) -> bool:
    """Whether a file is a link of a mounted ConfigMap or Secret, which cannot be replaced by a file."""
    return os.path.islink(path) and os.readlink(path).startswith("..data/")


def _describe_wrong_kind(path: str, kind: str) -> tuple[str, bool]:
    """Say what is wrong with the object at a path, and whether a copy fixes it. The object is refused already."""
    if kind == "directory":
        return "is a link, or not a directory", False
    if os.path.islink(path):
        return "is a link", os.path.isfile(path) and not _is_mounted_by_kubernetes(path)
    if os.path.isfile(path):
        return "has more than one link", True
    return "is not a regular file", False


def add_root_and_file_to_error(error: GrantError, root: Root, file: str, data: bytes | None) -> GrantError:
    """Add the root to an error and, if the grant was found, its file and the hash of its bytes; return the error."""
    error.root = root.path
    if error.reason is GRANT_NOT_FOUND:
        return error
    error.file = file
    if error.reason is GRANT_INVALID:
        error.hint = f"see what to fix with `cortex-policy validate {quoted(file)}`"
    if data is not None and len(data) <= MAX_BYTES:
        error.sha256 = sha256(data).hexdigest()
    return error


def make_missing_directory_error(path: str) -> GrantError:
    """Return the error for a directory that is missing."""
    return GrantError(GRANT_NOT_FOUND, f"`{path}` does not exist", "make what is missing with `cortex-policy init`")


def make_impossible_id_error(word: str) -> GrantError:
    """Return the error for a word that can name no grant."""
    if word == HOOKS_TOML:
        hint = "edit the rules of agents' hooks with `cortex-policy hook edit`"
    else:
        hint = f"{format_guess_hint(_id_in_path(word))} {ID_HINT}".strip()
    return GrantError(GRANT_NOT_FOUND, f"`{word}` cannot be an id", hint)


def _id_in_path(word: str) -> str:
    """Return the id of the grant whose file a word names, with or without its ending; '' if it names no such file."""
    directory, _, name = word.rpartition("/")
    if grant_id := parse_grant_file_name(name):
        return grant_id
    return name if os.path.basename(directory) in (os.curdir, "tools") and is_grant_id(name) else ""


def hint_at_grant_id(word: str, known: list[str]) -> str:
    """Return a hint at the grant that was meant, by a mistyped id or by the name of its file; '' if none is close."""
    named = parse_grant_file_name(word) or word
    return format_guess_hint(named if named in known else find_closest_word(named, known, len(known)))


def make_unknown_grant_error(root: Root, grant_id: str, known: list[str]) -> GrantError:
    """Return the error for a grant that does not exist, with the ids of those that do."""
    suggestion, new_id = hint_at_grant_id(grant_id, known), parse_grant_file_name(grant_id) or grant_id
    hint = f"{suggestion} " if suggestion else ""
    shown = ", ".join(known[:MAX_SHOWN_IDS]) + (" ..." if len(known) > MAX_SHOWN_IDS else "")
    hint += f"known grants: {shown}" if known else "there are no grants here yet"
    if new_id not in known:
        hint += f"; an operator makes it with `cortex-policy new {new_id}{format_root_option(root)}`"
    return GrantError(GRANT_NOT_FOUND, f"there is no `{grant_id}.json` in `{root.tools_path}`", hint)
