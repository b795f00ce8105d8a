"""What would allow calls that the log says were denied."""

import json
from pathlib import Path

import pytest

from cortex_policy.core.model import Settings
from cortex_policy.manage.approvals import RequestDetails
from cortex_policy.manage.audit.reader import ReadCounts, decode_calls
from cortex_policy.manage.denied_calls_with_remedies import DeniedCalls, Remedies, group_denied_calls_with_remedies
from cortex_policy.state import Root
from tests.support.logs import event, on_path
from tests.support.roots import grant_file


@pytest.fixture
def found_root(root: Path) -> Root:
    """Let the grant declare an argument."""
    grant = {
        "tool": "git", "actions": ["tree"], "rate": {"perMinute": 3}, "fsScope": ["docs/"],
        "args": {"path": {"type": "string", "format": "path"}, "depth": {"type": "integer", "maximum": 5}},
    }  # fmt: skip
    grant_file(root).write_text(json.dumps(grant))
    return Root(str(root), trusts_owner=False)


def remedies(root: Root, *, waiting: str = "", is_stopped: bool = False, sensitive: str = "ask") -> Remedies:
    """Return what finds commands."""
    unknown = dict.fromkeys(RequestDetails.__match_args__, "")
    requests = [RequestDetails(**{**unknown, "id": waiting, "status": "waiting"})] if waiting else []
    return Remedies(root, Settings(sensitive=sensitive), requests, is_stopped=is_stopped)


def denied(root: Root, *lines: str, most: int = 9, by: Remedies | None = None) -> tuple[tuple[DeniedCalls, ...], int]:
    """Return the denied calls of a log."""
    calls = list(decode_calls([line.encode() for line in lines], root.path, ReadCounts()))
    assert len(calls) == len(lines)
    return group_denied_calls_with_remedies(calls, by or remedies(root), most)


ON_DOCS = {"path": "docs/a"}
AT_DOCS = [{"argument": "path", "given": "docs/a", "collapsed": "docs/a", "landed": "docs/a", "resolved": "/r/docs/a"}]


@pytest.mark.parametrize(
    ("line", "command", "note"),
    [
        (event(0, "push", "action_not_allowed", args=ON_DOCS, paths=AT_DOCS), "set git --allow push", ""),
        (event(0, "push", "action_not_allowed", args={"path": "sha256:1"}, full=False), "set git --allow push", "does not say"),
        (event(0, "-x y", "action_not_allowed", args=ON_DOCS, paths=AT_DOCS), "set git '--allow=-x y'", ""),
        (event(0, "a,b", "action_not_allowed", args=ON_DOCS, paths=AT_DOCS), "edit git", ""),
        (event(0, "\u202etree", "action_not_allowed", args=ON_DOCS, paths=AT_DOCS), "", "cannot be typed"),
        (on_path(0, "tree", "packages/a/b", "path_outside_scope"), "set git --add-scope packages/a", ""),
        (on_path(0, "push", "packages/a/b", "action_not_allowed"), "set git --allow push --add-scope packages/a", ""),
        (on_path(0, "tree", "docs/a", "path_outside_scope"), "", "allows the call now"),
        (event(0, "tree", "path_outside_scope", args=["path"], full=False), "", "audit.args"),
        (event(0, "tree", "argument_not_allowed", args={**ON_DOCS, "depth": 9}, paths=AT_DOCS), "edit git", "`depth`"),
        (event(0, "tree", "rate_limited", args=ON_DOCS, paths=AT_DOCS), "rate reset git tree", "wait"),
        (event(0, "tree", "stopped"), "", "has ended"),
        (event(0, "tree", "approval_required"), "", "when the caller asks again"),
        (event(0, "tree", "grant_not_found", grant="jira"), "new jira", ""),
        (event(0, "tree", "grant_not_found", args=ON_DOCS, paths=AT_DOCS), "", "allows the call now"),
        (event(0, "tree", "grant_invalid"), "edit git", "fixed"),
        (event(0, "tree", "stamp_mismatch"), "stamp write", "look at the change"),
        (event(0, "tree", "state_unavailable"), "doctor", ""),
        (event(0, "Bash", "action_not_allowed", grant="hooks.toml"), "hook edit", "hooks"),
    ],
)  # fmt: skip
def test_each_reason_has_its_command_or_says_why_there_is_none(
    found_root: Root, line: str, command: str, note: str
) -> None:
    """It names the root, since it is typed anywhere."""
    (one,), more = denied(found_root, line)
    assert one.command == (f"cortex-policy {command} --root {found_root.path}" if command else "")
    assert note in one.note
    assert more == 0


def test_what_is_denied_at_this_moment_has_the_command_for_this_moment(found_root: Root) -> None:
    """A stop in force, a setting that denies, a grant that cannot be decoded."""
    stopped = denied(found_root, event(0, "tree", "stopped"), by=remedies(found_root, is_stopped=True))
    assert stopped[0][0].command == f"cortex-policy resume --root {found_root.path}"
    strict = denied(found_root, event(0, "tree", "approval_required"), by=remedies(found_root, sensitive="deny"))
    assert strict[0][0].command.startswith("cortex-policy config get sensitive")
    grant_file(found_root).write_text("{")
    broken = denied(found_root, event(0, "push", "action_not_allowed"))
    assert broken[0][0].command.startswith("cortex-policy edit git ")


def test_equal_calls_are_one_and_the_newest_come_first(found_root: Root) -> None:
    """An agent may try a hundred times."""
    lines = [event(number, "push", "action_not_allowed") for number in range(5)]
    lines += [event(6, "pull", "action_not_allowed"), event(7, "tree"), event(8, "push", "action_not_allowed")]
    lines += [event(9, "fetch", "action_not_allowed", peek=True)]
    calls, more = denied(found_root, *lines)
    assert [(one.action, one.count) for one in calls] == [("push", 6), ("pull", 1)]
    assert calls[0].at > calls[1].at
    assert more == 0
    assert denied(found_root, *lines, most=1)[1] == 1


def test_a_call_that_waits_is_not_among_the_denied_ones(found_root: Root) -> None:
    """It has its own place, with the command that approves it."""
    lines = [event(number, "tree", "approval_required", approval=name) for number, name in enumerate(("a1", "b2"))]
    lines.append(event(3, "push", "approval_required", approval={"no": "word"}))
    calls, _ = denied(found_root, *lines, by=remedies(found_root, waiting="b2"))
    assert [(one.action, one.count) for one in calls] == [("push", 1), ("tree", 1)]


def test_a_pattern_that_takes_too_long_denies_no_operator_the_page(found_root: Root) -> None:
    """All denials of a page share a bound on the steps of patterns."""
    grant = {
        "tool": "git", "actions": ["tree"], "rate": {"perMinute": 3},
        "args": {"q": {"type": "string", "pattern": "^(a+)+$"}},
    }  # fmt: skip
    grant_file(found_root).write_text(json.dumps(grant))
    (one,), _ = denied(found_root, event(0, "tree", "argument_not_allowed", args={"q": "a" * 5000 + "b"}))
    assert one.note
