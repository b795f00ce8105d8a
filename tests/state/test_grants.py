"""A grant is believed only where nobody else could have written it, judged by what was opened."""

import os
import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from cortex_policy.core.model import CortexPolicyError, GrantError
from cortex_policy.state import Root
from cortex_policy.state.grants import find_named_or_only_root, read_grant
from tests.support.users import CALLER, by_caller

STRANGER = 23456


def refused(call: Callable[[], object]) -> CortexPolicyError:
    """Return the error that a call by the caller ends with."""
    with by_caller(), pytest.raises(CortexPolicyError) as caught:
        call()
    return caught.value


def test_a_root_directory_may_be_open_to_all_if_it_is_sticky(own: Path) -> None:
    """As `/tmp` is: writable by its group and everyone, and nobody can rename what is not theirs."""
    os.chown(own, 0, 0)
    own.chmod(0o1777)
    with by_caller():
        assert read_grant(Root(str(own), trusts_owner=False), "git")
    own.chmod(0o0777)
    assert refused(lambda: read_grant(Root(str(own), trusts_owner=False), "git")).exit_code == 22


def test_only_the_owners_own_group_may_write(own: Path) -> None:
    """Any other is a group whose members the caller does not know, the caller's own group too."""
    file = own / ".cortex" / "policy" / "tools" / "git.json"
    file.chmod(0o664)
    with by_caller():
        assert read_grant(Root(str(own), trusts_owner=True), "git")
    os.chown(file, CALLER, STRANGER)
    error = refused(lambda: read_grant(Root(str(own), trusts_owner=True), "git"))
    assert (error.exit_code, error.detail) == (22, f"`{file}` is writable by group {STRANGER}")
    assert error.hint == f"fix it with `chmod go-w {file}`"


def test_a_stranger_may_own_a_root_that_is_named_and_none_that_is_found(own: Path) -> None:
    """Naming it is the operator's word; a third owner below it is a stranger again."""
    for path in (own, *own.rglob("*")):
        os.chown(path, STRANGER, STRANGER)
    with by_caller():
        assert read_grant(Root(str(own), trusts_owner=True), "git")
    error = refused(lambda: read_grant(Root(str(own), trusts_owner=False), "git"))
    assert error.exit_code == 22
    naming = f"if user {STRANGER} may decide what is allowed, name the root with `--root {own}` or CORTEX_POLICY_ROOT; "
    assert error.hint.startswith(f"{naming}else fix it with `chown {CALLER} {own} {own}/.cortex ")
    os.chown(own, CALLER, CALLER)
    assert refused(lambda: read_grant(Root(str(own), trusts_owner=True), "git")).exit_code == 22


def test_a_hard_link_is_trusted_only_if_root_alone_can_write(own: Path) -> None:
    """Whoever links a file of somebody else's under an id must not make it a grant."""
    file = own / ".cortex" / "policy" / "tools" / "git.json"
    (own / "twin").hardlink_to(file)
    error = refused(lambda: read_grant(Root(str(own), trusts_owner=True), "git"))
    assert (error.exit_code, error.detail) == (22, f"`{file}` has more than one link")
    os.chown(file, 0, 0)
    with by_caller():
        assert read_grant(Root(str(own), trusts_owner=True), "git")


