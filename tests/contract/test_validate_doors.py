"""Two doors to `validate`, one room: the plain one reads nothing otherwise than Typer does."""

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.cli import app
from cortex_policy.cli.commands import validate_argv, validate_run
from cortex_policy.cli.commands.validate_run import ValidateOptions
from tests.support.doors import split_line

PLAIN = [
    "", "a.json", "-", "a b c", "--strict", "--fix a", "a --json", "--select scope a", "--select=scope,key --ignore x",
    "--ignore a --ignore b", "--output json --output sarif=x", "--output=text", "--root r", "--root=r a --strict",
    "--root= a", "--select=-x", "a --output=", "\udcff", "a\nb",
]  # fmt: skip
TYPER_KNOWS_BETTER = [
    "--help", "--wait 3", "--wait=x", "--strict=1", "--stric", "-x", "--", "-- -a", "--root", "--root -x", "--select",
    "--root a --root b", "--output --json", "a --nope", "--no-strict",
]  # fmt: skip


def by_typer(words: list[str]) -> "ValidateOptions | int":
    """Return what Typer makes of the words, or the code it ends with."""
    seen: list[ValidateOptions] = []

    def run(asked: ValidateOptions) -> int:
        seen.append(asked)
        return 0

    with patch.object(validate_run, "run_validate", run):
        code = app.run_typer(["validate", *words])
    return seen[0] if seen else code


@pytest.mark.parametrize("line", PLAIN)
def test_validate_words_are_read_the_same_by_main_and_typer(line: str) -> None:
    """To the last member."""
    assert validate_argv.parse_validate_argv_or_none(split_line(line)) == by_typer(split_line(line)) is not None


@pytest.mark.parametrize("line", TYPER_KNOWS_BETTER)
def test_words_that_are_not_plain_are_left_to_typer(line: str) -> None:
    """Typer has the help, and the words for mistakes."""
    assert validate_argv.parse_validate_argv_or_none(split_line(line)) is None


words = st.sampled_from(
    ["--strict", "--fix", "--json", "--root", "--root=x", "--select", "--select=a", "--ignore", "--output", "--output=json",
     "--wait", "1", "-", "--", "a", "", "-x", "--strict=", "--help", "sarif=y", "=", "--=", "--select=", "-q"]
)  # fmt: skip


@given(st.lists(words, max_size=4))
def test_any_validate_words_are_read_the_same_by_main_and_typer(line: list[str]) -> None:
    """Or the plain one declines."""
    asked = validate_argv.parse_validate_argv_or_none(line)
    assert asked is None or asked == by_typer(line)
