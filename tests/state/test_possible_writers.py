"""Nothing is trusted that others than its owner, root and the caller may have written: one function says so."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.model import CortexPolicyError
from cortex_policy.state import (
    Root,
    audit_errors,
    grants_errors,
    possible_writers,
    read_overflow_uid,
    settings_errors,
    stamp,
)
from cortex_policy.state.approval_store import ApprovalStore
from cortex_policy.state.audit_log import AuditLog
from cortex_policy.state.enforcement import load_effective_settings
from cortex_policy.state.grants import find_trust_problems, read_grant
from tests.support.acls import NAMED_GROUP, USER, granting, put_acl
from tests.support.users import CALLER, by_caller

USED_LATER = (audit_errors, grants_errors, settings_errors)  # the caller may not be able to read our modules
FRIEND, GROUP = 23456, 34567
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="POSIX ACLs and user namespaces are Linux's")


def doubts_of(path: Path, owners: tuple[int, ...], *, is_sticky_safe: bool = False) -> list[str]:
    """Return the sentences about one object."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        found = find_trust_problems(descriptor, os.fstat(descriptor), owners, is_sticky_safe=is_sticky_safe)
    finally:
        os.close(descriptor)
    return [sentence for _, sentence in found]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Make a file that nobody else may write."""
    file = tmp_path / "file"
    file.touch(0o644)
    return file


@pytest.mark.parametrize(
    ("entries", "own", "mask", "expected"),
    [
        ((), 4, 6, []), (((USER, 6, FRIEND),), 4, 6, [f"has an ACL that lets user {FRIEND} write it"]),
        (((USER, 6, FRIEND),), 4, 4, []), (((USER, 4, FRIEND),), 4, 6, []), (((USER, 6, 0),), 4, 6, []),
        (((NAMED_GROUP, 6, GROUP),), 4, 6, [f"has an ACL that lets group {GROUP} write it"]),
        (((NAMED_GROUP, 4, GROUP), (USER, 4, FRIEND)), 4, 6, []),
    ],
)  # fmt: skip
def test_an_acl_that_lets_others_write_is_a_problem(
    file: Path, entries: tuple[tuple[int, int, int], ...], own: int, mask: int, expected: list[str]
) -> None:
    """Not where it lets them read, where its mask takes that away, or where it names who is trusted anyway."""
    put_acl(file, granting(*entries, own=own, mask=mask))
    assert doubts_of(file, (os.geteuid(), 0)) == expected


def test_the_mode_of_a_file_with_an_acl_shows_the_mask_and_no_group(file: Path) -> None:
    """The group itself may only read: `chmod g+w` would be another thing."""
    put_acl(file, granting((USER, 6, os.geteuid())))
    assert file.stat().st_mode & stat.S_IWGRP
    assert doubts_of(file, (os.geteuid(), 0)) == []


@given(data=st.binary(max_size=60))
def test_an_invalid_acl_is_a_problem(data: bytes) -> None:
    """Whatever a file system answers, and never an error of Python's."""
    status = os.stat_result((0o100664, 1, 1, 1, 1000, 1000, 0, 0, 0, 0))
    original, possible_writers.read_acl_bytes = possible_writers.read_acl_bytes, lambda _: data
    try:
        found = find_trust_problems(-1, status, (1000,))
    finally:
        possible_writers.read_acl_bytes = original
    is_plain = not data or (data[:4] == b"\2\0\0\0" and len(data) % 8 == 4)
    assert is_plain or [sentence for _, sentence in found] == ["has an ACL that cannot be read"]


@pytest.fixture
def as_root() -> None:
    """Skip where nobody can give files away."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(
    ("owner", "group", "expected"),
    [(CALLER, CALLER, []), (0, 0, []), (CALLER, GROUP, ["is writable by group 34567"]), (CALLER, 0, ["is writable by group 0"])],
)  # fmt: skip
def test_a_group_may_write_where_its_number_is_the_owners(
    file: Path, owner: int, group: int, expected: list[str]
) -> None:
    """A primary group that many share is one of others, the caller's own too."""
    file.chmod(0o664)
    os.chown(file, owner, group)
    os.setegid(GROUP)
    try:
        assert doubts_of(file, (CALLER, 0)) == expected
    finally:
        os.setegid(0)


@pytest.mark.usefixtures("as_root")
def test_group_0_may_write_where_the_caller_is_in_it(file: Path) -> None:
    """As in containers that are run by an arbitrary user of group 0."""
    file.chmod(0o664)
    os.chown(file, CALLER, 0)
    assert doubts_of(file, (CALLER, 0)) == []


def test_a_sticky_bit_is_accepted_only_on_the_root_directory(tmp_path: Path) -> None:
    """In other directories, who may add a name may add a grant."""
    tmp_path.chmod(0o1777)
    assert doubts_of(tmp_path, (os.geteuid(),), is_sticky_safe=True) == []
    assert doubts_of(tmp_path, (os.geteuid(),))[0] == "is writable by everyone"


MEMBERS = [".cortex", ".cortex/policy", ".cortex/policy/tools", ".cortex/policy/tools/git.json"]


def open_by_group(path: Path) -> None:
    """Let a group of others write."""
    os.chown(path, CALLER, GROUP)
    path.chmod(path.stat().st_mode | 0o020)


def open_by_acl(path: Path) -> None:
    """Let one other user write."""
    put_acl(path, granting((USER, 7, FRIEND), own=5, mask=7))


def open_to_all(path: Path) -> None:
    """Let everybody write."""
    path.chmod(path.stat().st_mode | 0o002)


def give_away(path: Path) -> None:
    """Let it be a stranger's."""
    os.chown(path, FRIEND, FRIEND)


