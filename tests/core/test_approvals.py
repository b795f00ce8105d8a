"""Requests and answers: which lines count, for how long, and what an approval is bound to."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.approvals import (
    MAX_ANSWERED,
    MAX_LINE_BYTES,
    ApprovalRequest,
    TimeSinceBoot,
    encode_requests_to_keep,
    escape_surrogates,
    find_request_status,
    make_fingerprint_input,
    parse_approval_requests,
)
from cortex_policy.core.json_text import encode_json_line
from cortex_policy.core.model import Grant, Origin, Rate, Request, ResolvedPath

SECOND = 1_000_000_000
REQUEST = {"id": "a", "type": "request", "call": "c", "boot": "b", "at_ns": 100 * SECOND, "timeout_seconds": 60}
YES = {"type": "decision", "requestId": "a", "approved": True, "boot": "b", "at_ns": 110 * SECOND}
ORIGINAL = {"type": "decision", "requestId": "a", "approved": True, "ts": "2026-11-25T08:28:12.123Z"}
SPENT = {"type": "spend", "requestId": "a", "boot": "b", "at_ns": 120 * SECOND}


def store(*lines: object) -> bytes:
    """Return the bytes of a store; text stands as it is."""
    return b"".join(f"{line if isinstance(line, str) else json.dumps(line)}\n".encode() for line in lines)


def how(*lines: object, at: float = 120, boot: str = "b", timeout: int = 60) -> str:
    """Return how the request `a` stands so many seconds after the boot."""
    (matter,) = [one for one in parse_approval_requests(store(*lines)) if one.id == "a"]
    found = find_request_status(matter, TimeSinceBoot(boot, int(at * SECOND)), timeout)
    return found.status if found.is_live or found.status in ("used", "expired") else f"{found.status}, over"


@pytest.mark.parametrize(
    ("lines", "more", "expected"),
    [
        ((REQUEST,), {}, "waiting"),
        ((REQUEST,), {"at": 159.9}, "waiting"),
        ((REQUEST,), {"at": 160}, "expired"),
        ((REQUEST,), {"at": 99}, "expired"),
        ((REQUEST,), {"boot": "other"}, "expired"),
        ((REQUEST,), {"timeout": 10}, "expired"),
        ((REQUEST,), {"timeout": 0}, "expired"),
        ((REQUEST,), {"at": 200, "timeout": 1000}, "expired"),
        ((REQUEST, YES), {}, "approved"),
        ((REQUEST, YES), {"at": 169}, "approved"),
        ((REQUEST, YES), {"at": 170}, "expired"),
        ((REQUEST, YES), {"at": 109}, "expired"),
        ((REQUEST, YES), {"boot": "other"}, "expired"),
        ((REQUEST, YES | {"boot": "other"}), {}, "expired"),
        ((REQUEST, YES | {"at_ns": 161 * SECOND}), {"at": 165}, "expired"),
        ((REQUEST, YES | {"at_ns": 99 * SECOND}), {}, "expired"),
        ((REQUEST, YES | {"at_ns": None}), {}, "expired"),
        ((REQUEST, YES, SPENT), {}, "used"),
        ((REQUEST, YES, YES, SPENT, YES), {}, "used"),
        ((REQUEST, YES, REQUEST), {}, "used"),
        ((REQUEST, YES | {"approved": False}), {}, "denied"),
        ((REQUEST, YES | {"approved": False}), {"at": 170}, "denied, over"),
        ((REQUEST, YES, YES | {"approved": False}), {}, "denied"),
        ((REQUEST, YES | {"approved": False}, YES), {}, "denied"),
        ((REQUEST, ORIGINAL), {}, "approved"),
        ((REQUEST, ORIGINAL), {"at": 160}, "expired"),
        ((REQUEST, ORIGINAL | {"approved": False}), {}, "denied"),
        ((YES, REQUEST), {}, "waiting"),
        ((REQUEST, YES | {"requestId": "A"}), {}, "waiting"),
        ((REQUEST | {"at_ns": True},), {}, "expired"),
        ((REQUEST | {"timeout_seconds": 1e9},), {}, "expired"),
    ],
)
def test_a_request_has_one_status_by_its_clock_and_answers(
    lines: tuple[object, ...], more: dict[str, Any], expected: str
) -> None:
    """By its own clock and its answers: one no outweighs every yes, and what is used stays so."""
    assert how(*lines, **more) == expected


@pytest.mark.parametrize("word", ["true", "yes", 1, 1.0, None, [True], {"approved": True}])
@pytest.mark.parametrize("line", [YES, ORIGINAL])
def test_only_a_boolean_approves(line: dict[str, object], word: object) -> None:
    """And what is neither is no answer at all."""
    assert how(REQUEST, line | {"approved": word}) == "waiting"


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(YES)[:-1], json.dumps(YES)[1:], "x" + json.dumps(YES), "[]", "null", "\ufeff" + json.dumps(YES),
        json.dumps(YES)[:-1] + ', "approved": false}', json.dumps(YES)[:-1] + ', "approved": true}',
        json.dumps(YES | {"x": "y" * MAX_LINE_BYTES}), json.dumps(YES).replace("true", "NaN"),
        json.dumps(YES | {"type": "Decision"}), json.dumps(YES | {"type": ["decision"]}),
        json.dumps({"kind": "decision", "id": "x", "requestId": "a", "decision": "approve", "by": "me", "at": "now"}),
        json.dumps(YES | {"requestId": ["a"]}),
    ],
)  # fmt: skip
def test_an_unreadable_line_does_not_answer(line: str) -> None:
    """Torn, with a key twice, too long, or of another kind; and it takes no other line with it."""
    assert how(REQUEST, line) == "waiting"
    assert how(REQUEST, line, YES) == "approved"


@given(
    st.lists(st.sampled_from([REQUEST, YES, ORIGINAL, SPENT, YES | {"approved": False}]), max_size=6),
    st.integers(0, 300), st.integers(0, 100), st.sampled_from(["b", "c"]),
)  # fmt: skip
def test_no_order_of_lines_approves_what_is_used_denied_or_late(
    lines: list[dict[str, object]], at: int, timeout: int, boot: str
) -> None:
    """Whatever the clock says."""
    for matter in parse_approval_requests(store(*lines)):
        found = find_request_status(matter, TimeSinceBoot(boot, at * SECOND), timeout)
        if found.status == "approved":
            rest = lines[lines.index(REQUEST) :]
            assert not any(line in (SPENT, YES | {"approved": False}) for line in rest)
            assert YES in rest or ORIGINAL in rest
            assert boot == "b"
            assert 100 <= at < 110 + min(60, timeout)


ORIGIN = Origin("/r", "/r/g", "0" * 64, (1, 2), (1, 3), (1, 4))
GRANT = Grant("g", "t", ("a",), Rate(1), {}, "sensitive", (), ORIGIN)
CALL = Request("a", {"n": 1, "path": "x"}, (ResolvedPath("path", "x", "x", "x", "/r/x"),))


def bound(args: object = None, cwd: str | None = "/r", uid: int = 0, origin: Origin = ORIGIN, **more: Any) -> str:
    """Return what a call is bound to, but for these."""
    call = {"action": CALL.action, "args": CALL.args if args is None else args, "paths": CALL.paths, **more}
    return make_fingerprint_input(GRANT, origin, Request(**call), cwd, uid)


def test_the_same_call_is_bound_to_the_same_text() -> None:
    """In whatever order its arguments come."""
    assert bound() == bound({"path": "x", "n": 1})
    assert bound({"n": [{"b": 1, "a": (2,)}]}) == bound({"n": [{"a": [2], "b": 1}]})


def test_each_part_of_a_call_makes_another_text() -> None:
    """Also where two values would be one in JSON."""
    values = [
        1, 1.0, True, "1", None, [1], [[1]], {"i": "0x1"}, {"f": "0x1"}, {"{": []}, {}, [], "", math.nan, "NaN", 0.0,
        -0.0, 0, 2**64, 2**64 + 1, 10**5000, "\udcff", "\\udcff", "\xff", "a\x00", ["a", "b"], ["a,b"], "ab", 0x10, "0x10",
    ]  # fmt: skip
    texts = [bound({"n": value}) for value in values]
    others = [
        bound(), bound(cwd="/"), bound(cwd=None), bound(uid=1), bound(action="b"), bound(cost=2), bound({"m": 1}), bound({}),
        bound(paths=(ResolvedPath("path", "x", "x", "y", "/r/y"),)), bound(paths=()),
        *(bound(origin=Origin(*part)) for part in (
            ("/s", "/r/g", "0" * 64, (1, 2), (1, 3), (1, 4)), ("/r", "/r/g", "1" * 64, (1, 2), (1, 3), (1, 4)),
            ("/r", "/r/g", "0" * 64, (1, 9), (1, 3), (1, 4)),
        )),
    ]  # fmt: skip
    assert len({*texts, *others}) == len(texts) + len(others)
    assert make_fingerprint_input(Grant("h", "t", ("a",), Rate(1), {}), ORIGIN, CALL, "/r", 0) != bound()


def test_useful_lines_are_kept_and_stay_together() -> None:
    """What lives, what another program asks, and the last answers; no yes stays without what used it."""
    foreign = {"id": "f", "type": "request", "runId": "r", "node": "n", "proposal": {}, "ts": "2020-01-01T00:00:00Z"}
    names = [f"n{number}" for number in range(MAX_ANSWERED + 5)]
    over = [line | {"id": name, "requestId": name} for name in names for line in (REQUEST, YES, SPENT)]
    late = REQUEST | {"id": "late", "at_ns": 0}
    text = encode_requests_to_keep(
        parse_approval_requests(store(*over, late, "{torn", foreign, REQUEST, YES)),
        TimeSinceBoot("b", 120 * SECOND),
        60,
    )
    found = parse_approval_requests(text)
    assert [one.id for one in found] == [*names[5:], "f", "a"]
    assert all(one.is_used for one in found[:-2])
    assert [len(one.lines) for one in found[-3:]] == [3, 1, 2]
    assert encode_requests_to_keep(found, TimeSinceBoot("other", 120 * SECOND), 60) == store(foreign)


def test_a_line_is_read_as_it_was_written() -> None:
    """With lone surrogates as text, which JSON would not hold."""
    line = encode_json_line(REQUEST | {"proposal": {"cwd": escape_surrogates("\udcff\u202e")}})
    assert line.isascii()
    (matter,) = parse_approval_requests(line)
    assert isinstance(matter, ApprovalRequest)
    assert matter.members["proposal"] == {"cwd": "\\udcff\u202e"}
