"""Whatever stands at the name of a stop, or hides it, says no; only that there is nothing says nothing."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_policy import render, state
from cortex_policy.check import Call
from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.engine import decide
from cortex_policy.core.model import Request
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.state import Root, emergency_stop, enforcement, grants_errors
from cortex_policy.state.memory_budgets import MemoryBudgets
from tests.support.answers import answer
from tests.support.users import CALLER, by_caller

STRANGER = 23456
assert render  # and `remedies`: loaded here, where it can be read; the caller of some tests cannot
assert grants_errors


def bound(file: Path) -> None:
    """Leave a socket at a name that may be too long to bind."""
    here = os.getcwd()
    os.chdir(file.parent)
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(file.name)
    finally:
        os.chdir(here)


def device(file: Path) -> None:
    """Leave a device."""
    try:
        os.mknod(file, 0o600 | 0o020000, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root can make a device")


def sealed(file: Path) -> None:
    """Leave a file that nobody may read."""
    file.write_text("secret")
    file.chmod(0)


def strangers(file: Path) -> None:
    """Leave a file of another user's."""
    file.touch()
    try:
        os.chown(file, STRANGER, STRANGER)
    except PermissionError:
        pytest.skip("only root can give a file away")


KINDS: dict[str, Callable[[Path], object]] = {
    "file": lambda file: file.write_text("why\nmore"),
    "empty file": lambda file: file.touch(),
    "link": lambda file: file.symlink_to("tools/git.json"),
    "dangling link": lambda file: file.symlink_to("nowhere"),
    "loop": lambda file: file.symlink_to(file.name),
    "link into /proc": lambda file: file.symlink_to("/proc/self/fd/99"),
    "directory": lambda file: file.mkdir(mode=0),
    "full directory": lambda file: (file / "below").mkdir(parents=True),
    "fifo": os.mkfifo,
    "socket": bound,
    "device": device,
    "unreadable": sealed,
    "stranger's": strangers,
    "second link": lambda file: file.hardlink_to(file.with_name("tools") / "git.json"),
    "writable": lambda file: (file.touch(), file.chmod(0o666)),
    "bytes": lambda file: file.write_bytes(b"\xff\x00\x1b[31m"),
    "large": lambda file: file.write_bytes(b"x" * (1 << 22)),
}


def policy(root: Path) -> Path:
    """Return the policy directory."""
    return root / ".cortex" / "policy"


def code(**words: object) -> int:
    """Return the exit code of a call."""
    return answer(Call("git", "tree", quiet=True, **words)).exit_code  # type: ignore[arg-type]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let another directory than /etc/cortex-policy speak for the host, one that does not exist yet."""
    directory = tmp_path / "host"
    monkeypatch.setattr(state, "SYSTEM_SETTINGS", str(directory))
    return directory


@pytest.mark.parametrize("kind", KINDS)
def test_any_object_with_the_name_of_a_stop_stops(root: Path, kind: str) -> None:
    """For a check, a peek, a call that was loaded before, and in words that any terminal may show."""
    grant = load_grant("git")
    KINDS[kind](policy(root) / "stop")
    assert code() == code(peek=True) == code(wait_seconds=5.0) == 15
    said = answer(Call("git", "tree"))
    assert said.exit_code == 15
    assert said.err.startswith("git tree: emergency stop: by ")
    assert all(line.isprintable() for line in said.err.splitlines())
    assert len(said.err) < 3 * emergency_stop.MAX_REASON_BYTES
    for budgets in (None, MemoryBudgets()):
        with pytest.raises(AccessDenied) as caught:
            enforce(grant, "tree", {"path": "docs/x"}, budgets=budgets)
        assert (caught.value.decision.reason, caught.value.exit_code) == ("stopped", 15)
        assert not caught.value.decision.retryable


def test_a_missing_stop_stops_nothing(root: Path) -> None:
    """Names beside it are no stop, and what is gone is none any more."""
    for name in ("stop.json", ".stop", "stop~", "stopped"):
        (policy(root) / name).touch()
    (root / "stop").touch()
    (policy(root) / "tools" / "stop").touch()
    grant = load_grant("git")
    assert code() == 0
    (policy(root) / "stop").touch()
    assert code() == 15
    (policy(root) / "stop").unlink()
    assert code() == 0
    assert enforce(grant, "tree")


