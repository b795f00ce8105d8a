"""Read grants, `hooks.toml` and settings of a git revision, without running what the repository configures."""

import os
import subprocess

from cortex_policy.core.decode import HOOKS_TOML, MAX_BYTES, parse_grant_file_name
from cortex_policy.core.model import GRANT_INVALID, GRANT_UNSAFE, GrantError, UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import Root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    TextOrError = bytes | GrantError  # the text of a grant, or why checks refuse it

TOOLS = ".cortex/policy/tools/"
HOOKS_FILE = f".cortex/policy/{HOOKS_TOML}"
SETTINGS = ".cortex/policy/config.toml"
# INVARIANT: a repository that others can write must not run programs when it is compared: only plumbing commands are
# called, which use no pager, filter or external diff; no fsmonitor, no fetching of missing objects
_GIT = (
    "git", "--no-pager", "--no-replace-objects", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
    "-c", "safe.bareRepository=explicit",
)  # fmt: skip
_ENVIRONMENT = {
    "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}  # fmt: skip
_FILE_MODES = (b"100644", b"100755", b"100664")
_HEADS = ("HEAD", "@")


class NoCommitsError(NotDoneError):
    """The branch has no commit yet; the first commit is compared with no grants."""


def read_grant_texts_at_revision(root: Root, revision: str) -> "dict[str, TextOrError]":
    """Return the text of each grant of a revision; raise as `read_grant_and_hooks_texts_at_revision` does."""
    return {
        name: text
        for name, text in read_grant_and_hooks_texts_at_revision(root, revision).items()
        if name != HOOKS_TOML
    }


def read_grant_and_hooks_texts_at_revision(
    root: Root, revision: str, name: str | None = None
) -> "dict[str, TextOrError]":
    """Return the text of each grant of a revision and of its `hooks.toml`, or of one of them, if they exist.

    Raise UsageError if a word cannot be a revision, NotDoneError if git does not know it, NoCommitsError for the HEAD
    of a branch without a commit.
    """
    tree = _tree_id(root.path, revision)
    found: dict[str, TextOrError] = {}
    digests: dict[str, str] = {}
    for found_name, mode, digest, size in _list_policy_files(root.path, tree):
        if name not in {None, found_name}:
            continue
        if mode not in _FILE_MODES:
            found[found_name] = GrantError(GRANT_UNSAFE, "it is a link, or not a regular file")
        elif size > MAX_BYTES:
            found[found_name] = GrantError(GRANT_INVALID, f"larger than {MAX_BYTES} bytes")
        else:
            digests[found_name] = digest
    texts = read_git_objects(root.path, digests.values())
    return found | dict(zip(digests, texts, strict=True))


def read_settings_bytes_at_revision_or_none(root: Root, revision: str) -> bytes | None:
    """Return the project's settings of a revision, None if it has none.

    Raises as `read_grant_and_hooks_texts_at_revision` does.
    """
    listed = _output_or_raise(run_git_unchecked(root.path, "ls-tree", "-z", _tree_id(root.path, revision), SETTINGS))
    if not listed:
        return None
    mode, _, digest = listed.partition(b"\t")[0].split()
    return (
        read_git_objects(root.path, [digest.decode()])[0] if mode in _FILE_MODES else b"no file"
    )  # which is not TOML, so that it is reported


def _tree_id(root: str, revision: str) -> str:
    if not revision or revision.startswith("-") or "\0" in revision:
        message = f"`{revision}` cannot be a revision"
        raise UsageError(message, "name a branch, a tag or a commit")
    process = run_git_unchecked(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{tree}}")
    tree = process.stdout.strip().decode("utf-8", "replace")
    if process.returncode == 0 and tree.isalnum():
        return tree
    if process.stderr:
        raise _git_error(process)
    if revision in _HEADS and _is_unborn(root):
        raise NoCommitsError(f"`{revision}` has no commit yet")
    message = f"git knows no revision `{revision}` in `{root}`"
    raise NotDoneError(message, "name a branch, a tag or a commit; in a shallow clone, fetch it first")


def _is_unborn(root: str) -> bool:
    """Whether HEAD names a branch without a commit; a broken branch does not count as one."""
    names_a_branch = run_git_unchecked(root, "symbolic-ref", "--quiet", "HEAD").returncode == 0
    return names_a_branch and run_git_unchecked(root, "rev-parse", "--verify", "--quiet", "HEAD").returncode != 0


def _list_policy_files(root: str, tree: str) -> "Iterator[tuple[str, bytes, str, int]]":
    """Yield the name, mode, digest and size of each grant and of `hooks.toml`; paths are relative to the root."""
    for line in _output_or_raise(run_git_unchecked(root, "ls-tree", "-z", "-l", tree, TOOLS, HOOKS_FILE)).split(b"\0"):
        meta, _, path = line.partition(b"\t")
        file = os.fsdecode(os.path.basename(path))
        if name := file if file == HOOKS_TOML else parse_grant_file_name(file):
            mode, _, digest, size = meta.split()
            yield name, mode, digest.decode(), int(size) if size.isdigit() else 0


def read_git_objects(root: str, digests: "Iterable[str]") -> list[bytes]:
    """Return the content of objects, in order, from one git process; raise NotDoneError if one is missing."""
    request = "".join(f"{digest}\n" for digest in digests).encode()
    if not request:
        return []
    output, at, texts = _output_or_raise(run_git_unchecked(root, "cat-file", "--batch", stdin=request)), 0, []
    while at < len(output):
        end = output.index(b"\n", at)
        header = output[at:end].split()
        if header[1] != b"blob":
            message = f"git has no object {header[0].decode()}"
            raise NotDoneError(message, "in a partial clone, fetch it first")
        size = int(header[2])
        texts.append(output[end + 1 : end + 1 + size])
        at = end + 1 + size + 1
    return texts


def run_git_unchecked(root: str, *words: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Run git in a root; raise NotDoneError if it cannot be run. Its exit code is the caller's to judge."""
    # variables GIT_* of a hook or an agent may lead to another repository, or write traces
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        return subprocess.run(
            [*_GIT, "-C", root, *words], input=stdin, capture_output=True, check=False, env=environment | _ENVIRONMENT
        )
    except OSError as error:
        message = f"`git` cannot be run: {format_os_error_cause(error)}"
        raise NotDoneError(message) from None


def _output_or_raise(process: "subprocess.CompletedProcess[bytes]") -> bytes:
    if process.returncode:
        raise _git_error(process)
    return process.stdout


def _git_error(process: "subprocess.CompletedProcess[bytes]") -> NotDoneError:
    lines = process.stderr.decode("utf-8", "replace").strip().splitlines() or [f"it ended with {process.returncode}"]
    return NotDoneError(f"git: {lines[0].removeprefix('fatal: ')}")
