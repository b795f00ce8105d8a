"""A line of the audit log: what it says at each level, and that nothing breaks it."""

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.audit_event import (
    FINGERPRINTS,
    FULL,
    MAX_LINE_BYTES,
    NAMES,
    Event,
    event_to_cloudevent_line,
    parse_trace_id_or_none,
)
from cortex_policy.core.model import ResolvedPath
from cortex_policy.library.event_delivery.event_requests import is_event_line
from tests.support.logs import digest

AT = 1_795_595_292_123_456_789
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PLACES = (ResolvedPath("path", "docs", "docs", "", "/r", error="holds a NUL"), ResolvedPath("file", "/x"))


def fingerprint(text: str) -> str:
    """Return the fingerprint of a canonical text."""
    return f"sha256:{digest(text.encode())[:16]}"


def event(**more: Any) -> Event:
    """Return an event, as a call would make it."""
    members: dict[str, Any] = {
        "id": "00" * 16, "at_ns": AT, "grant": "git", "tool": "git-map", "action": "tree", "args": {"path": "docs", "n": 1.0},
        "is_allowed": True, "reason": "allowed", "places": PLACES, "root": "/r", "cwd": "/r/docs",
    }  # fmt: skip
    return Event(**members | more)


def read(one: Event, detail: str) -> dict[str, Any]:
    """Return what a reader finds."""
    text = event_to_cloudevent_line(one, detail, digest)
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    found: dict[str, Any] = json.loads(text)
    return found


def test_an_event_is_a_cloud_event_whose_data_says_what_was_answered() -> None:
    """Fingerprints stand in place of arguments and root; what is not known is null or absent."""
    assert read(event(), FINGERPRINTS) == {
        "specversion": "1.0",
        "id": "00" * 16,
        "source": "cortex.policy/git-map",
        "type": "com.cortex.git-map.tree",
        "time": "2026-11-25T08:28:12.123456Z",
        "datacontenttype": "application/json",
        "data": {
            "decision": True, "reason": "allowed", "grant": "git", "action": "tree", "version": None,
            "args": {"path": fingerprint('"docs"'), "n": fingerprint("1")}, "traceId": None, "brand": "brAInwav",
            "component": "policy", "root": fingerprint("/r"),
        },
    }  # fmt: skip


def test_audit_args_names_records_names_alone() -> None:
    """In the order they were given."""
    data = read(event(), NAMES)["data"]
    assert data["args"] == ["path", "n"]
    assert data["root"] == fingerprint("/r")
    assert not {"cwd", "cost", "paths"} & data.keys()


def test_audit_args_full_records_enough_to_decide_again() -> None:
    """A place that lands on the root says so; what lies outside of it has no `landed`."""
    data = read(event(cost=3, is_peek=True), FULL)["data"]
    assert data["args"] == {"path": "docs", "n": 1.0}
    assert (data["root"], data["cwd"], data["cost"], data["peek"]) == ("/r", "/r/docs", 3, True)
    assert data["paths"] == [
        {
            "argument": "path",
            "given": "docs",
            "collapsed": "docs",
            "landed": "",
            "resolved": "/r",
            "fault": "holds a NUL",
        },
        {"argument": "file", "given": "/x"},
    ]


def test_unknown_values_are_left_out_of_an_event() -> None:
    """No root, no directory, no path that was resolved."""
    data = read(event(root=None, cwd=None, places=None), FULL)["data"]
    assert data["root"] is None
    assert data["cwd"] is None
    assert "paths" not in data
    assert read(event(root=None), NAMES)["data"]["root"] is None


def test_run_trace_and_version_are_passed_on() -> None:
    """As whoever correlates logs expects them."""
    found = read(event(run="nightly-7", trace=TRACE, version=42), NAMES)
    assert found["subject"] == "nightly-7"
    assert (found["data"]["traceId"], found["data"]["version"]) == (TRACE, 42)


@pytest.mark.parametrize("detail", [NAMES, FINGERPRINTS, FULL])
def test_no_name_or_value_breaks_a_line(detail: str) -> None:
    """Line breaks, quotes, surrogates, numbers that are none."""
    hostile = 'a"\n\r\u2028\x1b[31m\udcff/%\\'
    args = {hostile: [hostile, math.nan, math.inf, 10**5000, {hostile: None}]}
    found = read(event(tool=hostile, grant=hostile, action=hostile, args=args, run=hostile, root=hostile), detail)
    assert found["data"]["action"] == found["data"]["grant"] == hostile
    assert found["source"] == "cortex.policy/a%22%0A%0D%E2%80%A8%1B%5B31m%ED%B3%BF%2F%25%5C"
    assert found["type"].isprintable()
    assert found["subject"].isprintable()


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
)


@given(st.dictionaries(st.text(st.characters()), values, max_size=4), st.sampled_from([NAMES, FINGERPRINTS, FULL]))
def test_any_arguments_make_one_line(args: dict[str, object], detail: str) -> None:
    """And each of them is in it."""
    found = read(event(args=args), detail)["data"]["args"]
    assert list(found) == list(args)


@pytest.mark.parametrize(
    ("detail", "args", "kind"),
    [
        (FULL, {"x": "y" * MAX_LINE_BYTES}, dict), (FULL, {f"{n:01000}": n for n in range(2000)}, type(None)),
        (FINGERPRINTS, {f"{n:01000}": n for n in range(2000)}, type(None)), (NAMES, {"x" * MAX_LINE_BYTES: 1}, type(None)),
        (FULL, {"x": "y" * (MAX_LINE_BYTES - 1000)}, dict), (FULL, {"x": "\x1b" * (MAX_LINE_BYTES // 6)}, dict),
    ],
)  # fmt: skip
def test_a_line_that_would_be_too_long_says_less(detail: str, args: dict[str, object], kind: type) -> None:
    """Fingerprints, then nothing; what is no longer full has no working directory, so that readers can tell."""
    data = read(event(args=args, places=()), detail)["data"]
    assert isinstance(data["args"], kind)
    assert ("cwd" in data) == (data["args"] == args)
    assert len(event_to_cloudevent_line(event(args=args, places=()), detail, digest)) <= MAX_LINE_BYTES


@pytest.mark.parametrize("name", ["action", "run", "grant", "tool"])
def test_no_name_makes_a_line_that_readers_skip(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is what its caller says, and a call is no secret because it has a long one."""
    monkeypatch.setattr("cortex_policy.core.audit_event.MAX_LINE_BYTES", 9000)
    line = event_to_cloudevent_line(event(**{name: "x" + "\x80" * 9000}), FULL, digest)
    assert len(line) <= 9000
    assert is_event_line(line.removesuffix(b"\n"))
    assert not re.search(rb"%[0-9A-F]?\\.", line)


@pytest.mark.parametrize(
    ("traceparent", "trace"),
    [
        (f"00-{TRACE}-{SPAN}-01", TRACE), (f"01-{TRACE}-{SPAN}-01-more", TRACE), (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None), (f"00-{'0' * 32}-{SPAN}-01", None), (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None), (f"00-{TRACE[1:]}-{SPAN}-01", None), (f"00-{TRACE}-{SPAN}-1", None),
        (f"00-{TRACE}-{SPAN}", None), ("", None), ("---", None), (f"0-{TRACE}-{SPAN}-01", None), (f"00-{TRACE}-{SPAN}-0x", None),
    ],
)  # fmt: skip
def test_a_trace_is_taken_from_a_valid_traceparent_alone(traceparent: str, trace: str | None) -> None:
    """Of later versions the first four parts."""
    assert parse_trace_id_or_none(traceparent) == trace
