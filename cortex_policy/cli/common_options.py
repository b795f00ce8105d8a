"""The arguments and options that several commands have: one declaration each, so that they are alike everywhere.

A test holds every command to it: an option of one of these names is this one.
"""

from enum import StrEnum
from math import isnan
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT_HELP = "The directory that holds .cortex/policy."
JSON_HELP = "Output JSON on a single line."


def make_integer_parser(minimum: int | None = None) -> "Callable[[str], int]":
    """Return a function that reads an integer, of at least `minimum`."""
    expected = "an integer" if minimum is None else f"an integer of at least {minimum}"

    def parse(text: str) -> int:
        """Return the integer; a text that is none, or too small, is a usage error."""
        try:
            number = int(text)
        except ValueError:
            raise _wrong_value_error(text, expected) from None
        if minimum is not None and number < minimum:
            raise _wrong_value_error(text, expected)
        return number

    return parse


def make_number_parser(maximum: float = float("inf")) -> "Callable[[str], float]":
    """Return a function that reads a number from 0 to `maximum`."""
    expected = "a number of at least 0" if maximum == float("inf") else f"a number from 0 to {maximum:g}"

    def parse(text: str) -> float:
        """Return the number; a text that is none, NaN, or out of range, is a usage error."""
        try:
            number = float(text)
        except ValueError:
            raise _wrong_value_error(text, expected) from None
        if isnan(number) or not 0 <= number <= maximum:
            raise _wrong_value_error(text, expected)
        return number

    return parse


def _wrong_value_error(text: str, expected: str) -> typer.BadParameter:
    return typer.BadParameter(f"`{text}` is not {expected}")


def declare_value_option(metavar: str, sentence: str) -> object:
    """Declare an option with a value, named like its parameter."""
    return typer.Option(metavar=metavar, help=sentence)


GrantArgument = Annotated[str, typer.Argument(metavar="GRANT", help="Id of the grant.", show_default=False)]
StampedFileArgument = Annotated[
    str | None,
    typer.Argument(metavar="GRANT", help="Id of a grant, or `hooks.toml`; default: all.", show_default=False),
]
LogArgument = Annotated[
    str | None, typer.Argument(metavar="LOG", help="An audit log; default: `audit.file`.", show_default=False)
]
OptionalGrantArgument = Annotated[
    str | None, typer.Argument(metavar="GRANT", help="Id of the grant.", show_default=False)
]


class TableFormat(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    TSV = "tsv"


TableOption = Annotated[
    TableFormat | None,
    typer.Option(
        "--output",
        metavar="table|tsv",
        show_default=False,
        help="Print a table, or lines with tabs; default: a table only on a terminal.",
    ),
]
RootOption = Annotated[str | None, typer.Option("--root", metavar="DIR", help=ROOT_HELP)]
SocketOption = Annotated[
    str | None,
    typer.Option(
        "--socket", metavar="PATH", help="Listen on this socket; only you may use its directory.", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help=JSON_HELP)]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="Print only errors and hints.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print what would be written; write nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
WideningOption = Annotated[
    bool, typer.Option("--allow-widening", help="Save without asking, even if more may be allowed than before.")
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Continue with the text that the last session did not save.")
]
WaitOption = Annotated[
    float,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        parser=make_number_parser(),
        show_default=False,
        help="If another command is writing, wait up to SECONDS for it.",
    ),
]
NumberOption = Annotated[
    int | None,
    typer.Option(
        "-n",
        "--number",
        metavar="N",
        parser=make_integer_parser(0),
        show_default=False,
        help="Show at most the last N.",
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="WHEN", help="Only calls since a time: `24h`, `90m` or `7d` ago, or a date."),
]
GrantOption = Annotated[
    str | None, typer.Option("--grant", metavar="GRANT", help="Only calls of this grant.", show_default=False)
]
