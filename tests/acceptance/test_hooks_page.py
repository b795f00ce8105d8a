"""The page about the rules of agents' hooks, and the man page that is made from it, say what the code does."""

import re

import pytest

from cortex_policy.core.hooks import forbidden_commands
from cortex_policy.core.hooks.guarded_files import READERS
from cortex_policy.core.hooks.hooks_toml_problems import RULE_KEYS
from cortex_policy.core.hooks.payload import AGENTS, CANARY
from cortex_policy.schema.hook_rules import decode_and_lint_hook_rules
from tests.support.checkout import CHECKOUT, page
from tests.support.hook_calls import bash, call, one_rule, rules, ruling

PAGE = page("hooks")
(EXAMPLE,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PASS = one_rule('tools = ["none"]\ndecide = "pass"', "pass")


def section(title: str) -> str:
    """Return what is below a heading."""
    return re.split(rf"^## {title}$", PAGE, flags=re.MULTILINE)[1].split("\n## ")[0]


def rows(title: str) -> dict[str, str]:
    """Return the second cells of the table below a heading, by the first."""
    cells = [
        [cell.strip() for cell in line[1:-1].split("|")] for line in section(title).splitlines() if line[:1] == "|"
    ]
    return {first: second for first, second, *_ in cells[2:]}


def test_the_example_rules_are_valid() -> None:
    """And covers the tools that it is about."""
    decoded, problems = decode_and_lint_hook_rules(EXAMPLE.encode())
    assert decoded is not None
    assert not problems
    assert ruling(call("Write", inputs={"file_path": "a", "content": "\ud800"}), decoded).checks[0].args == {
        "file_path": "a"
    }
    assert ruling(call("TodoWrite"), decoded).denial == ""


def test_every_key_is_explained() -> None:
    """Those of the file and those of a rule."""
    assert list(rows("Keys of the file")) == ["`format`", "`unmapped`", "`guard`", "`rule`"]
    assert set(rows("Keys of a rule")) == {f"`{key}`" for key in RULE_KEYS}
    assert re.findall("`([a-z]+)`", rows("Keys of a rule")["`agents`"]) == list(AGENTS)


def test_every_guarded_file_is_denied() -> None:
    """To a tool that no rule names, and in a shell command."""
    names = [name for cell in rows("Guarded files") for name in re.findall("`([^`]+)`", cell) if name != "guard"]
    assert len(names) > 10
    for name in names:
        path = name.replace("*", "-x")
        assert ruling(call("any", inputs={"path": path}), PASS).denial, name
        assert ruling(bash(f"cat {path}"), PASS).denial, name
    for name in (
        "skills/x",
        "sessions/x",
        "session-state/x",
        "tmp/x",
        "plans/x",
        "memories/x",
        "AGENTS.md",
        "GEMINI.md",
    ):
        assert f"`{name.removesuffix('x')}`" in section("Guarded files")
        assert not ruling(call("any", inputs={"path": f".codex/{name}"}), PASS).denial


def test_the_page_lists_the_readers_of_the_code() -> None:
    """No more, and no less."""
    listed = section("Guarded files").partition("readers ")[2].partition(" may read")[0]
    assert set(re.findall("`([^`]+)`", listed)) == READERS


def test_the_page_lists_the_shell_commands_of_the_code() -> None:
    """What only asks."""
    listed = section("Shell commands").partition("with anything but ")[2].partition(";")[0]
    assert set(re.findall("`([a-z]+)`", listed)) == forbidden_commands.READING


def test_the_page_lists_the_separators_of_the_code() -> None:
    """Each of them ends a word."""
    listed = re.search("spaces, quotes and `([^`]+)`", section("Guarded files"))
    assert listed is not None
    for mark in (*listed[1].split(), " ", "\t", "\n", "'", '"'):
        assert ruling(bash(f"x{mark}.env{mark}y"), PASS).denial, mark


def test_a_server_with_a_hyphen_needs_both_readings() -> None:
    """As the page says of Copilot."""
    asked = call("my-files-read", agent="copilot", mcp=(("my", "files-read"), ("my-files", "read")))
    listed = re.search(r"write `(mcp = .*?)`", section("What is asked"))
    assert listed is not None
    assert not ruling(asked, one_rule(f'{listed[1]}\ndecide = "pass"')).denial
    assert ruling(asked, one_rule('mcp = ["my-files/*"]\ndecide = "pass"')).denial
    assert ruling(asked, one_rule(f'{listed[1]}\ngrant = "g"\naction = "{{tool}}"')).denial


@pytest.mark.parametrize("word", [CANARY, "2 kB", "`{}`", "exit code 2", "git commit -F"])
def test_the_page_has_these_words(word: str) -> None:
    """What an operator has to know."""
    assert word in PAGE


def test_the_man_page_has_every_heading() -> None:
    """It is made from the page."""
    man = (CHECKOUT / "man" / "man5" / "cortex-policy-hooks.5").read_text()
    for title in re.findall("^## (.*)$", PAGE, re.MULTILINE):
        assert f".SH {title.upper()}" in man
    assert rules(EXAMPLE).rules
