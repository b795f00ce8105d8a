"""The formats of a report: pure functions from the report to its text, with the last newline."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cortex_policy.schema.problems import Report


def _lazy_renderer(module: str) -> "Callable[[Report], str]":
    """Return the `render_report` of a module, which is imported when it is first called."""

    def render_report(report: "Report") -> str:
        """Import the module and let it render: a run loads only the formats that it writes."""
        text: str = import_module(f"{__name__}.{module}").render_report(report)
        return text

    return render_report


FORMATS: "dict[str, Callable[[Report], str]]" = {
    "text": _lazy_renderer("text"),
    "json": _lazy_renderer("json_report"),
    "github": _lazy_renderer("github"),
    "gitlab": _lazy_renderer("gitlab"),
    "sarif": _lazy_renderer("sarif"),
    "junit": _lazy_renderer("junit"),
}