@pytest.mark.parametrize("damage", [
    lambda tools: (tools / "git.json").unlink(),
    lambda tools: (tools / "git.json").write_text("{"),
    lambda tools: (tools / "git.json").chmod(0o666),
    lambda tools: tools.chmod(0o777),
    lambda tools: tools.parent.chmod(0o777),
    lambda tools: tools.parent.parent.chmod(0o777),
    lambda tools: tools.rename(tools.parent / "away"),
    lambda tools: tools.rename(tools.parent / "away") and tools.symlink_to("away"),
    lambda tools: (tools.parent / "config.toml").write_text("nonsense"),
    lambda tools: tools.parent.rename(tools.parent.parent / "away") and tools.parent.symlink_to("away"),
    lambda tools: tools.parent.parent.rename(tools.parents[2] / "away") and tools.parent.parent.symlink_to("away"),
])  # fmt: skip
def test_a_stop_is_reported_before_any_other_fault(root: Path, damage: Callable[[Path], object]) -> None:
    """A grant that is missing, broken or unsafe, settings, directories that no check believes."""
    (policy(root) / "stop").write_text("why")
    damage(policy(root) / "tools")
    assert code() == 15
    if (policy(root) / "stop").exists():
        (policy(root) / "stop").unlink()
    assert code() in {20, 21, 22, 27}


def test_a_missing_root_and_an_invalid_id_are_reported_as_such(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A word that can name no grant touches no disk, and where there is no root there is no stop of it."""
    (policy(root) / "stop").touch()
    assert answer(Call("../git", "tree", quiet=True)).exit_code == 20
    assert answer(Call("git", "tree", arg_words=("novalue",), quiet=True)).exit_code == 2
    monkeypatch.chdir(tmp_path)
    assert code() == 25
    assert code(root=str(root)) == 15
    (root / "packages" / ".cortex" / "policy").mkdir(parents=True)
    monkeypatch.chdir(root / "packages")
    assert code() == 26


@pytest.fixture
def callers(own: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep state and settings where the caller can reach them, and load a grant."""
    (own / "state").mkdir(mode=0o700)
    os.chown(own / "state", CALLER, CALLER)
    monkeypatch.setenv("CORTEX_POLICY_STATE_DIR", str(own / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(own / "config"))
    with by_caller():
        assert code(root=str(own)) == 0
    return own


@pytest.mark.parametrize("mode", [0, 0o100, 0o200, 0o400, 0o600])
@pytest.mark.parametrize("name", [".cortex/policy", ".cortex"])
def test_a_directory_that_cannot_be_searched_stops(callers: Path, name: str, mode: int) -> None:
    """Nobody knows what stands there; where only its list is hidden it is refused as ever, unless a stop stands."""
    with by_caller():
        grant = load_grant("git", callers)
    (callers / name).chmod(mode)
    is_known = mode == 0o100
    with by_caller():
        said = answer(Call("git", "tree", root=str(callers)))
        assert (said.exit_code, "permission denied" in said.err) == (22 if is_known else 15, True)
        if is_known and name == ".cortex":
            assert enforce(grant, "tree")
        else:
            with pytest.raises(AccessDenied, match=r"emergency stop: .* cannot be"):
                enforce(grant, "tree")
    (policy(callers) / "stop").touch()
    with by_caller():
        assert code(root=str(callers)) == 15
        with pytest.raises(AccessDenied, match="emergency stop"):
            enforce(grant, "tree")


def test_a_loaded_grant_asks_the_directory_it_was_read_from(root: Path) -> None:
    """One that was put in its place may have lost the stop on the way; back in its place it counts again."""
    grant = load_grant("git")
    old = policy(root).rename(root / "old")
    with pytest.raises(AccessDenied, match="cannot be opened"):
        enforce(grant, "tree")
    (policy(root) / "tools").mkdir(parents=True)
    with pytest.raises(AccessDenied, match="is not the directory that the grant was read from"):
        enforce(grant, "tree")
    (policy(root) / "tools").rmdir()
    policy(root).rmdir()
    old.rename(policy(root))
    assert enforce(grant, "tree")


def test_who_ends_the_stop_of_a_loaded_grant_names_its_root(root: Path) -> None:
    """A program has loaded it, and may stand anywhere."""
    grant = load_grant("git")
    (policy(root) / "stop").touch()
    with pytest.raises(emergency_stop.EmergencyStopped) as caught:
        enforce(grant, "tree")
    assert caught.value.hint == f"an operator ends it with `cortex-policy resume --root {root}`"


def test_a_denied_call_takes_nothing(root: Path) -> None:
    """And a grant may be loaded, and decided by, while a stop stands: neither is a call."""
    (policy(root) / "stop").touch()
    grant = load_grant("git")
    with pytest.raises(AccessDenied):
        enforce(grant, "tree")
    assert decide(grant, Request("tree", {}))
    (policy(root) / "stop").unlink()
    budget = enforce(grant, "tree").budget
    assert budget is not None
    assert budget.used == 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "second link"])
