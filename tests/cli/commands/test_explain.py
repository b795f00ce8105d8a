"""Whole command lines of `explain` and `check --explain`, in real processes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pexpect
import pytest

from cortex_policy.check import Call
from cortex_policy.manage import explain
from cortex_policy.state.users import find_user_with_write_access, format_user
from tests.support.answers import answer
from tests.support.command import PROGRAM
from tests.support.command import result_of as run
from tests.support.terminal import Terminal
from tests.support.users import CALLER, by_caller

MEMBERS = ["steps", "nearest", "allowed", "remedy", "advice", "owner", "note"]
CALLS = [
    ("git", "tree", "--path", "docs/x"), ("git", "tree", "--path", "docs/x", "--json"), ("git", "push"),
    ("git", "push", "--json"), ("git", "tree", "--args", '{"repo": 3}'), ("git", "tree", "--path", "docs/link/x"),
    ("git", "tree", "--require-path"), ("git", "tree", "--cost", "31"), ("gti", "tree"), ("../git", "tree"),
    ("git", "tree", "--root", "/nowhere"),
]  # fmt: skip


def rows(text: str) -> dict[str, str]:
    """Return the rows below the rules by their labels."""
    return dict(line.split(maxsplit=1) for line in text.rpartition("\n\n")[2].splitlines() if line[:1].strip())


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("words", CALLS, ids=" ".join)
def test_check_explains_as_explain_does(words: tuple[str, ...]) -> None:
    """The same text and exit code; `check` prints a no where it prints every no."""
    explained, checked = run("explain", *words), run("check", *words, "--explain", "--peek")
    assert explained.returncode == checked.returncode == run("check", *words, "--peek").returncode
    assert explained.stderr == ""
    if "--json" in words:
        one, other = json.loads(explained.stdout), json.loads(checked.stdout)
        assert {**one, "duration_us": 0} == {**other, "duration_us": 0}
        assert list(one["explanation"]) == MEMBERS
    else:
        assert explained.stdout == (checked.stderr or checked.stdout)
        assert (checked.returncode == 0) == (checked.stderr == "")
        assert f"exit: {explained.returncode} (" in explained.stdout


@pytest.mark.parametrize(("columns", "width"), [(30, 40), (60, 60), (95, 95), (200, 100)])
@pytest.mark.parametrize("words", [("explain",), ("check", "--explain")], ids=" ".join)
def test_a_text_is_folded_at_the_width_of_its_terminal(
    root: Path, words: tuple[str, ...], columns: int, width: int
) -> None:
    """Within limits; where it goes to no terminal it is folded at 80, whatever the variable of the terminal says."""
    grant = {"tool": "many", "actions": ["a"], "fsScope": [f"d{number}" for number in range(50)]}
    (root / ".cortex" / "policy" / "tools" / "many.json").write_text(json.dumps({**grant, "rate": {"perMinute": 9}}))
    asked = (words[0], "many", "a", "--path", "x", *words[1:])
    shown = Terminal(*asked, columns=columns, NO_COLOR="1").end()[1]
    done = run(*asked, COLUMNS=str(columns))
    assert shown.split() == (done.stdout + done.stderr).split()
    for text, most in ((shown, width), (done.stdout + done.stderr, 80)):
        scopes = [line for line in text.splitlines() if line.endswith(",")]
        assert most - len("d49, ") <= max(map(len, scopes)) <= most


@pytest.mark.usefixtures("root")
def test_explain_counts_nothing_and_check_does() -> None:
    """However often it is asked."""
    for _ in range(3):
        run("explain", "git", "tree")
    assert json.loads(run("check", "git", "tree", "--json", "--explain").stdout)["rate"]["used"] == 1
    assert json.loads(run("check", "git", "tree", "--json", "--peek").stdout)["rate"]["used"] == 1


@pytest.mark.usefixtures("root")
def test_check_without_explain_has_the_same_members_as_before() -> None:
    """One more is there where it is asked for."""
    plain, more = (json.loads(run("check", "git", "push", "--json", *word).stdout) for word in ([], ["--explain"]))
    assert [*plain, "explanation"] == list(more)


@pytest.mark.usefixtures("root")
def test_words_that_do_not_fit_together_are_usage_errors() -> None:
    """Told on stderr by the name of the command, or in JSON without an explanation; help is no answer to a call."""
    for words in (["git"], ["git", "tree", "--cost", "0"], ["git", "tree", "--arg", "x"], ["git", "--help"],
                  ["git", "tree", "--help"], ["git", "tree", "--wait", "1"], ["git", "tree", "--json", "--json"]):  # fmt: skip
        done = run("explain", *words)
        assert done.returncode == 2
        assert words[-1] == "--json" or done.stderr.startswith("cortex-policy explain: ")
    told = json.loads(run("explain", "git", "tree", "--arg", "x", "--json").stdout)
    assert (told["exit_code"], "explanation" in told) == (2, False)
    assert run("explain", "--help").returncode == run("explain", "--version").returncode == 0


@pytest.mark.usefixtures("root")
def test_what_the_caller_gave_is_escaped_and_commands_are_quoted() -> None:
    """A command that cannot be typed is not named at all."""
    said = run("explain", "git", "a\x1b[31m\u202e`x\n").stdout
    assert "\x1b" not in said
    assert "operator" not in rows(said)
    assert rows(run("explain", "git", "it's; rm -rf").stdout)["operator"].endswith("--allow 'it'\"'\"'s; rm -rf'")
    wide = run("explain", "git", "tree", "--path", "etc/a b/" + "c d/" * 30)
    command = rows(wide.stdout)["operator"]
    assert command.endswith("c d'")
    assert all(len(line) <= 80 for line in wide.stdout.splitlines()[4:] if command not in line and "`" not in line)


def test_a_root_that_was_named_is_named_in_the_command(root: Path) -> None:
    """Else it would change the grants of another."""
    said = run("explain", "git", "push", "--root", str(root)).stdout
    assert rows(said)["operator"] == f"cortex-policy set git --allow push --root {root}"


@pytest.mark.parametrize(
    ("words", "args"),
    [(["git", "push"], []), (["git", "tree"], ["--path", "packages2/x y"]), (["git", "tree"], ["--cost", "31"])],
)
@pytest.mark.usefixtures("root")
def test_the_printed_command_makes_the_call_allowed(words: list[str], args: list[str]) -> None:
    """Typed into a shell as it is printed."""
    command = rows(run("explain", *words, *args).stdout)["operator"]
    python = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(["sh", "-c", f"{command} --allow-widening"], env=os.environ | {"PATH": python}, check=True)
    assert run("explain", *words, *args).returncode == 0


def test_the_command_frees_a_budget(root: Path) -> None:
    """It says besides when the call fits, and how to wait for that."""
    (root / ".cortex" / "policy" / "tools" / "once.json").write_text(
        '{"tool": "once", "actions": ["a"], "rate": {"perMinute": 1}}'
    )
    run("check", "once", "a")
    said = rows(run("explain", "once", "a").stdout)
    assert said["hint"].startswith("wait for the budget with `check --wait ")
    assert said["operator"] == "cortex-policy rate reset once a"
    run("rate", "reset", "once", "a", "--yes")
    assert run("explain", "once", "a").returncode == 0


@pytest.mark.parametrize("place", ["project", "user"])
def test_the_setting_for_sensitive_data_is_found_and_can_be_undone(root: Path, place: str) -> None:
    """The command is for the file that sets it; what the environment sets no command takes back."""
    (root / ".cortex" / "policy" / "tools" / "mail.json").write_text(
        '{"tool": "mail", "actions": ["send"], "dataClass": "sensitive", "rate": {"perMinute": 1}}'
    )
    run("config", "set", "sensitive", "deny", f"--{place}")
    done = run("explain", "mail", "send")
    assert done.returncode == 13
    run(*rows(done.stdout)["operator"].split()[1:], "--allow-widening")  # on a terminal it asks
    assert run("explain", "mail", "send").returncode == 0
    asked = run("explain", "mail", "send", CORTEX_POLICY_SENSITIVE="ask")
    assert asked.returncode == 13
    assert "operator" not in rows(asked.stdout)
    assert "`CORTEX_POLICY_SENSITIVE`" in asked.stdout


def test_an_invalid_grant_is_explained_with_its_lines(root: Path) -> None:
    """Where it is no grant, and where it is no JSON; no rule was asked."""
    file = root / ".cortex" / "policy" / "tools" / "git.json"
    for text, lines in (
        ('{\n"tool": "",\n"actions": [],\n"rate": 3\n}', [2, 4]),
        ('{\n"tool": "x",\n}', [2]),
        ("", [1]),
    ):
        file.write_text(text)
        steps = json.loads(run("explain", "git", "tree", "--json").stdout)["explanation"]["steps"]
        assert [step["line"] for step in steps if step["rule"] == "grant"] == lines
        assert {step["verdict"] for step in steps if step["rule"] != "grant"} == {"not asked"}


@pytest.mark.usefixtures("root")
def test_a_rate_that_cannot_be_asked_fails_alone() -> None:
    """The rules before it have let the call pass."""
    told = json.loads(run("explain", "git", "tree", "--json", CORTEX_POLICY_STATE_DIR="relative").stdout)
    assert [step["verdict"] for step in told["explanation"]["steps"]] == [*["passes"] * 4, "fails"]
    assert told["explanation"]["advice"] == "set it to an absolute path, or unset it"


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("words", [("git", "tree", "--path", "docs/x"), ("git", "push"), ("gti", "tree")], ids=" ".join)
def test_a_log_that_cannot_be_written_is_foreseen(tmp_path: Path, words: tuple[str, ...]) -> None:
    """By `explain` too, which answers as `check` would, and neither makes the log nor writes a line."""
    (tmp_path / "open").touch(0o666)
    (tmp_path / "open").chmod(0o666)
    for log in (tmp_path / "nowhere" / "log", tmp_path, tmp_path / "open", Path(os.devnull)):
        explained = run("explain", *words, CORTEX_AUDIT_LOG=str(log))
        checked = run("check", *words, "--explain", "--peek", CORTEX_AUDIT_LOG=str(log))
        assert (explained.returncode, explained.stdout) == (checked.returncode, checked.stderr)
        assert (explained.returncode, explained.stdout.splitlines()[1]) == (24, "rule: audit")
    ignored = run("explain", *words, CORTEX_AUDIT_LOG=str(tmp_path / "open"), CORTEX_POLICY_AUDIT_ON_ERROR="ignore")
    assert ignored.returncode == run("explain", *words).returncode != 24
    assert run("explain", *words, CORTEX_AUDIT_LOG=str(tmp_path / "log")).returncode == ignored.returncode
    assert not (tmp_path / "log").exists()


def test_a_grant_that_changes_after_the_decision_lends_no_lines(root: Path) -> None:
    """Lines of other bytes than those that decided would mislead."""
    file = root / ".cortex" / "policy" / "tools" / "git.json"
    before = explain._read_decided_bytes  # noqa: SLF001 - the moment between the decision and the second look

    def changed(*words: str) -> bytes | None:
        file.write_text("\n" + file.read_text())
        return before(*words)

    with patch.object(explain, "_read_decided_bytes", changed):
        said = answer(Call("git", "push", explain=True)).err
    assert "line 1" not in said
    assert rows(said)["note"] == "the grant has changed since the decision, so no lines are named"


def test_explain_says_who_may_run_the_command(own: Path) -> None:
    """The caller where the system lets them write, else the owner of the directory."""
    tools = own / ".cortex" / "policy" / "tools"
    call = Call("git", "push", root=str(own), explain=True)
    with by_caller():
        assert f"run by     you, as you may write in {tools}\n" in answer(call).err
    os.chown(tools, 0, 0)
    os.chown(tools / "git.json", 0, 0)
    with by_caller():
        assert f"run by     root; you may not write in {tools}\n" in answer(call).err


def test_a_directory_that_is_not_there_yet_is_that_of_its_parent(tmp_path: Path) -> None:
    """And a user without a name has a number."""
    steward = find_user_with_write_access(str(tmp_path / "a" / "b" / "c.json"))
    assert (steward.directory, steward.is_caller) == (str(tmp_path), True)
    assert format_user(CALLER) == f"user {CALLER}"


@pytest.mark.usefixtures("root")
def test_colour_is_for_terminals_alone() -> None:
    """Unless NO_COLOR is set; the words are the same."""
    plain = run("explain", "git", "push").stdout
    for more, is_coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        told = pexpect.run(" ".join([*PROGRAM, "explain", "git", "push"]), env=os.environ | more).decode()
        assert ("\x1b[1;31mdenies\x1b[0m" in told) == is_coloured
        assert told.replace("\x1b[1;31m", "").replace("\x1b[0m", "").replace("\r\n", "\n") == plain
