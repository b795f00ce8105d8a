"""The docket: which file is believed, and that a call is put on it and taken from it as it should be."""

import fcntl
import json
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.core.access_denied import AccessDenied, ApprovalRequired
from cortex_policy.core.audit_event import format_timestamp
from cortex_policy.core.model import Approval, CortexPolicyError, GrantError, StateError
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.library.store import PolicyStore
from cortex_policy.manage.approvals import approve_or_deny_request, list_waiting_and_answered_requests
from cortex_policy.state import approval_check, approval_store, make_state_unavailable_error
from cortex_policy.state.approval_store import ApprovalStoreError
from cortex_policy.state.enforcement import load_effective_settings, resolve_paths_decide_and_take_hit
from cortex_policy.state.memory_budgets import MemoryBudgets
from tests.support.users import CALLER, by_caller

RECORDS = {"tool": "records", "actions": ["read"], "rate": {"perMinute": 2}, "dataClass": "sensitive"}


@pytest.fixture(autouse=True)
def file(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ask a human for each call of a grant; name a docket, which is not there yet."""
    (root / ".cortex/policy/tools/records.json").write_text(json.dumps(RECORDS))
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    monkeypatch.setenv("CORTEX_HITL_STORE", str(tmp_path / "hitl.jsonl"))
    return tmp_path / "hitl.jsonl"


def read(**args: object) -> Any:
    """Ask for a call."""
    return enforce(load_grant("records"), "read", args)


def waits(**args: object) -> str:
    """Ask for a call that waits; return the id of the request."""
    with pytest.raises(ApprovalRequired) as caught:
        read(**args)
    assert caught.value.exit_code == 13
    assert caught.value.request_id is not None
    return caught.value.request_id


def peeked(**args: object) -> Any:
    """Decide a call and consume nothing."""
    return resolve_paths_decide_and_take_hit(
        load_grant("records"), "read", args, peek=True, settings=load_effective_settings(os.getcwd())
    )


def lines(file: Path) -> list[dict[str, Any]]:
    """Read the lines of a docket."""
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_call_waits_is_approved_and_is_allowed_once(file: Path) -> None:
    """The same call is the same request until then, and a new one afterwards; the obligation stands."""
    request_id = waits(n=1)
    assert waits(n=1) == request_id
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert approve_or_deny_request(request_id, approved=True).is_changed
    assert not approve_or_deny_request(request_id, approved=True).is_changed
    decision = read(n=1)
    assert decision.obligations == ("human_approval",)
    assert decision.approval == Approval(request_id, "used", 0.0)
    assert waits(n=1) != request_id
    assert [line["type"] for line in lines(file)] == ["request", "decision", "spend", "request"]


def test_a_store_asks_and_uses_as_enforce_does() -> None:
    """The same request; its decision also names the bytes it was made on, and to decide alone asks nobody."""
    with PolicyStore() as store:
        assert store.decide("records", "read").reason == "approval_required"
        assert list_waiting_and_answered_requests() == ()
        with pytest.raises(ApprovalRequired) as caught:
            store.enforce("records", "read")
        request_id = waits()
        assert caught.value.request_id == request_id
        assert caught.value.decision.grant_sha256
        approve_or_deny_request(request_id, approved=True)
        decision = store.enforce("records", "read")
        assert decision.approval == Approval(request_id, "used", 0.0)
        with pytest.raises(ApprovalRequired):
            store.enforce("records", "read")


def test_an_approval_fits_no_other_call(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither other arguments, nor another cost, directory or grant; the call itself still may."""
    approve_or_deny_request(waits(path="docs/x"), approved=True)
    for args in ({}, {"path": "docs/y"}, {"path": "docs/x", "n": None}, {"path": ["docs/x"]}, {"Path": "docs/x"}):
        waits(**args)
    with pytest.raises(ApprovalRequired):
        enforce(load_grant("records"), "read", {"path": "docs/x"}, cost=2)
    monkeypatch.chdir("docs")
    waits(path="docs/x")
    waits(path="x")
    monkeypatch.chdir(root)
    grant = root / ".cortex/policy/tools/records.json"
    text = grant.read_text()
    grant.write_text(text + " ")
    waits(path="docs/x")
    grant.write_text(text)
    assert read(path="docs/x")


def test_a_link_that_leads_elsewhere_makes_another_call(root: Path) -> None:
    """It was approved for what it led to."""
    (root / "docs/a").write_text("")
    (root / "docs/l").symlink_to("a")
    approve_or_deny_request(waits(path="docs/l"), approved=True)
    (root / "docs/l").unlink()
    (root / "docs/l").symlink_to("b")
    waits(path="docs/l")


def test_a_peek_asks_nobody_and_uses_nothing(file: Path) -> None:
    """It says how the call would fare."""
    assert (peeked().reason, peeked().approval) == ("approval_required", None)
    assert not file.exists()
    request_id = waits()
    assert peeked().approval.id == request_id
    approve_or_deny_request(request_id, approved=True)
    assert peeked()
    assert peeked().approval.status == "approved"
    assert read()
    assert not peeked()


def test_an_approval_is_kept_where_the_rate_denies() -> None:
    """And where the ledger fails; the next call uses it."""
    for _ in range(2):
        approve_or_deny_request(waits(), approved=True)
        assert read()
    request_id = waits()
    approve_or_deny_request(request_id, approved=True)
    with pytest.raises(AccessDenied, match="2 of 2 used") as caught:
        read()
    assert caught.value.exit_code == 14
    assert caught.value.decision.approval.status == "approved"  # type: ignore[union-attr]
    assert enforce(load_grant("records"), "read", budgets=MemoryBudgets())


@pytest.mark.parametrize("fails_at", ["peek", "take"])
@pytest.mark.parametrize("how", ["denies", "fails"])
def test_an_approval_is_kept_where_a_race_for_the_rate_is_lost(fails_at: str, how: str) -> None:
    """Somebody else takes the last hit between the look and the take, or the disk fails."""

    class Racing(MemoryBudgets):
        def peek(self, tool: str, action: str, limit: int, cost: int = 1) -> Any:
            return self._raced("peek", super().peek, tool, action, limit, cost)

        def take(self, tool: str, action: str, limit: int, cost: int = 1) -> Any:
            return self._raced("take", super().take, tool, action, limit, cost)

        def _raced(self, name: str, asked: Callable[..., Any], *words: Any) -> Any:
            if name != fails_at:
                return asked(*words)
            if how == "fails":
                raise make_state_unavailable_error("its disk")
            while MemoryBudgets.take(self, *words).consumed:
                continue
            return asked(*words)

    request_id = waits()
    approve_or_deny_request(request_id, approved=True)
    with pytest.raises(CortexPolicyError) as caught:
        enforce(load_grant("records"), "read", budgets=Racing())
    assert caught.value.exit_code == (14 if how == "denies" else 24)
    decision = read()
    assert (decision.allowed, decision.approval.id) == (True, request_id)


def test_a_denied_call_stays_denied_and_asks_nobody_again() -> None:
    """Until that is over."""
    request_id = waits()
    approve_or_deny_request(request_id, approved=False)
    with pytest.raises(ApprovalRequired, match=f"request `{request_id}` was denied by a human"):
        read()
    assert [plea.status for plea in list_waiting_and_answered_requests()] == ["denied"]


def test_a_denial_withdraws_an_unused_approval() -> None:
    """And no yes comes after it."""
    request_id = waits()
    approve_or_deny_request(request_id, approved=True)
    assert approve_or_deny_request(request_id, approved=False).is_changed
    with pytest.raises(CortexPolicyError, match="was denied"):
        approve_or_deny_request(request_id, approved=True)
    with pytest.raises(ApprovalRequired):
        read()


def test_a_closed_request_cannot_be_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Used, expired or unknown."""
    request_id = waits()
    approve_or_deny_request(request_id, approved=True)
    assert read()
    for approved in (True, False):
        with pytest.raises(CortexPolicyError, match="was used already"):
            approve_or_deny_request(request_id, approved=approved)
        with pytest.raises(CortexPolicyError, match="no request `x`"):
            approve_or_deny_request("x", approved=approved)
    late = waits(n=2)
    monkeypatch.setenv("CORTEX_HITL_TIMEOUT_MS", "0")
    with pytest.raises(CortexPolicyError, match="has expired"):
        approve_or_deny_request(late, approved=True)


def test_a_timeout_of_zero_denies_without_a_request(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A timeout of nothing is a no without a request."""
    monkeypatch.setenv("CORTEX_HITL_TIMEOUT_MS", "999")
    with pytest.raises(ApprovalRequired, match="leaves no time") as caught:
        read()
    assert caught.value.request_id is None
    assert not file.read_bytes()


def test_a_timeout_of_any_size_is_accepted(tmp_path: Path) -> None:
    """It is a year at most."""
    directory = tmp_path / "config/cortex-policy"
    directory.mkdir(parents=True)
    (directory / "config.toml").write_text(f"approvals.timeout_seconds = {10**400}\n")
    approve_or_deny_request(waits(), approved=True)
    assert peeked().approval.expires_in_seconds <= approval_store.MAX_TIMEOUT
    assert read()


def test_an_answer_ends_with_its_time_whatever_the_wall_clock_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time is counted from the boot, and another boot begins anew."""
    clock = approval_store.read_boot_id_and_time_since_boot
    first, second = waits(n=1), waits(n=2)
    approve_or_deny_request(first, approved=True)
    approve_or_deny_request(second, approved=True)
    monkeypatch.setattr(approval_check, "time_ns", lambda: 0)
    monkeypatch.setattr(
        approval_store,
        "read_boot_id_and_time_since_boot",
        lambda: type(clock())(clock().boot, clock().now_ns + 299 * 10**9),
    )
    assert read(n=1)
    monkeypatch.setattr(
        approval_store,
        "read_boot_id_and_time_since_boot",
        lambda: type(clock())(clock().boot, clock().now_ns + 300 * 10**9),
    )
    waits(n=2)
    monkeypatch.setattr(
        approval_store, "read_boot_id_and_time_since_boot", lambda: type(clock())("another", clock().now_ns)
    )
    waits(n=2)


def test_a_flood_is_bounded(file: Path, root: Path) -> None:
    """So many calls of a grant wait at a time; another grant is in nobody's way, nor is what is known already."""
    known = [waits(n=n) for n in range(approval_check.MAX_WAITING)]
    for n in range(100, 200):
        with pytest.raises(ApprovalRequired, match="already wait for a human") as caught:
            read(n=n)
        assert caught.value.request_id is None
    assert len(lines(file)) == approval_check.MAX_WAITING
    assert waits(n=3) == known[3]
    (root / ".cortex/policy/tools/other.json").write_text(json.dumps(RECORDS))
    with pytest.raises(ApprovalRequired, match="request `"):
        enforce(load_grant("other"), "read")


def test_a_request_too_long_to_read_is_denied(file: Path) -> None:
    """A request is a line that can be looked at."""
    with pytest.raises(ApprovalRequired, match="too long"):
        read(text="x" * (1 << 16))
    assert not file.read_bytes()


def test_old_answers_are_removed_from_the_approvals_file(file: Path) -> None:
    """Old answers go, the last ones stay."""
    grant = load_grant("records")
    for n in range(150):
        approve_or_deny_request(waits(n=n, text="x" * 1000), approved=n % 2 == 0)
        if n % 2 == 0:
            assert enforce(grant, "read", {"n": n, "text": "x" * 1000}, budgets=MemoryBudgets())
    assert file.stat().st_size < 400_000
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list_waiting_and_answered_requests()[-1].status == "denied"


def test_arguments_of_any_kind_can_be_approved() -> None:
    """Also those that JSON would not hold, or too deep."""
    deep: Any = "x"
    for _ in range(60):
        deep = [deep]
    for args in ({"b": b"\xff"}, {"n": float("nan")}, {"n": 10**5000}, {"deep": deep}, {"t": "\u202e\x1b[31m"}):
        request_id = waits(**args)
        approve_or_deny_request(request_id, approved=True)
        assert enforce(load_grant("records"), "read", args, budgets=MemoryBudgets()).approval is not None


def link(file: Path) -> None:
    """Lead elsewhere."""
    file.with_suffix(".real").write_text("")
    file.symlink_to(file.with_suffix(".real"))


def hard_link(file: Path) -> None:
    """Have two names."""
    file.write_text("")
    file.with_suffix(".other").hardlink_to(file)


def with_mode(mode: int) -> Callable[[Path], None]:
    """Let others write it."""

    def make(file: Path) -> None:
        file.write_text("")
        file.chmod(mode)

    return make


def foreign(file: Path) -> None:
    """Belong to another user."""
    file.write_text("")
    file.chmod(0o600)
    os.chown(file, CALLER, CALLER)


def huge(file: Path) -> None:
    """Be larger than any of ours."""
    with file.open("wb") as opened:
        opened.truncate(approval_store.MAX_BYTES + 1)
    file.chmod(0o600)


def shared(file: Path) -> None:
    """Lie where others can replace it."""
    file.write_text("")
    file.chmod(0o600)
    file.parent.chmod(0o777)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (link, "it is a link"), (hard_link, "more than one link"), (with_mode(0o622), "writable by everyone"),
        (with_mode(0o666), "writable by everyone"), (huge, "larger than"),
        (Path.mkdir, "it is a directory"), (os.mkfifo, "not a regular file"), (shared, "others can replace it"),
        (lambda file: file.symlink_to("nowhere"), "it is a link"),
        pytest.param(foreign, f"belongs to user {CALLER}", marks=pytest.mark.skipif(os.geteuid() != 0, reason="root alone")),
    ],
)  # fmt: skip
def test_an_unsafe_approvals_file_denies(file: Path, make: Callable[[Path], object], why: str) -> None:
    """24, and nothing is written."""
    grant = load_grant("records")
    make(file)
    before = file.lstat().st_size
    with pytest.raises(ApprovalStoreError, match=why) as caught:
        enforce(grant, "read")
    assert caught.value.exit_code == 24
    assert caught.value.hint
    assert file.lstat().st_size == before


