"""Help: grouped, whole at every width, found by every usual spelling, and never an answer to a call."""

import json
import re

import pytest

from cortex_policy.cli.command_table import COMMANDS, GROUPS
from cortex_policy.cli.exit_codes import DECIDING
from tests.support.command import result_of, run_command


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("help",)])
def test_the_program_lists_every_command_once_in_its_group(words: tuple[str, ...]) -> None:
    """In the order of the table."""
    text = run_command(*words).stdout
    sections = dict(re.findall(r"^([A-Z][a-z ]+):\n((?:  .*\n)+)", text, re.MULTILINE))
    listed = {title: re.findall(r"^  (\S+)", sections[title], re.MULTILINE) for title in GROUPS}
    assert listed == {title: list(commands) for title, commands in GROUPS.items()}
    assert [name for names in listed.values() for name in names] == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_the_help_of_each_begins_with(name: str) -> None:
    """The list is written down, so that it needs no command to be loaded."""
    _, sentence, *_ = run_command(name, "--help", COLUMNS="200").stdout.split("\n\n")
    assert sentence.strip() == COMMANDS[name][-1]


@pytest.mark.parametrize("columns", ["40", "60", "80", "200"])
@pytest.mark.parametrize("words", [("--help",), ("rate", "--help"), ("set", "--help")])
def test_descriptions_wrap_and_are_never_cut(words: tuple[str, ...], columns: str) -> None:
    """The same words at every width; only examples may be longer than the screen."""
    text, wide = (run_command(*words, COLUMNS=width).stdout for width in (columns, "200"))
    assert "".join(text.split()) == "".join(wide.split())
    prose = re.sub(r"Examples:\n(  .*\n)+", "", text)
    assert max(map(len, prose.splitlines())) <= min(int(columns), 80)


@pytest.mark.parametrize("name", [*COMMANDS, "rate watch", "config set"])
def test_help_of_a_command_is_that_of_its_option(name: str) -> None:
    """Whichever way it is asked for."""
    words = name.split()
    assert run_command("help", *words).stdout == run_command(*words, "--help").stdout != ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("lst",), "cortex-policy: unknown command `lst`\nhint: did you mean `list`?"),
        (("rate", "wach"), "cortex-policy rate: unknown command `wach`\nhint: did you mean `watch`?"),
        (("check", "git"), "cortex-policy check: `check` has no command `git`\n"),
    ],
)
def test_help_of_nothing_is_a_usage_error(words: tuple[str, ...], said: str) -> None:
    """With 2, and the nearest word."""
    assert run_command("help", *words, code=2).stderr.startswith(said)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("name", DECIDING)
def test_help_beside_a_call_is_printed_and_allows_nothing(name: str, option: str) -> None:
    """2, on stderr; as JSON it is an error of usage, and quiet means quiet."""
    done = run_command(name, "git", "tree", option, code=2)
    assert done.stdout == ""
    assert done.stderr.startswith(
        f"cortex-policy {name}: `{option}` is not an option of a call, so nothing was decided\n"
    )
    assert f"\nUsage: cortex-policy {name} " in done.stderr
    if name == "run":
        return
    told = run_command(name, "git", "tree", "--json", option, code=2)
    assert (told.stderr, json.loads(told.stdout)["exit_code"]) == ("", 2)


@pytest.mark.usefixtures("root")
def test_only_the_long_sole_option_after_a_command_that_decides_exits_with_0() -> None:
    """What takes an action from a caller must not get a yes for `-h`; where it is a value or an action, it is that."""
    assert "Usage: " in run_command("check", "-h", code=2).stderr
    assert "Usage: " in run_command("check", "--help").stdout
    assert result_of("check", "git", "--", "--help").returncode == 10
    assert result_of("check", "git", "tree", "--path", "--help").returncode == 12


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_has_the_name_of_the_program(option: str) -> None:
    """As other programs print it."""
    assert re.fullmatch(r"cortex-policy \d+\.\d+\.\d+\n", run_command(option).stdout)


@pytest.mark.parametrize("option", ["--version", "-V", "--help", "-h"])
def test_help_and_version_before_a_command_take_no_other_words(option: str) -> None:
    """Else the words of a caller could end with 0."""
    assert run_command(option, "check", code=2).stderr == (
        f"cortex-policy: use `{option}` on its own\nhint: see `cortex-policy check --help`\n"
    )
