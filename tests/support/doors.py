"""The doors by which a call can be decided: the plain words of `check` and `run`, Typer's, and `enforce`."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest

from cortex_policy import CortexPolicyError, enforce, load_grant, main
from tests.support.command import PROGRAM, Done, result_of


@dataclass(frozen=True)
class Door:
    """A door, in this process and as the start of a command line."""

    result_of: Callable[..., Done]
    argv: list[str]


def result_of_typer(*words: str, **options: Any) -> Done:
    """Run a command in this process by Typer's door, however plain its words are."""
    with patch.multiple(main, parse_check_argv_or_none=lambda *_: None, parse_run_argv_or_none=lambda *_: None):
        return result_of(*words, **options)


def code_of_enforce(grant: str, action: str, args: dict[str, object] | None = None) -> int:
    """Return the exit code that the answer of `enforce` stands for."""
    try:
        enforce(load_grant(grant), action, args or {})
    except CortexPolicyError as error:
        return error.exit_code
    return 0


FAST = Door(result_of, PROGRAM)
TYPER = Door(
    result_of_typer,
    [
        sys.executable,
        "-c",
        "from cortex_policy import main; main.parse_check_argv_or_none = main.parse_run_argv_or_none = lambda *words: None; main.main()",
    ],
)
BOTH_DOORS = pytest.mark.parametrize("door", [FAST, TYPER], ids=["fast", "typer"])


def split_line(line: str) -> list[str]:
    """Return the words of a line of a table."""
    return line.split(" ") if line else []
