"""`new` asks for what is missing, declares arguments, and shows a grant before it is made."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cortex_policy.core.decode import decode_grant
from tests.support.command import run_command as run
from tests.support.roots import grant_file
from tests.support.terminal import Terminal

if TYPE_CHECKING:
    import pexpect

WORDS = ("new", "deploy", "--allow", "run", "--rate", "5", "--scope", "docs", "--arg", "target=string,format=path")


def test_a_dry_run_shows_the_grant_and_makes_none(root: Path) -> None:
    """And needs no consent; in JSON it is a change that was not made."""
    done = run(*WORDS, "--dry-run")
    assert '+    "target": {\n' in done.stdout
    assert "deploy\tgrant\twidened\tnew: deploy may run below docs, 5 a minute" in done.stdout
    shown = json.loads(run(*WORDS, "--dry-run", "--json").stdout)
    assert (shown["changed"], shown["version"], shown["verdict"]) == (False, None, "widened")
    assert not grant_file(root, "deploy").exists()
    assert not (root / ".cortex" / "policy" / "stamp.json").exists()
    assert "`git` exists already" in run("new", "git", *WORDS[2:], "--dry-run", code=3).stderr


def test_a_new_grant_declares_its_arguments(root: Path) -> None:
    """As `set` would."""
    run(*WORDS, "--allow-widening")
    assert json.loads(grant_file(root, "deploy").read_text())["args"] == {
        "target": {"type": "string", "format": "path"}
    }
    run("check", "deploy", "run", "--arg", "target=src/x", code=12)
    assert "did you mean `string`?" in run("new", "x", *WORDS[2:-1], "target=strng", code=2).stderr


def test_new_asks_for_what_is_missing(root: Path) -> None:
    """With a default where there is a sensible one; an answer that does not fit is asked for again."""
    terminal = Terminal("new", "notes", "--data-class", "public")
    terminal.answer("tool [notes]: ", "")
    terminal.answer("actions it may do, such as read write: ", "")
    terminal.answer(
        "name at least one action\r\nhint: Ctrl-D cancels\r\nactions it may do, such as read write: ", "a, b a"
    )
    terminal.answer("`a` is given twice\r\nactions it may do, such as read write: ", "read, list")
    terminal.answer("(none: any path): ", "/docs")
    terminal.answer("did you mean `docs`?", "docs src")
    terminal.answer("calls a minute, of each action [30]: ", "many")
    terminal.answer("a rate is an integer of at least 1\r\ncalls a minute, of each action [30]: ", "")
    terminal.answer("type `widen` to save it: ", "widen")
    code, said = terminal.end()
    assert code == 0
    assert "notes may read, list below docs, src, 30 a minute, public" in " ".join(said.split())
    grant = decode_grant(grant_file(root, "notes").read_bytes())
    assert (grant.tool, grant.actions, grant.fs_scope) == ("notes", ("read", "list"), ("docs", "src"))
    assert (grant.rate.per_minute, grant.data_class) == (30, "public")


@pytest.mark.parametrize("leave", [lambda child: child.sendeof(), lambda child: child.sendintr()], ids=["eof", "intr"])
def test_leaving_the_questions_makes_nothing(root: Path, leave: Callable[["pexpect.spawn[str]"], None]) -> None:
    """The end of input is a no, and Ctrl-C is what it always is."""
    terminal = Terminal("new", "notes")
    terminal.expect("tool [notes]: ")
    leave(terminal.child)
    assert terminal.end()[0] in {3, 130}
    assert not grant_file(root, "notes").exists()
    terminal = Terminal("new", "git")
    assert terminal.end()[0] == 3
    assert "`git` exists already" in terminal.said


@pytest.mark.usefixtures("root")
def test_a_wrong_word_after_the_questions_loses_no_answer() -> None:
    """It is asked again; an empty line cancels."""
    for last, code in (("widen", 0), ("", 3)):
        terminal = Terminal("new", f"deploy{code}")
        for question, line in (("tool", ""), ("actions", "run"), ("paths", "docs"), ("minute", "5"), ("data", "")):
            terminal.answer(question, line)
        terminal.answer("type `widen` to save it", "yes")
        terminal.expect("`yes` is not `widen`; an empty line cancels")
        terminal.answer("type `widen` to save it", last)
        assert terminal.end()[0] == code
