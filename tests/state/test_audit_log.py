"""The audit log: which file is believed, that lines stay whole, and that each answer is written."""

import json
import math
import os
import resource
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.model import CortexPolicyError, Grant, Rate, Settings, StateError, UsageError
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.state import _locks_held
from cortex_policy.state.audit_errors import AuditLogError
from cortex_policy.state.audit_log import AuditLog, open_audit_log_of_settings
from cortex_policy.state.audit_record import record_answered_call
from cortex_policy.state.enforcement import AuditedCall
from tests.support.acls import USER, granting, put_acl
from tests.support.logs import events
from tests.support.users import CALLER, by_caller

pytestmark = pytest.mark.usefixtures("root")

Make = Callable[[Path], object]


def data(log: Path) -> dict[str, Any]:
    """Return what the last event says."""
    found: dict[str, Any] = events(log)[-1]["data"]
    return found


def tree(**args: object) -> object:
    """Ask for an action that is allowed."""
    return enforce(load_grant("git"), "tree", args)


def refused(action: str = "tree") -> AuditLogError:
    """Return why the log cannot be written."""
    with pytest.raises(AuditLogError) as caught:
        enforce(load_grant("git"), action)
    assert caught.value.exit_code == 24
    return caught.value


def test_an_allowed_call_and_a_denied_one_are_written(log: Path) -> None:
    """The answers stand, and the file is its owner's alone whatever the umask."""
    before = os.umask(0)
    try:
        assert tree(path="docs/x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    with pytest.raises(AccessDenied):
        enforce(load_grant("git"), "push")
    assert [(one["data"]["decision"], one["data"]["reason"]) for one in events(log)] == [
        (True, "allowed"), (False, "action_not_allowed"),
    ]  # fmt: skip
    assert len({one["id"] for one in events(log)}) == 2


def test_a_tight_umask_does_not_shut_the_next_writer_out(log: Path) -> None:
    """Not even one that takes all."""
    tree()  # which makes the directories of rate state
    for file in (log, Path(f"{log}.lock")):
        file.unlink()
    before = os.umask(0o777)
    try:
        tree()
    finally:
        os.umask(before)
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("words", "error"),
    [((5,), UsageError), (({1: object()},), UsageError), (({"x": 1j},), UsageError)],
    ids=["5", "object", "complex"],
)
def test_words_that_do_not_fit_together_are_not_logged(log: Path, words: tuple[Any, ...], error: type) -> None:
    """Nobody decided."""
    with pytest.raises(error):
        enforce(load_grant("git"), "tree", *words)
    assert not log.exists()


def test_a_grant_without_a_root_is_written_as_one_that_cannot_be_decided(log: Path) -> None:
    """With the id and the tool that were asked for."""
    with pytest.raises(CortexPolicyError):
        enforce(Grant("mine", "my-tool", ("a",), Rate(1), {}), "a")
    assert (data(log)["reason"], data(log)["grant"], data(log)["root"]) == ("grant_invalid", "mine", None)
    assert events(log)[-1]["type"] == "com.cortex.my-tool.a"


def test_values_that_json_does_not_know_break_neither_line_nor_call(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are written as strings, and an action of another type is no call."""
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ARGS", "full")
    assert tree(n=[math.nan, math.inf, 10**5000], path=Path("docs"), b=b"\xff")
    args = data(log)["args"]
    assert args["n"][:2] == ["NaN", "Infinity"]
    assert int(args["n"][2], 16) == 10**5000
    assert (args["path"], args["b"]) == ("docs", "\udcff")
    with pytest.raises(UsageError, match="an action is a string"):
        enforce(load_grant("git"), b"tree")  # type: ignore[arg-type]
    assert len(events(log)) == 1


def test_an_action_denied_before_its_paths_were_looked_at_has_them_resolved(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that another policy can decide it."""
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ARGS", "full")
    with pytest.raises(AccessDenied):
        enforce(load_grant("git"), "push", {"path": "docs/link/passwd"})
    assert data(log)["paths"] == [
        {"argument": "path", "given": "docs/link/passwd", "collapsed": "docs/link/passwd", "resolved": "/etc/passwd"}
    ]


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ('{\n  "format": 1,\n  "version": 42,\n  "checksum"', 42), ('{"version": 7.0, "format": 1}', 7), ("{}", None),
        ('{"version": true}', None), ("[1]", None), ("", None), ('{\n  "format": 1,\n  "version": ', None),
        ("\ufeff{}", None), ('{\n  "format": 1,\n  "version": x,\n', None),
    ],
)  # fmt: skip
def test_the_version_of_the_stamp_is_read_leniently(log: Path, root: Path, text: str, version: int | None) -> None:
    """Whatever stands there, the call is answered."""
    (root / ".cortex/policy/stamp.json").write_text(text)
    assert tree()
    assert data(log)["version"] == version