def test_an_ancestor_that_cannot_be_examined_counts_as_a_root(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold a grant that allows less."""
    inner = own / "shut" / "inner"
    (inner / ".cortex" / "policy").mkdir(parents=True)
    shutil.rmtree(own / ".cortex")
    monkeypatch.chdir(inner)
    with by_caller():
        assert find_named_or_only_root() == Root(str(inner), trusts_owner=False)
    os.chown(inner, CALLER, CALLER)
    (own / "shut").chmod(0o700)
    error = refused(find_named_or_only_root)
    assert error.exit_code == 26
    assert f"`{own}/shut`" in error.detail


@pytest.mark.parametrize("kind", ["link", "hard link", "directory", "fifo", "dangling link"])
def test_all_unsafe_modes_are_fixed_by_one_command(root: Path, kind: str) -> None:
    """A grant of the wrong kind in a directory that is open to all: both are named, and in one hint."""
    found = Root(str(root), trusts_owner=True)
    tools = Path(found.tools_path)
    file = tools / "git.json"
    twin = file.rename(root / "twin")
    match kind:
        case "link":
            file.symlink_to(twin)
        case "hard link":
            file.hardlink_to(twin)
            if os.geteuid() == 0:  # a link of root's is believed
                os.chown(twin, STRANGER, -1)
        case "directory":
            file.mkdir()
        case "fifo":
            os.mkfifo(file)
        case _:
            file.symlink_to("nowhere")
    tools.chmod(0o777)
    with pytest.raises(CortexPolicyError) as caught:
        read_grant(found, "git")
    error = caught.value
    assert error.exit_code == 22
    assert f"`{tools}` is writable by everyone" in error.detail
    assert f"`{file}` " in error.detail
    assert f"chmod go-w {tools}" in error.hint
    if kind.startswith(("link", "hard")):
        command = error.hint.removeprefix("fix it with `").removesuffix("`")
        subprocess.run(["sh", "-c", command], check=True)
        assert read_grant(found, "git")
    else:
        assert f"put a real file at `{file}`" in error.hint


@pytest.mark.parametrize("name", [".cortex", "policy", "tools"])
def test_a_directory_on_the_way_may_not_be_a_link(root: Path, name: str) -> None:
    """Nor a file."""
    path = next(path for path in root.rglob(name))
    real = path.rename(root / "real")
    path.symlink_to(real)
    for _ in range(2):
        with pytest.raises(CortexPolicyError, match=f"`{path}` is a link, or not a directory") as caught:
            read_grant(Root(str(root), trusts_owner=True), "git")
        assert caught.value.exit_code == 22
        path.unlink()
        path.write_text("")


def test_a_grant_knows_the_directories_it_was_read_from(root: Path) -> None:
    """By device and inode, so that a bind mount of `tools` elsewhere is still known for what it is."""
    origin = read_grant(Root(str(root), trusts_owner=True), "git").origin
    assert origin is not None
    identities = [(status.st_dev, status.st_ino) for status in map(os.stat, (
        root, root / ".cortex" / "policy", root / ".cortex" / "policy" / "tools",
    ))]  # fmt: skip
    assert [origin.root_identity, origin.policy_identity, origin.tools_identity] == identities


def test_an_error_says_what_was_known(root: Path) -> None:
    """The root for a grant that is not there; its file, and the digest of what could be read, for one that is."""
    found = Root(str(root), trusts_owner=True)
    file = Path(found.tools_path, "git.json")

    def known(grant_id: str) -> tuple[int, str | None, str | None, str | None]:
        with pytest.raises(GrantError) as caught:
            read_grant(found, grant_id)
        return caught.value.exit_code, caught.value.root, caught.value.file, caught.value.sha256

    assert known("../git") == (20, None, None, None)
    assert known("gti") == (20, found.path, None, None)
    file.chmod(0o666)
    assert known("git") == (22, found.path, str(file), sha256(file.read_bytes()).hexdigest())
    file.write_text("{")
    file.chmod(0o644)
    assert known("git") == (21, found.path, str(file), sha256(b"{").hexdigest())
    file.unlink()
    file.mkdir()
    assert known("git") == (22, found.path, str(file), None)


def test_a_hook_without_a_root_names_the_roots_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs at the top of a repository: a root made there would make those below ambiguous. A shell is told to."""
    monkeypatch.chdir(tmp_path)
    for name in ("c/d/e", "b", "a/far/too/deep", ".hidden", "z", "y"):
        (tmp_path / name / ".cortex" / "policy").mkdir(parents=True)
    with pytest.raises(GrantError) as caught:
        find_named_or_only_root()
    assert "cortex-policy init" in caught.value.hint
    monkeypatch.setenv("PRE_COMMIT", "1")
    with pytest.raises(GrantError) as caught:
        find_named_or_only_root()
    said = "name the root of the hook in .pre-commit-config.yaml: "
    roots = (f"`args: [--root, {root}]`" for root in ("b", "c/d/e", "y"))
    assert caught.value.hint == said + " or ".join(roots)
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GrantError) as caught:
        find_named_or_only_root()
    assert caught.value.hint == f"{said}`args: [--root, DIR]`"
