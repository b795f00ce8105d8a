"""Destinations for the events of decided calls: Python's logging, a function, OpenTelemetry."""

from typing import TYPE_CHECKING, Any

from cortex_policy.core.model import UsageError
from cortex_policy.core.text import escape_unprintable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import Meter

LOGGER = "cortex_policy.audit"
COUNTER = "cortex_policy.decisions"
SPAN_EVENT = "cortex_policy.decision"


class CallableSink:
    """Passes each event to a function, such as the publisher of a bus or the `append` of a list."""

    def __init__(self, function: "Callable[[Mapping[str, object]], object]") -> None:
        """Take the function. Its result is ignored, so it must not be a coroutine function."""
        self._function = function

    def record(self, event: "Mapping[str, object]", /) -> None:
        """Call the function."""
        self._function(event)


class LoggingSink:
    """Logs a line for each event, with the event as the attribute `cortex_event` of the record.

    An allowed call has the level INFO, a denied one WARNING.
    """

    def __init__(self, logger: str = LOGGER) -> None:
        """Take the name of the logger."""
        import logging  # noqa: PLC0415 - 14 ms, and only this sink needs it

        self._logger, self._allowed_level, self._denied_level = logging.getLogger(logger), logging.INFO, logging.WARNING

    def record(self, event: "Mapping[str, object]", /) -> None:
        """Log the event."""
        data = _event_data(event)
        line = escape_unprintable(f"{data['grant']} {data['action']}: {data['reason']}")
        level = self._allowed_level if data["decision"] else self._denied_level
        self._logger.log(level, "%s", line, extra={"cortex_event": dict(event)})


class OpenTelemetrySink:
    """Adds an event to the current span, and counts the decision; needs the extra `otel`.

    The counter `cortex_policy.decisions` has the attributes decision, reason and grant, which have few values. The
    event `cortex_policy.decision` also has the action, the version and the run, but no arguments.
    """

    def __init__(self, meter: "Meter | None" = None) -> None:
        """Take a meter, by default the global one; raise UsageError if OpenTelemetry is not installed."""
        try:
            from opentelemetry import metrics, trace  # noqa: PLC0415 - an extra
        except ImportError:
            hint = "install it with `pip install 'cortex-policy[otel]'`"
            raise UsageError("opentelemetry is not installed", hint) from None
        self._span = trace.get_current_span
        meter = metrics.get_meter("cortex_policy") if meter is None else meter
        self._counter = meter.create_counter(COUNTER, unit="{decision}", description="Answered calls.")

    def record(self, event: "Mapping[str, object]", /) -> None:
        """Count the decision and add the event to the span."""
        data = _event_data(event)
        labels = {"decision": data["decision"], "reason": data["reason"], "grant": data["grant"]}
        self._counter.add(1, {f"cortex_policy.{name}": value for name, value in labels.items()})
        attributes = labels | {"action": data["action"], "version": data["version"], "run": event.get("subject")}
        attributes["event_id"] = event["id"]
        present = {f"cortex_policy.{name}": value for name, value in attributes.items() if value is not None}
        self._span().add_event(SPAN_EVENT, present)


def _event_data(event: "Mapping[str, object]") -> "dict[str, Any]":
    data = event["data"]
    if not isinstance(data, dict):
        raise TypeError(f"`data` of an event must be a dictionary, not `{type(data).__name__}`")
    return {**data, "reason": str(data["reason"])}