def test_a_stamp_that_is_not_a_file_blocks_no_call(log: Path, root: Path) -> None:
    """A FIFO, a link, a directory."""
    stamp = root / ".cortex/policy/stamp.json"
    makes: list[Make] = [os.mkfifo, lambda path: path.symlink_to("/dev/zero"), Path.mkdir]
    for make in makes:
        make(stamp)
        assert tree()
        assert data(log)["version"] is None
        (stamp.rmdir if stamp.is_dir() else stamp.unlink)()


def listen(path: Path) -> None:
    """Leave a socket."""
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind(os.fspath(path))


def link(path: Path) -> None:
    """Leave a link to a file that would do."""
    (path.parent / "other").write_text("")
    path.symlink_to("other")


def twice(path: Path) -> None:
    """Leave a file with another name."""
    path.write_text("")
    os.link(path, path.parent / "other")


def open_to_all(path: Path) -> None:
    """Leave a file that everyone can write."""
    path.write_text("")
    path.chmod(0o602)


@pytest.mark.parametrize(
    ("make", "why", "hint"),
    [
        (os.mkfifo, "it is a FIFO", "audit tail"), (listen, "not a regular file", "audit tail"), (link, "it is a link", "rm {}"),
        (Path.mkdir, "it is a directory", "{}/audit.jsonl"), (twice, "more than one link", "mv {}.new {}"),
        (open_to_all, "it is writable by everyone", "chmod go-w {}"), (lambda path: path.symlink_to("nowhere"), "it is a link", "rm {}"),
    ],
)  # fmt: skip
def test_a_log_that_is_not_our_regular_file_is_refused(log: Path, make: Make, why: str, hint: str) -> None:
    """At once, with the command that mends it, and nothing is counted."""
    make(log)
    for action in ("tree", "push"):
        error = refused(action)
        assert str(error).startswith(f"audit log `{log}`: ")
        assert why in str(error)
        assert hint.replace("{}", str(log)) in error.hint
    (log.rmdir if log.is_dir() and not log.is_symlink() else log.unlink)()
    decision = enforce(load_grant("git"), "tree")
    assert decision.budget is not None
    assert decision.budget.used == 1


@pytest.mark.usefixtures("log")
def test_a_device_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written to it."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", "/dev/null")
    assert "it is a device" in str(refused())
    for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        monkeypatch.setenv("CORTEX_AUDIT_LOG", name)
        error = refused()
        assert "not a regular file" in str(error)
        assert "rm " not in error.hint
        assert "cortex-policy audit tail" in error.hint