WAYS = [open_by_group, open_by_acl, open_to_all, give_away]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("member", MEMBERS)
def test_a_grant_is_refused_if_others_may_write_anything_above_it(
    own: Path, member: str, way: Callable[[Path], None]
) -> None:
    """One function judges them all."""
    way(own / member)
    with by_caller(), pytest.raises(CortexPolicyError) as caught:
        read_grant(Root(str(own), trusts_owner=True), "git")
    assert caught.value.exit_code == 22
    assert f"`{own / member}`" in caught.value.detail
    assert str(own / member) in caught.value.hint


def use_log(own: Path) -> None:
    """Open the audit log."""
    AuditLog(load_effective_settings(str(own))).close()


def use_approvals(own: Path) -> None:
    """Open the file of approvals."""
    with ApprovalStore(load_effective_settings(str(own))):
        pass


FILES = {
    ".cortex/policy/stamp.json": (
        22,
        lambda own: stamp.check_grant_in_stamp_on_disk(read_grant(Root(str(own), trusts_owner=True), "git")),
    ),
    ".cortex/policy/config.toml": (27, lambda own: load_effective_settings(str(own))),
    "cortex-policy/config.toml": (27, lambda own: load_effective_settings(str(own))),
    "log": (24, use_log),
    "approvals": (24, use_approvals),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", FILES)
def test_stamps_settings_and_logs_are_refused_if_others_may_write_them(
    own: Path, name: str, way: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stamps, settings, logs and approvals are judged as grants are."""
    file, (code, use) = own / name, FILES[name]
    file.parent.mkdir(exist_ok=True)
    file.touch()
    for path in (file, file.parent):
        os.chown(path, CALLER, CALLER)
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(own / "log"))
    monkeypatch.setenv("CORTEX_HITL_STORE", str(own / "approvals"))
    if name.endswith("stamp.json"):
        grants = {
            path.stem: stamp.compute_content_digest(path.read_bytes()) for path in file.parent.glob("tools/*.json")
        }
        file.write_bytes(stamp.encode_stamp(stamp.Stamp(1, grants, {})))

    def use_by_caller() -> None:
        with by_caller():
            monkeypatch.setenv("XDG_CONFIG_HOME", str(own))
            use(own)

    use_by_caller()
    way(file)
    with pytest.raises(CortexPolicyError) as caught:
        use_by_caller()
    assert caught.value.exit_code == code
    assert str(file) in str(caught.value)
    assert caught.value.hint


def in_namespace(*words: str) -> "subprocess.CompletedProcess[str]":
    """Run Python in a user namespace that knows the caller alone."""
    command = ["unshare", "--user", f"--map-user={os.geteuid()}", sys.executable, "-I", "-c", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unshare" in done.stderr:
        pytest.skip("no user namespaces here")
    return done


ASK = "import sys; from cortex_policy.state import Root; from cortex_policy.state.grants import *; r = read_grant(Root(sys.argv[1], trusts_owner=True), 'git')"


def test_owners_that_a_user_namespace_cannot_tell_apart_are_not_trusted(root: Path) -> None:
    """Two users look like one there: a grant of either would be that of the owner of the root."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(root, 4711, 4711)
    os.chown(root / ".cortex/policy/tools/git.json", 4712, 4712)
    done = in_namespace(ASK, str(root))
    assert "git.json` has an owner that this user namespace cannot distinguish from others" in done.stderr
    assert "chown" not in done.stderr


def test_a_shared_group_that_a_user_namespace_shows_as_0_may_not_write(root: Path) -> None:
    """The caller's primary group is 0 there, whatever it is outside."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    grant = root / ".cortex/policy/tools/git.json"
    os.chown(grant, 0, GROUP)
    grant.chmod(0o664)
    command = ["setpriv", "--regid", str(GROUP), "--clear-groups", "unshare", "--user", "--map-root-user"]
    done = subprocess.run(
        [*command, sys.executable, "-I", "-c", ASK, str(root)], capture_output=True, text=True, check=False
    )
    if "unshare" in done.stderr or "setpriv" in done.stderr:
        pytest.skip("no user namespaces here")
    assert "git.json` is writable by group 0" in done.stderr


def test_the_overflow_user_is_trusted_where_no_namespace_hides_anybody(file: Path) -> None:
    """There it is the user `nobody`, as good as any other."""
    status = os.stat_result((0o100644, 1, 1, 1, read_overflow_uid(), 0, 0, 0, 0, 0))
    whole = Path("/proc/self/uid_map").read_text().split() == possible_writers.WHOLE_RANGE
    assert bool(find_trust_problems(-1, status, (read_overflow_uid(),))) == (not whole)
    assert file.exists()


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("make", [os.link, os.symlink])
def test_no_hint_makes_root_copy_a_file_of_another_user(root: Path, make: Callable[[Path, Path], None]) -> None:
    """Whoever owns the directory chooses what `cp` reads, and by a link of the new name what it writes."""
    tools = root / ".cortex" / "policy" / "tools"
    os.chown(tools / "git.json", FRIEND, FRIEND)  # a second name of a file of root is nobody's fault
    make(tools / "git.json", tools / "other.json")
    with pytest.raises(CortexPolicyError) as caught:
        read_grant(Root(str(root), trusts_owner=True), "other")
    assert "cp " in str(caught.value.hint)
    os.chown(tools, FRIEND, FRIEND)
    os.chown(root, FRIEND, FRIEND)
    with pytest.raises(CortexPolicyError) as caught:
        read_grant(Root(str(root), trusts_owner=True), "other")
    assert "cp " not in str(caught.value.hint)
    assert "put a real file at" in str(caught.value.hint)
