"""Options that several commands have, and how their numbers are read."""

from math import isnan
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT_HELP = "The directory that holds .cortex/policy."
JSON_HELP = "Output JSON on a single line."


def integer_parser(least: int | None = None) -> "Callable[[str], int]":
    """Return a function that reads an integer, of at least `least`."""
    wanted = "an integer" if least is None else f"an integer of at least {least}"

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise _not(text, wanted) from None
        if least is not None and number < least:
            raise _not(text, wanted)
        return number

    return parse


def number_parser(most: float = float("inf")) -> "Callable[[str], float]":
    """Return a function that reads a number from 0 to `most`."""
    wanted = "a number of at least 0" if most == float("inf") else f"a number from 0 to {most:g}"

    def parse(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise _not(text, wanted) from None
        if isnan(number) or not 0 <= number <= most:
            raise _not(text, wanted)
        return number

    return parse


def _not(text: str, wanted: str) -> typer.BadParameter:
    return typer.BadParameter(f"`{text}` is not {wanted}")


RootOption = Annotated[str | None, typer.Option("--root", metavar="DIR", help=ROOT_HELP)]
JsonOption = Annotated[bool, typer.Option("--json", help=JSON_HELP)]