def test_a_directory_that_is_not_there_is_named(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the operator's to make, and a file is none."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", f"{log} x/log")
    assert refused().hint == f"make it with `mkdir -p '{log} x'`"
    log.write_text("")
    monkeypatch.setenv("CORTEX_AUDIT_LOG", f"{log}/log")
    assert "not a directory" in str(refused())


def test_a_file_of_another_user_is_refused(log: Path, own: Path) -> None:
    """But one of root is believed, where it lets us write."""
    log.write_text("")
    for directory in [*log.parents][:-2]:
        directory.chmod(0o755)
    os.chown(log, 4711, 4711)
    log.chmod(0o666)
    with by_caller():
        assert "it belongs to user 4711" in str(_opening(log))
        assert f"chown {os.geteuid()} {log}" in _opening(log).hint
    os.chown(log, 0, 0)
    os.chown(log.parent / "state", CALLER, CALLER)
    log.chmod(0o600)
    put_acl(log, granting((USER, 6, CALLER), own=0))
    with by_caller():
        enforce(load_grant("git", str(own)), "tree")
    assert data(log)["decision"]
    os.removexattr(log, "system.posix_acl_access")
    os.chown(log, 0, 4711)
    log.chmod(0o660)
    assert _opening(log).hint == f"fix it with `chmod go-w {log}`"


def _opening(log: Path) -> AuditLogError:
    with pytest.raises(AuditLogError) as caught:
        AuditLog(Settings(audit_file=str(log)))
    return caught.value


def test_errors_of_the_log_are_ignored_if_the_settings_say_so(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answers stand; nothing but the log is ignored."""
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ON_ERROR", "ignore")
    log.mkdir()
    assert tree()
    with pytest.raises(AccessDenied):
        enforce(load_grant("git"), "push")
    (log.parent / "state").chmod(0o777)
    with pytest.raises(StateError, match="rate state unavailable"):
        tree()


@pytest.mark.parametrize("tail", ["{", '{"half": "of a li', "\0" * 100])
def test_a_torn_line_spoils_no_other_line(log: Path, tail: str) -> None:
    """The next writer ends it first."""
    tree()
    with log.open("a") as file:
        file.write(tail)
    tree()
    first, torn, last = log.read_text().splitlines()
    assert torn == tail
    assert json.loads(first)["data"]["decision"]
    assert json.loads(last)["data"]["decision"]


@contextmanager
def short(log: Path, more: int) -> Iterator[None]:
    """Let files grow to a size and no further, as on a disk that is nearly full.

    It ends before the test does: the output of the tests may be such a file.
    """
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size + more, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("more", [0, 1, 100])
def test_a_line_that_does_not_fit_is_taken_back(log: Path, more: int) -> None:
    """A part of one is no record of a call: the file is as it was, and the call is a no."""
    tree()
    before = log.read_bytes()
    with log.open("ab") as file:
        file.write(b"x" * (8192 - len(before) - 1) + b"\n")  # past the size of any file of rate state
    before = log.read_bytes()
    with short(log, more):
        error = refused()
    assert ("no space left for a line" if more else "file too large") in str(error)
    assert log.read_bytes() == before


def written(log: AuditLog, action: str = "a") -> None:
    """Write one event."""
    record_answered_call(AuditedCall("git", action, {}, 1, peek=False), None, log)


def test_a_log_renamed_away_gets_no_more_lines(log: Path) -> None:
    """It may be compressed by now; a new file stands at the name, its owner's alone."""
    one = AuditLog(Settings(audit_file=str(log)))
    written(one)
    log.rename(f"{log}.1")
    written(one)
    Path(f"{log}.1").rename(f"{log}.2")
    log.rename(f"{log}.1")
    log.write_text("{}\n")
    log.chmod(0o644)
    written(one)
    one.close()
    assert [len(Path(f"{log}{end}").read_text().splitlines()) for end in (".2", ".1", "")] == [1, 1, 2]
    assert stat.S_IMODE(Path(f"{log}.1").stat().st_mode) == 0o600


def test_a_file_that_replaced_the_log_meanwhile_is_checked(log: Path) -> None:
    """A link is none, whatever stood there when the call began."""
    one = AuditLog(Settings(audit_file=str(log)))
    log.unlink()
    log.symlink_to("/etc/passwd")
    with pytest.raises(AuditLogError, match="it is a link"):
        written(one)
    one.close()


def test_a_directory_that_is_gone_meanwhile_is_reported(log: Path, tmp_path: Path) -> None:
    """Whether it is gone or something else stands there, and nothing stays locked."""
    directory = tmp_path / "logs"
    directory.mkdir()
    one = AuditLog(Settings(audit_file=f"{directory}/log"))
    directory.rename(log)
    with pytest.raises(AuditLogError, match="its directory does not exist"):
        written(one)
    one.close()
    log.rename(directory)
    one = AuditLog(Settings(audit_file=f"{directory}/log"))
    directory.rename(log)
    directory.write_text("")
    with pytest.raises(AuditLogError, match="not a directory"):
        written(one)
    one.close()
    assert not _locks_held


def test_a_logged_call_leaves_nothing_open(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even while an exception remembers the call."""
    tree()
    before, kept = sorted(os.listdir("/dev/fd")), []
    for action in ("tree", "push"):
        try:
            enforce(load_grant("git"), action)
        except AccessDenied as error:
            kept.append(error)
    log.chmod(0o666)
    kept.append(refused())  # type: ignore[arg-type]
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ON_ERROR", "ignore")
    tree()
    assert open_audit_log_of_settings(Settings(audit_file=str(log), audit_on_error="ignore")) is None
    with suppress(UsageError):
        enforce(load_grant("git"), "tree", cost=0)
    assert sorted(os.listdir("/dev/fd")) == before
    assert not _locks_held
    assert len(kept) == 2


def test_no_call_may_write_to_its_log(log: Path, root: Path) -> None:
    """By no name, whatever the scope, and that is written too."""
    (root / "alias").symlink_to(log)
    (root / "hard").write_text("")
    grant = load_grant("model-gateway")
    for path in (str(log), "../log", "alias", "docs/../../log", str(log).upper()):
        with pytest.raises(AccessDenied) as caught:
            enforce(grant, "chat", {"path": path})
        assert caught.value.exit_code == 12
    assert [one["data"]["reason"] for one in events(log)] == ["path_outside_scope"] * 5
    os.link(log, root / "other")
    # what has a second name is refused before any path is looked at
    with pytest.raises(AuditLogError, match="more than one link"):
        enforce(grant, "chat", {"path": "other"})
