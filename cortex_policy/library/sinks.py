"""Where the events of answered calls may go: Python's logging, a callable, OpenTelemetry."""

from typing import TYPE_CHECKING, Any

from cortex_policy.core.model import UsageError
from cortex_policy.core.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.metrics import Meter

LOGGER = "cortex_policy.audit"
COUNTER = "cortex_policy.decisions"
SPAN_EVENT = "cortex_policy.decision"


class CallableSink:
    """Hands each event to a function: the publisher of a bus, the `append` of a list."""

    def __init__(self, function: "Callable[[Mapping[str, object]], object]") -> None:
        """Take the function; what it returns is dropped, so that it must not be a coroutine function."""
        self._function = function

    def record(self, event: "Mapping[str, object]", /) -> None:
        """Call it."""
        self._function(event)


class LoggingSink:
    """Logs a line for each event, with the event as the attribute `cortex_event` of the record.

    What was allowed is of level INFO, what was not of level WARNING.
    """

    def __init__(self, logger: str = LOGGER) -> None:
        """Name the logger."""
        import logging  # noqa: PLC0415 - 14 ms, and only this sink needs it

        self._logger, self._yes, self._no = logging.getLogger(logger), logging.INFO, logging.WARNING

    def record(self, event: "Mapping[str, object]", /) -> None:
        """Log it."""
        data = _data(event)
        line = printable(f"{data['grant']} {data['action']}: {data['reason']}")
        self._logger.log(self._yes if data["decision"] else self._no, "%s", line, extra={"cortex_event": dict(event)})


class OpenTelemetrySink:
    """Adds an event to the current span, and counts the decision; takes the extra `otel`.

    The counter `cortex_policy.decisions` has the attributes decision, reason and grant: all of few values. The event
    `cortex_policy.decision` names the action, the version and the run as well, and no argument.
    """

    def __init__(self, meter: "Meter | None" = None) -> None:
        """Take the meter to count with, else the global one; raise UsageError where the library is not installed."""
        try:
            from opentelemetry import metrics, trace  # noqa: PLC0415 - an extra
        except ImportError:
            hint = "install it with `pip install 'cortex-policy[otel]'`"
            raise UsageError("opentelemetry is not installed", hint) from None
        self._span = trace.get_current_span
        meter = metrics.get_meter("cortex_policy") if meter is None else meter
        self._counter = meter.create_counter(COUNTER, unit="{decision}", description="Answered calls.")

    def record(self, event: "Mapping[str, object]", /) -> None:
        """Count it, and note it in the span."""
        data = _data(event)
        counted = {"decision": data["decision"], "reason": data["reason"], "grant": data["grant"]}
        self._counter.add(1, {f"cortex_policy.{name}": value for name, value in counted.items()})
        told = counted | {"action": data["action"], "version": data["version"], "run": event.get("subject")}
        told["event_id"] = event["id"]
        present = {f"cortex_policy.{name}": value for name, value in told.items() if value is not None}
        self._span().add_event(SPAN_EVENT, present)


def _data(event: "Mapping[str, object]") -> "dict[str, Any]":
    data = event["data"]
    if not isinstance(data, dict):
        raise TypeError(f"`data` of an event is a mapping, not `{type(data).__name__}`")
    return {**data, "reason": str(data["reason"])}
