"""What a mistyped command line is told: one line in our words, and a hint that can be typed."""

import pytest

from cortex_policy.cli.command_table import COMMANDS, OTHER_OPTIONS, OTHER_WORDS, OTHER_WORDS_IN_GROUPS
from tests.support.command import result_of, run_command

TOLD = [
    ("chck git tree", "cortex-policy: unknown command `chck`", "did you mean `check`?"),
    ("stamp wrte", "cortex-policy stamp: unknown command `wrte`", "did you mean `write`?"),
    ("config show nonsens", "cortex-policy config: unknown command `show`", "did you mean `get`?"),
    ("rate list", "cortex-policy rate: unknown command `list`", "did you mean `show`?"),
    ("config zzz", "cortex-policy config: unknown command `zzz`", ""),
    ("zzz", "cortex-policy: unknown command `zzz`", ""),
    ("version", "cortex-policy: unknown command `version`", "did you mean `--version`?"),
    ("grants", "cortex-policy: unknown command `grants`", "did you mean `list`?"),
    ("list --jsn", "cortex-policy list: unknown option `--jsn`", "did you mean `--json`?"),
    ("check git tree --explian", "cortex-policy check: unknown option `--explian`", "did you mean `--explain`?"),
    ("check git", "cortex-policy check: missing argument `ACTION`", ""),
    ("check git tree --cost 0", "cortex-policy check: --cost takes an integer of at least 1", ""),
    ("check git tree srv/app", "cortex-policy check: unexpected word `srv/app`", "did you mean `--path srv/app`?"),
    ("hook init claude", "cortex-policy hook init: unexpected word `claude`", "did you mean `--agent claude`?"),
    ("check git tree a b", "cortex-policy check: unexpected word `a b`", ""),
    ("show \x1b[31m git", "cortex-policy show: unexpected word `git`", ""),
    ("diff git git --fail-on same", "cortex-policy diff: `--fail-on`: `same` is not one of `widened`", ""),
    ("diff git git --json --markdown", "cortex-policy diff: --json and --markdown cannot be combined", ""),
    ("test --fail-under nan", "cortex-policy test: `--fail-under`: `nan` is not a number from 0 to 100", ""),
    ("set git --rate x", "cortex-policy set: `--rate`: `x` is not an integer", ""),
    ("set git --rate 3 --wait NaN", "cortex-policy set: `--wait`: `NaN` is not a number of at least 0", ""),
    ("log -n -1", "cortex-policy log: `--number`: `-1` is not an integer of at least 0", ""),
    ("stamp wait --timeout nan", "cortex-policy stamp wait: `--timeout`: `nan` is not a number of at least 0", ""),
    ("--root", "cortex-policy: option `--root` requires an argument", ""),
]  # fmt: skip


@pytest.mark.parametrize(("line", "said", "guess"), TOLD)
def test_a_usage_error_names_the_nearest_word_and_exits_with_2(line: str, said: str, guess: str) -> None:
    """Lower case, user input in backticks, with the nearest word where there is one, and 2."""
    done = result_of(*line.split(" "))
    first, hint = done.stderr.splitlines()
    assert (done.returncode, first) == (2, said)
    assert hint == f"hint: {guess}{' ' if guess else ''}see `{said.partition(':')[0]} --help`"


@pytest.mark.parametrize("line", ["", "stamp"])
def test_a_group_alone_shows_its_help(line: str) -> None:
    """On stderr and with 2: nothing was asked of it."""
    done = result_of(*line.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Usage: ")


def test_unknown_commands_lead_to_existing_ones() -> None:
    """Nobody is sent to a command that does not exist, and no command is hidden by such a word."""
    assert set(OTHER_WORDS.values()) <= {*COMMANDS, "--version"}
    assert not set(OTHER_WORDS) & set(COMMANDS)


@pytest.mark.parametrize("group", OTHER_WORDS_IN_GROUPS)
def test_unknown_commands_of_a_group_lead_to_existing_ones(group: str) -> None:
    """As those of the program do."""
    words = OTHER_WORDS_IN_GROUPS[group]
    listed = {
        line.split()[0] for line in run_command(group, "--help").stdout.partition("Commands:")[2].splitlines()[1:]
    }
    assert set(words.values()) <= listed
    assert not set(words) & listed


OPTIONS_OF_OTHER_NAMES = [
    ("set git --per-minute 30", "--rate"),
    ("set git --perMinute=30", "--rate"),
    ("new git --per_minute 30", "--rate"),
    ("set git --limit 30", "--rate"),
    ("log --limit 30", "--number"),
    ("set git --fs-scope docs", "--add-scope"),
    ("set git --fsScope docs", "--add-scope"),
    ("set git --scope docs", "--add-scope"),
    ("new git --fsScope docs", "--scope"),
    ("new git --add-scope docs", "--scope"),
    ("set git --drop-scope docs", "--remove-scope"),
    ("set git --action push", "--allow"),
    ("new git --actions push", "--allow"),
    ("set git --add-action push", "--allow"),
    ("set git --remove-action push", "--revoke"),
    ("set git --disallow push", "--revoke"),
    ("set git --deny push", "--revoke"),
    ("set git --dataClass public", "--data-class"),
    ("new git --class public", "--data-class"),
    ("new git --args lines=integer", "--arg"),
    ("set git --add-arg lines=integer", "--arg"),
    ("set git --remove-arg lines", "--drop-arg"),
    ("copy git other --preview", "--dry-run"),
    ("check git tree --dry-run", "--peek"),
    ("check git tree --file docs/x", "--path"),
    ("check git tree --timeout 3", "--wait"),
    ("check git tree --silent", "--quiet"),
    ("run git tree --dir srv -- ls", "--root"),
]


@pytest.mark.parametrize(("line", "option"), OPTIONS_OF_OTHER_NAMES)
def test_an_option_of_another_name_leads_to_the_one_that_exists(line: str, option: str) -> None:
    """The keys of a grant, and what other programs and other commands call the same."""
    done = result_of(*line.split(" "))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"hint: did you mean `{option}`? see `")


@pytest.mark.parametrize("line", ["check git tree --per-minute 30", "list --fs-scope docs", "fmt --add-action x"])
def test_an_option_that_the_command_lacks_is_not_guessed(line: str) -> None:
    """Its answer would be the next error."""
    assert "did you mean" not in result_of(*line.split(" ")).stderr


def test_unknown_options_lead_to_existing_ones() -> None:
    """Each is an option of some command, and the words are in the form in which they are looked up."""
    texts = "".join(run_command(name, "--help").stdout for name in COMMANDS)
    assert all(f"{option} " in texts for options in OTHER_OPTIONS.values() for option in options)
    assert all(word.isalpha() and word.islower() for word in OTHER_OPTIONS)
