"""Each change of a file is found at the next look, whoever made it: by the kernel's word, or without it."""

import errno
import json
import os
import select
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.library.file_identity import read_stable_identity_or_none
from cortex_policy.library.root_path_lookup import find_root_keeping_links
from cortex_policy.mcp import server_changes
from cortex_policy.mcp.server_changes import Changes
from tests.support.command import run_command
from tests.support.processes import wait_until
from tests.support.roots import GIT, grant_file

NOTHING: tuple[tuple[str, ...], bool] = (), False


@pytest.fixture(params=["told", "untold"])
def changes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, root: Path) -> Changes:
    """Look at a stamped root, with a kernel that reports changes, and with one that does not."""
    if request.param == "untold":
        monkeypatch.setattr(server_changes, "Inotify", refuse)
    run_command("stamp", "write", "--allow-widening")
    changes = Changes(find_root_keeping_links(str(root)))
    assert (changes.descriptor >= 0) == (request.param == "told" and sys.platform == "linux")
    assert changes.find_changes() == NOTHING
    return changes


def refuse() -> None:
    """Have no queue of events to give."""
    raise OSError(errno.EMFILE, "too many")


def replace(file: Path, text: str) -> None:
    """Write a file in one step, as editors do."""
    file.with_suffix(".new").write_text(text)
    file.with_suffix(".new").replace(file)


COMMANDS: list[tuple[list[tuple[str, ...]], tuple[str, ...], bool]] = [
    ([("set", "git", "--rate", "20")], ("git",), False),
    ([("set", "git", "--rate", "20"), ("undo", "git", "--allow-widening")], ("git",), False),
    ([("copy", "git", "other", "--allow-widening")], ("other",), True),
    ([("remove", "git", "--yes")], ("git",), True),
    ([("rename", "git", "map")], ("git", "map"), True),
    ([("hook", "init", "--yes")], ("fs.read", "fs.write", HOOKS_TOML, "mcp", "shell"), True),
    ([("stop",)], (), False),
]


@pytest.mark.parametrize(("commands", "names", "is_list_changed"), COMMANDS, ids=lambda value: str(value)[:40])
def test_what_a_command_writes_is_found(
    changes: Changes, commands: list[tuple[str, ...]], names: tuple[str, ...], is_list_changed: bool
) -> None:
    """After it has returned, and once."""
    for words in commands:
        run_command(*words)
        assert changes.find_changes() == (names, is_list_changed)
        assert changes.find_changes() == NOTHING


def test_a_hand_edit_is_found_and_so_is_its_stamp(changes: Changes, root: Path) -> None:
    """The bytes first, then that checks take them; other grants have not changed."""
    replace(grant_file(root), json.dumps({**GIT, "rate": {"perMinute": 7}}))
    assert changes.find_changes() == (("git",), False)
    run_command("stamp", "write", "--allow-widening")
    assert changes.find_changes() == (("git",), False)
    assert changes.find_changes() == NOTHING


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_text("{"),
        lambda file: file.chmod(0o666),
        lambda file: (file.unlink(), file.symlink_to("model-gateway.json")),
        lambda file: os.utime(file, ns=(0, 0)) or file.write_bytes(file.read_bytes().replace(b"30", b"31")),
    ],
    ids=["broken", "open to all", "a link", "the same size and time"],
)
def test_damage_is_found(changes: Changes, root: Path, damage: Callable[[Path], object]) -> None:
    """And another damage after it."""
    damage(grant_file(root))
    assert changes.find_changes() == (("git",), False)
    replace(grant_file(root), "[")
    assert changes.find_changes() == (("git",), False)
    assert changes.find_changes() == NOTHING


def test_a_file_that_was_known_for_long_is_read_again_when_it_changes(changes: Changes, root: Path) -> None:
    """Its mode, its text, and the same text again, which is no change."""
    file = grant_file(root)
    for change, names in (
        (lambda: file.chmod(0o666), ("git",)),
        (lambda: file.chmod(0o644), ("git",)),
        (lambda: file.write_text("{}"), ("git",)),
        (lambda: replace(file, "{}"), ()),
    ):
        wait_until(lambda: read_stable_identity_or_none(str(file)), "it does not settle")
        assert changes.find_changes() == NOTHING
        change()
        wait_until(lambda: read_stable_identity_or_none(str(file)), "it does not settle")
        assert changes.find_changes() == (names, False)


def test_a_directory_that_becomes_unsafe_changes_every_grant(changes: Changes, root: Path) -> None:
    """And one that becomes safe again."""
    for mode in (0o777, 0o755):
        grant_file(root).parent.chmod(mode)
        assert changes.find_changes() == (("git", "model-gateway"), False)


def test_a_root_that_vanishes_has_no_grants_and_may_come_back(changes: Changes, root: Path) -> None:
    """By any name that leads there."""
    away = root.with_name("away")
    root.rename(away)
    assert changes.find_changes() == (("git", "model-gateway"), True)
    assert changes.find_changes() == NOTHING
    root.symlink_to(away)
    assert changes.find_changes() == (("git", "model-gateway"), True)


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is of Linux")
def test_the_kernel_reports_a_write_before_it_returns(root: Path) -> None:
    """Of a grant, the stamp and hooks.toml, for the next look and each one after it."""
    changes = Changes(find_root_keeping_links(str(root)))
    for file in (
        grant_file(root),
        grant_file(root, "new"),
        root / ".cortex/policy/stamp.json",
        root / ".cortex/policy/hooks.toml",
    ):
        assert select.select([changes.descriptor], [], [], 0)[0] == []
        file.write_text("x")
        assert select.select([changes.descriptor], [], [], 0)[0] == [changes.descriptor]
        changes.find_changes()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify is of Linux")
def test_the_kernel_reports_where_the_name_of_the_root_leads(root: Path, tmp_path: Path) -> None:
    """A link to a root that is switched, as deployments do; a root that goes, and one that comes."""
    current, other = tmp_path / "current", tmp_path / "other"
    current.symlink_to(root)
    changes = Changes(find_root_keeping_links(str(current)))
    (other / ".cortex" / "policy" / "tools").mkdir(parents=True)
    (tmp_path / "next").symlink_to(other)
    assert not is_told(changes)
    (tmp_path / "next").replace(current)
    assert is_told(changes)
    other.rename(tmp_path / "gone")
    assert is_told(changes)
    (tmp_path / "gone").rename(other)
    assert is_told(changes)
    assert not is_told(changes)


def is_told(changes: Changes) -> bool:
    """Whether the kernel has reported a change; look at it."""
    told = bool(select.select([changes.descriptor], [], [], 0)[0])
    changes.find_changes()
    return told
