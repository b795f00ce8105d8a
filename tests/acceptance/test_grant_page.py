"""The page about grants, and the man page that is made from it, say what the code does: every key, keyword and word."""

import json
import re
import shlex
from pathlib import Path

import pytest

from cortex_policy.core.arguments import ANNOTATIONS, TYPES
from cortex_policy.core.compare.declarations import KEYWORDS
from cortex_policy.core.path_arguments import LAST_WORDS, PATH_NAMES
from cortex_policy.manage.editing.argument_words import parse_argument_declaration
from cortex_policy.schema.declaration_keywords import DECLARATION_KEYWORDS
from cortex_policy.schema.grant_document import make_grant_json_schema
from tests.support.checkout import CHECKOUT, page
from tests.support.command import result_of
from tests.support.command import run_command as run
from tests.support.roots import grant_file

PAGE = page("grant")
MAN = (CHECKOUT / "man" / "man5" / "cortex-policy-grant.5").read_text()
(EXAMPLE,) = re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [shlex.split(line, comments=True) for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
            for line in block.replace("\\\n", "").splitlines()]  # fmt: skip


def table(title: str) -> dict[str, list[str]]:
    """Return the rows of the table below a heading, by their first cell."""
    section = re.split(rf"^## {title}$", PAGE, flags=re.MULTILINE)[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line[1:-1].split("|")] for line in section.splitlines() if line.startswith("|")]
    return {name.strip("`"): cells for name, *cells in rows[2:]}


def prose(text: str) -> str:
    """Return a text in one line."""
    return " ".join(text.split())


def in_man(text: str) -> bool:
    """Whether the man page holds a text of the page."""
    return prose(text).replace("`", "") in prose(
        re.sub(r"\\f[BIR]|\\&", "", MAN).replace("\\-", "-").replace("\\e", "\\")
    )


def words_after(text: str) -> set[str]:
    """Return the words that the page lists after a text."""
    listed = prose(PAGE).partition(text)[2]
    return set(re.split(r", | or ", re.split(r";|\.|, and ", listed)[0]))


def test_every_key_is_explained() -> None:
    """As in the schema, which is made from what loads."""
    schema = make_grant_json_schema()
    known = schema["properties"] | schema["$defs"]["RateDocument"]["properties"]
    required = {*schema["required"], *schema["$defs"]["RateDocument"]["required"]}
    rows = table("Keys")
    assert {name: meaning for name, (_, meaning) in rows.items()} == {
        name: known[name]["description"] for name in known
    }
    for name, (value, meaning) in rows.items():
        default = "required" if name in required else f"default `{str(known[name]['default']).strip('`')}`"
        assert value.endswith(default)
        assert in_man(meaning.removesuffix("."))
        assert f"\\fB{name}\\fR" in MAN


def test_every_keyword_is_explained() -> None:
    """Those that are enforced, in one table of the code; and those that are ignored."""
    assert {keyword.name for keyword in DECLARATION_KEYWORDS} == KEYWORDS
    rows = table("Arguments")
    assert rows == {keyword.name: [keyword.takes, keyword.sentence] for keyword in DECLARATION_KEYWORDS}
    for keyword in DECLARATION_KEYWORDS:
        assert f"\\fB{keyword.name}\\fR" in MAN
        assert in_man(keyword.sentence)
    (ignored,) = re.findall("^(`title`.*?) are allowed and ignored", PAGE, re.MULTILINE | re.DOTALL)
    assert set(re.findall("`([^`]+)`", ignored)) == ANNOTATIONS
    assert f"The types are {', '.join(f'`{word}`' for word in TYPES[:-1])} and `{TYPES[-1]}`." in PAGE


def test_every_word_that_makes_a_path_is_listed() -> None:
    """Whole names, and last words."""
    assert words_after("make no difference. The names: ") == PATH_NAMES
    assert words_after("The last word of its name is ") == LAST_WORDS
    assert all(in_man(word) for word in PATH_NAMES | LAST_WORDS)


def test_help_lists_every_word_that_makes_a_path() -> None:
    """Of the command that asks, and so on its man page."""
    shown = prose(run("check", "--help").stdout.replace("\n", " "))
    names = re.search("its name is one of (.*?)\\. Upper and .* the last word of its name is (.*?), as in", shown)
    assert names is not None
    assert [set(re.split(", | or ", listed)) for listed in names.groups()] == [PATH_NAMES, LAST_WORDS]


def test_the_example_is_valid_and_denies_as_it_says(root: Path) -> None:
    """Each call by another rule, and the calls that it describes pass."""
    grant_file(root).write_text(EXAMPLE)
    found = json.loads(run("validate", str(grant_file(root)), "--output", "json").stdout)
    assert not [one for one in found["problems"] if one["severity"] == "error"]
    denied = [words for words in COMMANDS if words[:2] == ["cortex-policy", "check"] and "$1" not in words]
    assert [result_of(*words[1:]).returncode for words in denied] == [10, 11, 12]
    run("check", "git", "snippet", "--path", "docs/x", "--arg", "lines=80", "--arg", "ref=v1.0", "--arg", "target=docs")
    run("check", "git", "Tree", code=10)


def test_the_command_creates_the_example_grant(root: Path) -> None:
    """Every key of it but the order."""
    grant_file(root).unlink()
    (made,) = [words for words in COMMANDS if words[:2] == ["cortex-policy", "new"]]
    run(*made[1:], "--allow-widening")
    new, expected = json.loads(grant_file(root).read_text()), json.loads(EXAMPLE)
    assert {name: new[name] for name in new} == {name: expected[name] for name in new}
    assert expected.keys() - new.keys() <= {"$schema"}


def test_each_way_to_declare_an_argument_gives_the_same_declaration() -> None:
    """As a shell hands it over."""
    spelled = [shlex.split(text) for text in re.findall(r"^- `(--arg [^`]+)`", PAGE, re.MULTILINE)]
    assert [parse_argument_declaration(word)[0] for _, word in spelled] == ["mode", "files", "ref", "ref"]


@pytest.mark.parametrize(("words", "call", "code"), [
    ("require_path true", ("--arg", "note=x"), 12), ("undeclared_args deny", ("--arg", "note=x"), 11),
])  # fmt: skip
def test_stricter_settings_deny_what_the_defaults_allow(
    root: Path, words: str, call: tuple[str, ...], code: int
) -> None:
    """By the commands on the page."""
    command = f"cortex-policy config set {words} --project"
    assert f"`{command}`" in PAGE
    grant_file(root).write_text(EXAMPLE)
    run("check", "git", "tree", *call)
    run(*command.split()[1:])
    run("check", "git", "tree", *call, code=code)
