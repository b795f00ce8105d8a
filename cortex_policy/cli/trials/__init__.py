"""What came of cases, in each format: a pure function from the outcome to what is written."""

from importlib import import_module
from typing import TYPE_CHECKING

from cortex_policy.cli.trials.text import summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from cortex_policy.manage.testing import Outcome

__all__ = ["FORMATS", "summary"]


def _drawn_by(module: str) -> "Callable[[Outcome, bool], str]":
    def draw(outcome: "Outcome", colour: bool) -> str:  # noqa: FBT001 - it has no default
        text: str = import_module(f"{__name__}.{module}").draw(outcome, colour)
        return text

    return draw


FORMATS = {name: _drawn_by(module) for name, module in (("text", "text"), ("json", "members"), ("junit", "junit"))}
