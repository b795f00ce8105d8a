"""Find the root, check who may have written what was opened, read one grant.

One module of more than 250 lines, as each module costs a check time.
"""

import os
import stat
import sys

from cortex_policy.core.decode import MAX_BYTES, decode_grant, is_grant_id, parse_grant_file_name
from cortex_policy.core.model import ROOT_NOT_FOUND, Grant, GrantError, Origin
from cortex_policy.state import (
    OPEN_DIRECTORY,
    OPEN_FILE,
    Root,
    make_policy_directory_path,
    may_exist,
    read_overflow_uid,
    read_up_to,
    sha256,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from typing import Self

    from cortex_policy.state.possible_writers import TrustProblem


_ROOT_HINT = "name the directory that holds .cortex/policy; `cortex-policy init` makes one"
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def check_grant_id(word: str) -> None:
    """Raise GrantError (grant_not_found) for a word that can name no grant; touch no disk."""
    if not is_grant_id(word):
        from cortex_policy.state.grants_errors import make_impossible_id_error  # noqa: PLC0415 - only a failure needs it

        raise make_impossible_id_error(word)


def find_named_or_only_root(named: str | None = None) -> Root:
    """Find the root: `named`, else `CORTEX_POLICY_ROOT`, else the one ancestor that holds `.cortex/policy`.

    If several ancestors hold one, `check` is denied here. Commands that edit take the inner one, with a note
    (`state/roots.py`).
    """
    if named is None:
        named = os.environ.get("CORTEX_POLICY_ROOT") or None
        if named is not None and not named.startswith("/"):
            raise GrantError(ROOT_NOT_FOUND, f"CORTEX_POLICY_ROOT is not absolute: `{named}`", _ROOT_HINT)
    if named is not None:
        return _resolve_named_root(named)
    try:
        here = os.getcwd()
    except OSError as error:
        from cortex_policy.core.text import format_os_error_cause  # noqa: PLC0415 - only a failure needs it

        detail = f"the working directory cannot be read: {format_os_error_cause(error)}"
        raise GrantError(ROOT_NOT_FOUND, detail, "name one with `--root DIR`") from None
    roots = list_possible_roots_at_or_above(here)
    if len(roots) != 1:
        from cortex_policy.state.grants_errors import make_missing_or_ambiguous_root_error  # noqa: PLC0415 - only a failure needs it

        raise make_missing_or_ambiguous_root_error(here, roots)
    return Root(roots[0], trusts_owner=False)


def _resolve_named_root(named: str) -> Root:
    if not named or "\0" in named:
        raise GrantError(ROOT_NOT_FOUND, "the name of the root is empty or holds a NUL", _ROOT_HINT)
    try:
        path = os.path.realpath(named, strict=True)
        is_root = may_hold_policy(path)
    except (OSError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "cannot be read"
        raise GrantError(ROOT_NOT_FOUND, f"`{named}`: {why.lower()}", _ROOT_HINT) from None
    if not is_root:
        raise GrantError(ROOT_NOT_FOUND, f"`{path}` holds no .cortex/policy", _ROOT_HINT)
    return Root(path, trusts_owner=True)


def list_possible_roots_at_or_above(path: str) -> list[str]:
    """Return each ancestor of a directory, and itself, that may hold a policy: the inner one first."""
    roots = [path] if may_hold_policy(path) else []
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        if may_hold_policy(path):
            roots.append(path)
    return roots


def may_hold_policy(directory: str) -> bool:
    """Whether a directory holds `.cortex/policy`, or cannot be examined, which counts as holding it."""
    return may_exist(make_policy_directory_path(directory))


def find_trust_problems(
    descriptor: int, status: os.stat_result, owners: "Container[int]", *, is_sticky_safe: bool = False
) -> list[tuple[str, str]]:
    """Return why others than these owners may have written an open object, none if they cannot have.

    The one check for grants, directories, settings, stamps, history, approvals, state and audit logs. `is_sticky_safe`
    is for a directory in which the sticky bit protects what is there already.
    """
    uid = status.st_uid
    if uid in owners and not status.st_mode & _WRITABLE_BY_OTHERS and uid != read_overflow_uid():
        return []
    from cortex_policy.state.possible_writers import find_trust_problems_with_acl  # noqa: PLC0415 - only if the mode is not the answer

    return find_trust_problems_with_acl(descriptor, status, owners, is_sticky_safe=is_sticky_safe)


class TrustCheck:
    """Checks each opened object, and gathers what is wrong so that one command fixes all of it."""

    def __init__(self, root: Root) -> None:
        """Trust the caller and the user root; `note_trust_problems` adds the owner of a root that trusts it."""
        self.root = root
        self.problems: list[TrustProblem] = []
        self.owners: set[int] = {os.geteuid(), 0}
        self.others: set[int] = set()  # owners who are not trusted
        self.root_owner: int = -1

    def note_trust_problems(self, path: str, descriptor: int, status: os.stat_result, *, is_root: bool = False) -> None:
        """Note why others may have written one open object."""
        if is_root:
            self.root_owner = status.st_uid
            if self.root.trusts_owner:
                self.owners.add(status.st_uid)
        for kind, sentence in find_trust_problems(descriptor, status, self.owners, is_sticky_safe=is_root):
            from cortex_policy.state.possible_writers import TrustProblem  # noqa: PLC0415 - loaded if there is one

            self.problems.append(TrustProblem(kind, path, f"`{path}` {sentence}"))
            if status.st_uid not in self.owners:
                self.others.add(status.st_uid)

    @property
    def sentences(self) -> list[str]:
        """A sentence for each problem."""
        return [problem.sentence for problem in self.problems]

    def fresh_copy(self) -> "TrustCheck":
        """Return a check with the same owners that has found nothing yet."""
        other = TrustCheck(self.root)
        other.owners, other.root_owner = self.owners, self.root_owner
        return other

    def raise_if_unsafe(self) -> None:
        """Raise GrantError (grant_unsafe) if anything was noted, with the one command that fixes it."""
        if self.problems:
            raise self.make_unsafe_error()

    def make_unsafe_error(self, path: str = "", kind: str = "", error: OSError | None = None) -> GrantError:
        """Return the error for all that was noted and, at a path, for what is no `kind` or has an error of its own."""
        from cortex_policy.state.grants_errors import make_unsafe_grant_error  # noqa: PLC0415 - only a failure needs it

        stranger = self.root_owner if self.others == {self.root_owner} else None
        return make_unsafe_grant_error(self.root.path, self.problems, stranger, path, kind, error)


class PolicyDirectory:
    """`.cortex/policy` of a root, or a directory below it, opened step by step from the root without following links.

    What is checked is what was opened, so nothing can be swapped between check and use. Links and wrong kinds are
    refused (GrantError, 22), modes and owners are noted in the trust. FileNotFoundError names what is not there.
    """

    def __init__(self, trust: TrustCheck, *below: str) -> None:
        """Name the way down."""
        self.trust = trust
        self.path: str = ""
        self.identities: list[tuple[int, int]] = []
        self._names = (trust.root.path, ".cortex", "policy", *below)
        self._descriptors: list[int] = []

    def __enter__(self) -> "Self":
        """Open each directory from its parent."""
        try:
            for name in self._names:
                self.descend(name)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Close them all."""
        for descriptor in self._descriptors:
            os.close(descriptor)

    @property
    def descriptor(self) -> int:
        """The descriptor of the innermost directory that is open."""
        return self._descriptors[-1]

    def descend(self, name: str) -> None:
        """Open a directory below, which becomes the innermost one."""
        path = f"{self.path.rstrip('/')}/{name}" if self.path else name
        self._descriptors.append(self._open_checked(path, name, OPEN_DIRECTORY))
        status = os.fstat(self.descriptor)
        self.trust.note_trust_problems(path, self.descriptor, status, is_root=not self.path)
        self.identities.append((status.st_dev, status.st_ino))
        self.path = path

    def _open_checked(self, path: str, name: str, flags: int) -> int:
        try:
            return os.open(name, flags, dir_fd=self._descriptors[-1] if self._descriptors else None)
        except FileNotFoundError as error:
            error.filename = path
            raise
        except OSError as error:
            raise self.trust.make_unsafe_error(path, "file" if flags == OPEN_FILE else "directory", error) from None

    def read(self, name: str, max_bytes: int) -> bytes:
        """Read at most `max_bytes` bytes of a file."""
        path = f"{self.path}/{name}"
        descriptor = self._open_checked(path, name, OPEN_FILE)
        try:
            status = os.fstat(descriptor)
            self.trust.note_trust_problems(path, descriptor, status)
            if not stat.S_ISREG(status.st_mode) or (status.st_nlink > 1 and status.st_uid != 0):
                raise self.trust.make_unsafe_error(path, "file")
            return read_up_to(descriptor, max_bytes)
        except OSError as error:
            raise self.trust.make_unsafe_error(path, "file", error) from None
        finally:
            os.close(descriptor)

    def grant_ids(self) -> list[str]:
        """List the ids of the grants in this directory, sorted."""
        try:
            names = os.listdir(self.descriptor)
        except OSError as error:
            raise self.trust.make_unsafe_error(self.path, "directory", error) from None
        return sorted(filter(None, map(parse_grant_file_name, names)))


def read_grant(root: Root, grant_id: str, check_policy: "Callable[[PolicyDirectory], None]" = lambda _: None) -> Grant:
    """Read and decode one grant by descriptors; raise GrantError (20, 21, 22), which says what was known by then.

    `check_policy` gets the open policy directory before anything in it is read, and raises to prevent that.
    """
    check_grant_id(grant_id)
    trust, file, data = TrustCheck(root), f"{root.tools_path}/{grant_id}.json", None
    try:
        with PolicyDirectory(trust) as directory:
            check_policy(directory)
            directory.descend("tools")
            data = directory.read(f"{grant_id}.json", MAX_BYTES + 1)
            if sys.platform == "darwin" and grant_id not in directory.grant_ids():  # file systems there ignore case
                raise FileNotFoundError(None, None, file)  # noqa: TRY301 - as if it had not been found
        trust.raise_if_unsafe()
        grant = decode_grant(data, grant_id)
    except (FileNotFoundError, GrantError) as error:
        raise make_grant_read_error(error, trust, grant_id, data) from None
    root_identity, _, policy_identity, tools_identity = directory.identities
    origin = Origin(root.path, file, sha256(data).hexdigest(), root_identity, policy_identity, tools_identity)
    return Grant(grant.id, grant.tool, grant.actions, grant.rate, grant.args, grant.data_class, grant.fs_scope, origin)


def make_grant_read_error(
    error: GrantError | FileNotFoundError, trust: TrustCheck, grant_id: str, data: bytes | None = None
) -> GrantError:
    """Return the error for a grant that was not read, with what is known of it by now."""
    from cortex_policy.state import grants_errors  # noqa: PLC0415 - only a failure needs it

    file = f"{trust.root.tools_path}/{grant_id}.json"
    if isinstance(error, GrantError):
        failure = error
    elif trust.problems:
        failure = trust.make_unsafe_error()
    elif error.filename == file:
        failure = grants_errors.make_unknown_grant_error(trust.root, grant_id, list_grant_ids(trust.root))
    else:
        failure = grants_errors.make_missing_directory_error(error.filename)
    return grants_errors.add_root_and_file_to_error(failure, trust.root, file, data)


def list_grant_ids(root: Root) -> list[str]:
    """List the ids of the grants of a root, none if it has no directory of grants; raise GrantError if unreadable."""
    try:
        with PolicyDirectory(TrustCheck(root), "tools") as tools:
            return tools.grant_ids()
    except FileNotFoundError:
        return []