@pytest.mark.usefixtures("root")
def test_any_object_with_the_name_of_a_host_stop_stops(host: Path, kind: str) -> None:
    """Every root of it, and a call that finds none."""
    grant = load_grant("git")
    host.mkdir()
    assert code() == 0
    KINDS[kind](host / "stop")
    assert code() == code(root="/nowhere") == 15
    assert "emergency stop: on this host by " in answer(Call("git", "tree")).err
    with pytest.raises(AccessDenied, match="emergency stop: on this host"):
        enforce(grant, "tree")


@pytest.mark.usefixtures("root")
def test_an_unreachable_directory_of_the_host_stops(host: Path) -> None:
    """A file in the place of its directory, a loop, a link to a mount that is gone; a link to a directory is one."""
    host.write_text("")
    assert code() == 15
    host.unlink()
    host.symlink_to(host.name)
    assert code() == 15
    host.unlink()
    host.symlink_to("gone")
    assert "leads nowhere" in answer(Call("git", "tree")).err
    (host.parent / "gone").mkdir()
    assert code() == 0
    (host.parent / "gone" / "stop").touch()
    assert code() == 15


def test_a_directory_of_the_host_that_may_not_be_entered_stops(callers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To whom it is shut."""
    host = callers / "host"
    monkeypatch.setattr(state, "SYSTEM_SETTINGS", str(host))
    host.mkdir(mode=0o700)
    with by_caller():
        assert code(root=str(callers)) == 15
    host.chmod(0o755)
    with by_caller():
        assert code(root=str(callers)) == 0


def test_a_stop_is_reported_with_its_reason_owner_and_time(root: Path) -> None:
    """Its first line, cut where it is long; its owner, with a name or without; its time, if that is one."""
    file, where = policy(root) / "stop", Root(str(root), trusts_owner=False)

    def seen() -> emergency_stop.EmergencyStop:
        found = emergency_stop.find_root_stop(where)
        assert found is not None
        return found

    file.write_text("\n  the token leaked \r\nmore")
    os.utime(file, (0, 0))
    assert seen().reason == "the token leaked"
    assert seen().timestamp == "1970-01-01T00:00:00Z"
    assert seen().sentence.endswith(": the token leaked")
    file.write_text("é" * 1000)
    assert len(seen().reason or "") == emergency_stop.MAX_REASON_BYTES // 2 + len(" ...")
    file.write_text(" \n\n")
    assert seen().reason is None
    assert emergency_stop.EmergencyStop("f", by="a", stopped_at=1e300).sentence == "by a"
    assert emergency_stop.EmergencyStop("f", by="a", stopped_at=1e300).timestamp is None
    if os.geteuid() == 0:
        os.chown(file, STRANGER, -1)
        assert seen().by == f"user {STRANGER}"
    file.unlink()
    assert emergency_stop.find_root_stop(where) is None


@pytest.mark.usefixtures("root")
def test_a_stop_that_ends_during_the_report_denied_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decision fell by what was seen first."""
    grant = load_grant("git")
    for module in (enforcement, emergency_stop):
        monkeypatch.setattr(module, "exists_or_unknown", lambda name, _=None: name == "stop")
    assert answer(Call("git", "tree")).err.startswith("git tree: emergency stop")
    with pytest.raises(AccessDenied, match=r"^git: emergency stop \(root"):
        enforce(grant, "tree")