def test_a_missing_directory_of_approvals_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to."""
    monkeypatch.setenv("CORTEX_HITL_STORE", str(tmp_path / "gone" / "hitl"))
    with pytest.raises(ApprovalStoreError, match="its directory does not exist") as caught:
        read()
    assert caught.value.hint == f"make it with `mkdir -p {tmp_path}/gone`"


def test_an_approval_by_another_user_is_refused(file: Path) -> None:
    """Even where it fits: the file became theirs after it was written."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    approve_or_deny_request(waits(), approved=True)
    os.chown(file, CALLER, CALLER)
    with pytest.raises(ApprovalStoreError, match="belongs to user"):
        read()
    os.chown(file, 0, 0)
    assert read()


def test_root_may_answer_in_the_approvals_file_of_another_user(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leaves it theirs."""
    tmp_path.chmod(0o755)
    theirs = own / "theirs"
    theirs.mkdir(mode=0o700)
    os.chown(theirs, CALLER, CALLER)
    grant = own / ".cortex/policy/tools/records.json"
    grant.write_text(json.dumps(RECORDS))
    os.chown(grant, CALLER, CALLER)
    monkeypatch.chdir(own)
    monkeypatch.setenv("CORTEX_HITL_STORE", str(theirs / "hitl"))
    monkeypatch.setenv("CORTEX_POLICY_STATE_DIR", str(theirs / "state"))
    with by_caller():
        request_id = waits()
    assert approve_or_deny_request(request_id, approved=True).is_changed
    assert (theirs / "hitl").stat().st_uid == CALLER
    with by_caller():
        assert read()


def test_lines_of_the_original_are_read_and_answered(file: Path) -> None:
    """Its answer approves our call, and ours its proposal."""
    request_id = waits()
    with file.open("a") as opened:
        opened.write(json.dumps({"type": "decision", "requestId": request_id, "approved": True, "ts": "2026"}) + "\n")
    assert read()
    proposal = {"dataClass": "sensitive", "path": "/x"}
    asked = {"id": "u-u", "type": "request", "runId": "r1", "node": "synthesize", "proposal": proposal}
    with file.open("a") as opened:
        opened.write(json.dumps(asked | {"ts": format_timestamp(time.time_ns())}) + "\n")
        opened.write(json.dumps(asked | {"id": "old", "ts": "2020-01-01T00:00:00.000Z"}) + "\n")
    found = {plea.id: plea for plea in list_waiting_and_answered_requests()}
    assert (found["u-u"].status, found["u-u"].action, found["old"].status) == ("waiting", "synthesize", "expired")
    assert approve_or_deny_request("u-u", approved=True).request.status == "approved"
    last = lines(file)[-1]
    assert (last["type"], last["requestId"], last["approved"]) == ("decision", "u-u", True)


@pytest.mark.parametrize("word", ["true", "TRUE", 1, None])
def test_an_original_that_says_another_word_than_true_approves_nothing(file: Path, word: object) -> None:
    """A string is no approval."""
    request_id = waits()
    with file.open("a") as opened:
        opened.write(json.dumps({"type": "decision", "requestId": request_id, "approved": word, "ts": "2026"}) + "\n")
    assert waits() == request_id


def test_a_torn_line_hides_no_other_line(file: Path) -> None:
    """A writer died in it."""
    first = waits(n=1)
    with file.open("a") as opened:
        opened.write('{"type":"decision","requestId":"' + first + '","appro')
    second = waits(n=2)
    approve_or_deny_request(first, approved=True)
    approve_or_deny_request(second, approved=True)
    assert read(n=1)
    assert read(n=2)


@pytest.mark.parametrize("spelled", ["{file}", "{file.parent}/./hitl.jsonl", "docs/to-store"])
def test_no_path_of_a_call_reaches_the_approvals_file(root: Path, file: Path, spelled: str) -> None:
    """Whatever the scope says."""
    waits(n=1)
    (root / "docs/to-store").symlink_to(file)
    with pytest.raises(AccessDenied, match="governs grants"):
        enforce(load_grant("model-gateway"), "chat", {"path": spelled.format(file=file)})


def test_the_approvals_file_is_beside_the_rate_state_by_default(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the same user and root alone can write."""
    monkeypatch.delenv("CORTEX_HITL_STORE")
    approve_or_deny_request(waits(), approved=True)
    assert read()
    assert (state / "approvals.jsonl").exists()
    state.chmod(0o755)
    with pytest.raises(StateError, match="open to others"):
        read()


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("CORTEX_HITL_STORE", "data/events/hitl.jsonl"), ("CORTEX_HITL_STORE", ""), ("CORTEX_HITL_TIMEOUT_MS", "soon"),
        ("CORTEX_HITL_TIMEOUT_MS", ""), ("CORTEX_HITL_TIMEOUT_MS", "-1"), ("CORTEX_HITL_TIMEOUT_MS", "1e9"),
    ],
)  # fmt: skip
def test_an_unclear_variable_of_the_original_denies(monkeypatch: pytest.MonkeyPatch, variable: str, text: str) -> None:
    """27, with its name."""
    monkeypatch.setenv(variable, text)
    with pytest.raises(GrantError, match=variable) as caught:
        read()
    assert caught.value.exit_code == 27


