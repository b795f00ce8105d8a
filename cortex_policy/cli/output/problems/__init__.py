"""The formats of a report, each a pure function from the report to what is written, its last newline included."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from cortex_policy.schema.problems import Report


def _drawn_by(module: str) -> "Callable[[Report], str]":
    """Return the function `draw` of a module that is imported once it is called."""

    def draw(report: "Report") -> str:
        text: str = import_module(f"{__name__}.{module}").draw(report)
        return text

    return draw


FORMATS: "dict[str, Callable[[Report], str]]" = {
    "text": _drawn_by("text"),
    "json": _drawn_by("json_line"),
    "github": _drawn_by("github"),
    "gitlab": _drawn_by("gitlab"),
    "sarif": _drawn_by("sarif"),
    "junit": _drawn_by("junit"),
}
