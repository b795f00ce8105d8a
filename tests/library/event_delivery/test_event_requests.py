"""Events as HTTP requests, read by the SDK of CloudEvents."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.audit_event import Event, to_cloudevent
from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.library.event_delivery.event_requests import (
    BATCH,
    BINARY,
    STRUCTURED,
    is_event_line,
    make_event_request,
)
from cortex_policy.state import compute_sha256_hex
from tests.support.event_receiver import format_event_line

http = pytest.importorskip("cloudevents.core.bindings.http")
TEXTS = st.text(min_size=1, max_size=30)


def event_of(tool: str, action: str, run: str = "", **args: object) -> tuple[dict[str, Any], bytes]:
    """Return the event of a call, and its line."""
    event = Event(
        "a1", 1_764_500_000_123_456_789, "git", tool, action, args, is_allowed=True, reason="allowed", run=run
    )
    members = to_cloudevent(event, "full", compute_sha256_hex)
    return members, format_ascii_json(members, ",", ":").encode()


def check_sdk_reads(read: Any, sent: dict[str, Any]) -> None:
    """Compare what the SDK has read with the event."""
    attributes = read.get_attributes()
    time = attributes.pop("time")
    assert time.isoformat().replace("+00:00", "Z") == sent["time"]
    assert attributes == {name: value for name, value in sent.items() if name not in ("data", "time")}
    data = read.get_data()
    assert (json.loads(data) if isinstance(data, bytes | str) else data) == sent["data"]


@given(TEXTS, TEXTS, st.text(max_size=30))
def test_the_sdk_reads_what_was_sent_in_each_mode(tool: str, action: str, run: str) -> None:
    """Whatever a caller names as tool, action and run."""
    sent, line = event_of(tool, action, run, path="docs/x")
    assert is_event_line(line)
    binary = make_event_request([line], BINARY)
    check_sdk_reads(http.from_binary_event(http.HTTPMessage(dict(binary.headers), binary.body)), sent)
    structured = make_event_request([line], STRUCTURED)
    check_sdk_reads(http.from_structured_event(http.HTTPMessage(dict(structured.headers), structured.body)), sent)
    batch = make_event_request([line, line], BATCH)
    for part in json.loads(batch.body):
        check_sdk_reads(
            http.from_structured_event(http.HTTPMessage(dict(structured.headers), json.dumps(part).encode())), sent
        )


@given(TEXTS, TEXTS, TEXTS)
def test_no_event_can_add_a_header(tool: str, action: str, run: str) -> None:
    """Each value is printable ASCII without spaces and quotes."""
    _, line = event_of(tool, action, run)
    for name, value in make_event_request([line], BINARY).headers[1:]:
        assert name.startswith("ce-")
        assert all("!" <= character <= "~" and character != '"' for character in value)


def test_the_content_types_are_those_of_the_binding() -> None:
    """A batch has one of its own."""
    line = format_event_line("1")
    types = [dict(make_event_request([line], mode).headers)["Content-Type"] for mode in (STRUCTURED, BINARY, BATCH)]
    assert types == [
        "application/cloudevents+json; charset=utf-8",
        "application/json",
        "application/cloudevents-batch+json; charset=utf-8",
    ]
    assert make_event_request([line, line], BATCH).body == b"[" + line + b"," + line + b"]"


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{}", b"[]", b"junk", b"\xff", b"\0" * 50, b"[" * 100_000, format_event_line("1")[:-4],
        format_event_line("1", specversion="0.3"), format_event_line(""), format_event_line("1", type="org.example.other"),
        format_event_line("1", time=7), format_event_line("1", datacontenttype="text/plain"), format_event_line("1", data=[1]),
        format_event_line("1", **{"x-y": "a"}), format_event_line("1", **{"x\r\ny": "a"}), format_event_line("1", subject="a\nb"),
        format_event_line("1", data={"x": float("nan")}),
    ],
)  # fmt: skip
def test_a_line_that_is_no_event_of_ours_is_not_sent(line: bytes) -> None:
    """Torn lines, lines of other programs, and what no receiver could read."""
    assert not is_event_line(line)
