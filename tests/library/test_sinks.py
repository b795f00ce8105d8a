"""Sinks: which events they get, and what happens to a call if one of them fails."""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cortex_policy import (
    AccessDenied,
    CallableSink,
    CortexPolicyError,
    LoggingSink,
    OpenTelemetrySink,
    Sink,
    StateError,
    enforce,
    load_grant,
)
from cortex_policy.core.model import UsageError
from cortex_policy.manage.audit.reader import ReadCounts, decode_calls


class Failing:
    """A sink that always fails."""

    def record(self, event: Mapping[str, object], /) -> None:
        raise ConnectionError(f"no bus for {event['id']}")


def both(*sinks: Sink) -> None:
    """Make a call that is allowed, and one that is denied."""
    assert enforce(load_grant("git"), "tree", {"path": "docs/x"}, sinks=sinks)
    with pytest.raises(AccessDenied):
        enforce(load_grant("git"), "pu\x1bsh", sinks=sinks)


@pytest.mark.usefixtures("root")
def test_each_sink_gets_the_event_of_each_call() -> None:
    """As the log would have it, even without a log; also if there is no decision."""
    got: list[Mapping[str, Any]] = []
    both(CallableSink(got.append), CallableSink(got.append))
    assert [event["data"]["decision"] for event in got] == [True, True, False, False]
    assert [event["data"]["reason"] for event in got[::2]] == ["allowed", "action_not_allowed"]
    assert got[0]["data"]["args"]["path"].startswith("sha256:")
    grant = load_grant("git")
    object.__setattr__(grant, "origin", None)
    with pytest.raises(CortexPolicyError):
        enforce(grant, "tree", sinks=[CallableSink(got.append)])
    assert got[-1]["data"]["reason"] == "grant_invalid"


@pytest.mark.usefixtures("root")
def test_a_sink_gets_what_the_log_gets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same id, the same detail of arguments, and no digest."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ARGS", "names")
    got: list[Mapping[str, Any]] = []
    both(CallableSink(got.append))
    lines = (tmp_path / "log").read_bytes().splitlines()
    for event, line in zip(got, lines, strict=True):
        assert str(event["id"]).encode() in line
    assert got[0]["data"]["args"] == ["path"]
    assert "chain" not in got[0]["data"]
    assert len(list(decode_calls(lines, None, ReadCounts()))) == 2


@pytest.mark.usefixtures("root")
def test_a_call_is_denied_if_a_sink_fails_unless_that_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the sink and the reason. If it is ignored, the other sinks still get the event."""
    got: list[Mapping[str, Any]] = []
    with pytest.raises(StateError, match="audit sink `Failing`: ConnectionError: no bus") as caught:
        enforce(load_grant("git"), "tree", sinks=[Failing(), CallableSink(got.append)])
    assert caught.value.exit_code == 24
    assert "`audit.on_error`" in caught.value.hint
    assert isinstance(caught.value.__cause__, ConnectionError)
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ON_ERROR", "ignore")
    both(Failing(), CallableSink(got.append))
    assert len(got) == 2


@pytest.mark.usefixtures("root")
def test_a_sink_gets_the_event_even_if_the_log_fails_and_that_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the log gets it even if a sink fails."""
    (tmp_path / "directory").mkdir()
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "directory"))
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ON_ERROR", "ignore")
    got: list[Mapping[str, Any]] = []
    both(CallableSink(got.append))
    assert len(got) == 2
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "log"))
    both(Failing())
    assert len((tmp_path / "log").read_bytes().splitlines()) == 2


@pytest.mark.usefixtures("root")
def test_logging_gets_a_line_that_a_terminal_can_show(caplog: pytest.LogCaptureFixture) -> None:
    """With the event as an attribute; a denial is a warning."""
    with caplog.at_level(logging.INFO, logger="cortex_policy.audit"):
        both(LoggingSink())
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "git tree: allowed"), ("WARNING", "git pu\\x1bsh: action_not_allowed"),
    ]  # fmt: skip
    assert caplog.records[0].__dict__["cortex_event"]["data"]["grant"] == "git"


@pytest.mark.usefixtures("root")
def test_open_telemetry_gets_an_event_in_the_span_and_a_count() -> None:
    """With the real SDK; without a span there is only the count."""
    exporter, reader = InMemorySpanExporter(), InMemoryMetricReader()
    tracer, meters = TracerProvider(), MeterProvider([reader])
    tracer.add_span_processor(SimpleSpanProcessor(exporter))
    sink = OpenTelemetrySink(meters.get_meter("test"))
    with tracer.get_tracer("test").start_as_current_span("request"):
        both(sink)
    both(sink)
    (span,) = exporter.get_finished_spans()
    assert [event.name for event in span.events] == ["cortex_policy.decision"] * 2
    attributes = dict(span.events[1].attributes or {})
    assert attributes["cortex_policy.reason"] == "action_not_allowed"
    assert attributes["cortex_policy.decision"] is False
    assert "cortex_policy.version" not in attributes
    (metric,) = points(reader)
    assert metric.name == "cortex_policy.decisions"
    counts = {point.attributes["cortex_policy.reason"]: point.value for point in metric.data.data_points}
    assert counts == {"allowed": 2, "action_not_allowed": 2}
    meters.shutdown()
    tracer.shutdown()


def points(reader: InMemoryMetricReader) -> list[Any]:
    """Return the metrics that were collected."""
    data = reader.get_metrics_data()
    assert data is not None
    return [metric for one in data.resource_metrics for scope in one.scope_metrics for metric in scope.metrics]


def test_without_open_telemetry_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a command that can be typed."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(UsageError, match="opentelemetry is not installed") as caught:
        OpenTelemetrySink()
    assert caught.value.hint == "install it with `pip install 'cortex-policy[otel]'`"


@pytest.mark.usefixtures("root")
def test_a_call_that_a_stop_denies_is_recorded_too() -> None:
    """Although the settings were not read yet."""
    got: list[Mapping[str, Any]] = []
    grant = load_grant("git")
    Path(".cortex/policy/stop").write_text("")
    with pytest.raises(AccessDenied):
        enforce(grant, "tree", sinks=[CallableSink(got.append)])
    assert got[0]["data"]["decision"] is False
