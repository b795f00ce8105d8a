"""Options are alike in all commands: the same word means the same, and what writes has the same safeguards."""

import json
from typing import Any, get_args

import pytest

from cortex_policy.cli import common_options
from cortex_policy.cli.common_options import make_integer_parser, make_number_parser
from cortex_policy.cli.exit_codes import DECIDING, is_changing_parsed_command
from tests.support.command import result_of
from tests.support.every_command import leaves


def names_of(info: Any) -> set[str]:
    """Return the spellings of a declared option; Typer takes the first of them for a default."""
    return {name for name in (info.default, *info.param_decls) if isinstance(name, str)}


SHARED = {
    max(names_of(info), key=len): info
    for name, annotated in vars(common_options).items()
    if name.endswith("Option")
    for info in get_args(annotated)[1:]
}
# where a word of the table means something else, and why
OTHERS = {
    ("validate", "--output"): "it is a report in a format, with a file",
    ("test", "--output"): "it is a report in a format, with a file",
    ("init", "--root"): "it is where the root is made",
    ("audit show", "--root"): "it filters",
    ("audit stats", "--root"): "it filters",
    ("audit tail", "--root"): "it filters",
    ("audit show", "--json"): "each line is an event",
    ("audit tail", "--json"): "each line is an event",
}
WITHOUT_ROOT = {"stamp merge-files", "audit verify", "audit send", "rule", "completions", "shell-init", "help"}
WITHOUT_JSON = {
    "stamp merge-files", "completions", "shell-init", "help", "edit", "hook edit", "config edit", "mcp proxy", "mcp serve",
}  # fmt: skip
# what these change is one thing that their own words name, or they ask first
WITHOUT_DRY_RUN = {
    "edit", "hook edit", "init", "stop", "resume", "approve", "deny", "stamp write", "stamp merge", "config set", "config unset",
    "config edit", "rate reset", "rate purge", "audit send",
}  # fmt: skip
WITHOUT_QUIET = {"edit", "hook edit", "config edit"}
Command = pytest.mark.parametrize("name", [name for name in leaves() if name not in DECIDING])


def options_of(name: str) -> dict[str, Any]:
    """Return the options of a command by their long names."""
    found = [param for param in leaves()[name].params if param.param_type_name == "option"]
    return {max(param.opts, key=len): param for param in found}


def writes(name: str) -> bool:
    """Whether a command changes something without an option that says so."""
    return is_changing_parsed_command(name, {})


@Command
def test_a_word_of_the_table_is_the_option_of_the_table(name: str) -> None:
    """The same spellings, the same placeholder, the same sentence."""
    for word, param in options_of(name).items():
        if word in SHARED and (name, word) not in OTHERS:
            info = SHARED[word]
            assert set(param.opts) == names_of(info), word
            assert param.help == info.help, word
            assert info.metavar in (None, param.metavar), word


COUNTING = ("log", "audit show", "audit tail")


@pytest.mark.parametrize("name", COUNTING)
def test_what_lists_the_past_can_show_a_number_of_lines(name: str) -> None:
    """By the same words."""
    assert "--number" in options_of(name)


@Command
def test_every_command_has_what_all_have(name: str) -> None:
    """A root and JSON; and what writes can be quiet, and be tried, unless there is a reason."""
    found = options_of(name)
    assert ("--root" in found) == (name not in WITHOUT_ROOT)
    assert ("--json" in found) == (name not in WITHOUT_JSON)
    assert ("--quiet" in found) == (writes(name) and name not in WITHOUT_QUIET)
    tries = {"--dry-run", "--check"} & set(found)
    assert bool(tries) == (writes(name) and name not in WITHOUT_DRY_RUN)


@pytest.mark.parametrize("text", ["", "x", "nan", "-1", "1e999x", "٣x"])
def test_what_is_not_a_number_is_refused(text: str) -> None:
    """With what it must be."""
    for parse in (make_integer_parser(0), make_number_parser(), make_number_parser(100)):
        with pytest.raises(Exception, match="is not a"):
            parse(text)


def test_numbers_are_read() -> None:
    """At both ends of what is allowed."""
    assert (make_integer_parser(1)("1"), make_integer_parser()("-3")) == (1, -3)
    assert (make_number_parser(100)("100"), make_number_parser()("0.5")) == (100, 0.5)


FAILING = [
    ("show nope", 20), ("list --root /nowhere", 25), ("remove nope --yes", 20), ("set git --rate 0", 2),
    ("audit show nofile", 3), ("stamp show --no", 2), ("approvals x", 3), ("validate --output xml", 2),
]  # fmt: skip


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(("line", "code"), FAILING)
def test_an_error_is_json_where_json_is_asked_for(line: str, code: int) -> None:
    """On standard output, one object; a human reads it on standard error as ever."""
    plain, asked = result_of(*line.split()), result_of(*line.split(), "--json")
    assert (plain.returncode, plain.stdout) == (code, "")
    assert (asked.returncode, asked.stderr) == (code, plain.stderr)
    (error,) = json.loads(asked.stdout).values()
    assert set(error) == {"message", "hint", "exit_code"}
    assert error["exit_code"] == code
    assert error["message"] in plain.stderr
    assert error["hint"] is None or error["hint"] in plain.stderr


@pytest.mark.usefixtures("root")
def test_what_was_printed_already_stays_the_only_json() -> None:
    """An error that comes after the answer is told on standard error alone."""
    done = result_of("replay", "-", "--fail-on", "allow", "--json", given="{}\n")
    assert done.returncode == 3
    assert json.loads(done.stdout)
    assert done.stderr


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    "words", [("stop",), ("resume",), ("stamp", "write", "--allow-widening"), ("set", "git", "--rate", "9"), ("fmt",)]
)
def test_quiet_prints_no_news(words: tuple[str, ...]) -> None:
    """Nothing on standard output."""
    done = result_of(*words, "-q")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.usefixtures("root")
def test_quiet_prints_errors_and_confirms_nothing() -> None:
    """Who sees no question cannot answer it."""
    assert result_of("set", "gti", "--rate", "9", "-q").stderr
    refused = result_of("remove", "git", "-q")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "add `--yes`" in refused.stderr
    assert result_of("remove", "git", "-q", "--yes", "--json").stdout == ""