def test_variables_of_the_original_are_the_weakest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting at any place wins, and a lock of the system over all."""
    monkeypatch.setenv("CORTEX_HITL_TIMEOUT_MS", "2500")
    assert load_effective_settings(os.getcwd()).approvals_timeout_seconds == 2
    monkeypatch.setenv("CORTEX_POLICY_APPROVALS_FILE", str(tmp_path / "mine"))
    assert load_effective_settings(os.getcwd()).approvals_file == str(tmp_path / "mine")
    if os.geteuid() != 0:
        pytest.skip("only root can write settings of the system")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/config.toml").write_text(f'locked = ["approvals.file"]\napprovals.file = "{tmp_path}/etc/a"\n')
    monkeypatch.setattr("cortex_policy.state.SYSTEM_SETTINGS", str(tmp_path / "etc"))
    assert load_effective_settings(os.getcwd()).approvals_file == f"{tmp_path}/etc/a"


@pytest.mark.usefixtures("short_lock_wait")
def test_a_full_disk_or_a_held_lock_denies(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no line is left half."""
    approve_or_deny_request(waits(), approved=True)
    before, write = file.read_bytes(), os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[: len(data) // 2]))
        with pytest.raises(ApprovalStoreError, match="no space left"):
            read()
    assert file.read_bytes() == before
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StateError, match="another process holds it"):
            read()
    assert read()
