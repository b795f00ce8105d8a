"""The commands that write grants, as whole processes, in scripts and on a terminal."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Timer

import pexpect
import pytest

from cortex_policy.core.decode import decode_grant
from cortex_policy.state import Root
from tests.support.checkout import DOCUMENTS
from tests.support.command import PROGRAM, result_of
from tests.support.command import run_command as run
from tests.support.roots import grant_file
from tests.support.stamps import stamp_grants
from tests.support.terminal import Terminal

VALID = sorted((DOCUMENTS / "valid").glob("*.json"))


@pytest.mark.parametrize("example", VALID, ids=lambda path: path.stem)
def test_a_change_and_its_reverse_give_identical_bytes(root: Path, example: Path) -> None:
    """An action added and removed, a rate set and set back, whatever the layout."""
    file, before = grant_file(root, "x"), example.read_bytes()
    file.write_bytes(before)
    rate = decode_grant(before).rate.per_minute
    run("set", "x", "--allow", "zz:new", "--allow-widening")
    assert file.read_bytes() != before
    run("set", "x", "--revoke", "zz:new")
    assert file.read_bytes() == before
    run("set", "x", "--rate", str(rate + 1), "--allow-widening")
    assert decode_grant(file.read_bytes()).rate.per_minute == rate + 1
    run("set", "x", "--rate", str(rate))
    spelling = {"a-rate-of-30.0": b"30.0", "a-rate-of-3e1": b"3e1"}.get(example.stem)
    assert file.read_bytes() == (before.replace(spelling, b"30") if spelling else before)


def test_a_script_must_confirm_a_widening(root: Path) -> None:
    """Else 3, with what it would mean and nothing written; the stamp goes up by one for each write."""
    before = grant_file(root, "git").read_bytes()
    done = run("set", "git", "--allow", "push", "--add-scope", ".github", code=3)
    assert "git\tactions\twidened\tadds push\n" in done.stdout
    assert "--allow-widening" in done.stderr
    assert "warning: git: scope `.github` covers `.github/workflows`" in done.stderr
    assert grant_file(root, "git").read_bytes() == before
    assert run("set", "git", "--allow", "push", "--allow-widening").stdout.endswith("saved `git`, version 1\n")
    assert run("set", "git", "--revoke", "push").stdout.endswith("saved `git`, version 2\n")
    assert grant_file(root, "git").read_bytes() == before
    assert run("set", "git", "--rate", "30").stdout == "nothing to do: `git` has these values already\n"
    run("check", "git", "tree", "--path", "docs")


def test_a_dry_run_prints_a_diff_that_patch_takes(root: Path) -> None:
    """And the meaning; nothing is written, and nobody must say yes."""
    before = grant_file(root, "git").read_bytes()
    done = run("set", "git", "--rate", "60", "--dry-run")
    diff, _, meaning = done.stdout.partition("git\trate")
    assert meaning.startswith("\twidened\t30 becomes 60 a minute\n")
    assert "\\ No newline at end of file\n" in diff
    assert grant_file(root, "git").read_bytes() == before
    assert not (root / ".cortex" / "policy" / "stamp.json").exists()
    subprocess.run(["git", "apply", "-"], input=diff, text=True, check=True, cwd=root)
    assert decode_grant(grant_file(root, "git").read_bytes()).rate.per_minute == 60
    assert run("set", "git", "--rate", "60", "--dry-run").stdout == "nothing to do: `git` has these values already\n"


def test_json_is_one_object(root: Path) -> None:
    """With what was done and what it means; where nobody said yes it is not done, terminal or not."""
    done = json.loads(run("set", "git", "--rate", "60", "--json", "--allow-widening").stdout)
    assert {name: done[name] for name in ("changed", "version", "verdict")} == {
        "changed": True, "version": 1, "verdict": "widened",
    }  # fmt: skip
    assert done["changes"][0]["id"] == "git"
    done = json.loads(run("set", "git", "--rate", "60", "--json").stdout)
    assert {name: done[name] for name in ("changed", "version", "diff", "verdict")} == {
        "changed": False, "version": None, "diff": "", "verdict": "same",
    }  # fmt: skip
    assert not json.loads(run("set", "git", "--rate", "61", "--json", "--dry-run").stdout)["changed"]
    refused = run("set", "git", "--rate", "61", "--json", code=3)
    assert json.loads(refused.stdout)["error"]["hint"] == "add `--allow-widening`"
    assert "--allow-widening" in refused.stderr
    for words in (["copy", "git", "a", "--allow-widening"], ["rename", "a", "b"], ["remove", "b", "--yes"]):
        assert json.loads(run(*words, "--json").stdout)["changed"]
    assert json.loads(run("fmt", "--json").stdout)["grants"][0] | {"diff": ""} == {
        "id": "git", "differs": True, "changed": True, "version": 5, "diff": "", "problem": None,
    }  # fmt: skip
    assert decode_grant(grant_file(root, "git").read_bytes()).rate.per_minute == 60


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("set", "git"), 2, "nothing to set is named"),
        (("set", "git", "--rate", "0"), 2, "a rate is an integer of at least 1"),
        (("set", "git", "--add-scope", "/docs"), 2, "did you mean `docs`?"),
        (("set", "git", "--data-class", "secret"), 2, "unknown data class `secret`"),
        (("set", "\x1b[31m", "--rate", "1"), 20, r"`\x1b[31m` cannot be an id"),
        (("set", "gti", "--rate", "1"), 20, "did you mean `git`?"),
        (("set", "broken", "--rate", "1"), 21, "broken.json:1:1`: `{` is never closed"),
        (("new", "x", "--rate", "1"), 2, "a new grant needs `--allow` and `--rate`"),
        (("new", "x", "--allow", "a"), 2, "a new grant needs `--allow` and `--rate`"),
        (("new", "../x", "--allow", "a", "--rate", "1"), 2, "`../x` cannot be an id"),
        (("new", "x", "--allow", "a", "--rate", "1"), 3, "add `--allow-widening`"),
        (("new", "git", "--allow", "a", "--rate", "1", "--allow-widening"), 3, "`git` exists already"),
        (("copy", "git", "model-gateway", "--allow-widening"), 3, "`model-gateway` exists already"),
        (("rename", "git", "model-gateway"), 3, "`model-gateway` exists already"),
        (("remove", "git"), 3, "add `--yes`"),
        (("init", "--root", "docs"), 3, "is a root already"),
        (("stamp", "wait", "--version", "1", "--timeout", "0.1"), 3, "there is no stamp yet"),
    ],
)  # fmt: skip
def test_a_refusal_says_why(root: Path, words: tuple[str, ...], code: int, said: str) -> None:
    """And changes nothing."""
    grant_file(root, "broken").write_text("{")
    before = {path: path.read_bytes() for path in grant_file(root, "x").parent.iterdir()}
    assert said in run(*words, code=code).stderr
    assert {path: path.read_bytes() for path in grant_file(root, "x").parent.iterdir()} == before


@pytest.mark.parametrize("word", ["git.json", "gti.json", ".cortex/policy/tools/git.json", "tools/git", "./git.json"])
@pytest.mark.parametrize(
    "words",
    [
        "check {} tree", "explain {} tree", "run {} tree -- true", "show {}", "edit {}", "set {} --rate 1", "fmt {}",
        "copy {} new", "rename {} new", "remove {} --yes", "rate show {}", "rate reset {} --yes", "undo {}", "log {}",
        "test --init {}",
    ],
)  # fmt: skip
@pytest.mark.usefixtures("root")
def test_the_name_of_a_file_is_understood_as_the_grant_that_is_in_it(words: str, word: str) -> None:
    """Nothing is done, and the id is named, in every command that takes one."""
    stamp_grants(Root(os.getcwd(), trusts_owner=False))
    done = result_of(*words.format(word).split())
    assert done.returncode != 0 or words == "log {}"
    assert "did you mean `git`?" in done.stdout + done.stderr
    assert ".json.json`" not in (done.stdout + done.stderr).partition("hint")[2]


@pytest.mark.usefixtures("root")
def test_a_grant_that_does_not_exist_is_made_by_its_id() -> None:
    """Not by the name of its file; one that exists is not made at all."""
    assert run("show", "far-off.json", code=20).stderr.endswith("makes it with `cortex-policy new far-off`\n")
    assert "cortex-policy new" not in run("show", "git.json", code=20).stderr
    done = run("new", ".cortex/policy/tools/deploy.json", "--allow", "a", "--rate", "1", code=2)
    assert "did you mean `deploy`?" in done.stderr


def test_a_grant_lives_from_new_to_remove(root: Path) -> None:
    """Made, copied, renamed, removed: each by one command of a script."""
    words = ("--tool", "t", "--allow", "tree", "--allow", "search", "--rate", "3", "--data-class", "public")
    run("new", "a", *words, "--scope", "docs", "--allow-widening")
    grant = decode_grant(grant_file(root, "a").read_bytes())
    assert (grant.tool, grant.actions, grant.fs_scope) == ("t", ("tree", "search"), ("docs",))
    run("check", "a", "tree", "--path", "docs/x")
    run("copy", "a", "b", "--allow-widening")
    run("rename", "b", "c")
    assert grant_file(root, "c").read_bytes() == grant_file(root, "a").read_bytes()
    assert run("remove", "c", "--yes").stdout.endswith("removed `c`, version 4\n")
    assert run("stamp", "verify").stdout == "the grants are as stamped\n"


def test_the_hint_of_a_denial_is_the_command_that_allows_it(root: Path) -> None:
    """It is typed into a shell as it stands, whatever the caller gave; where none would help, none is named."""
    (root / "a b;$(touch owned)").mkdir()
    calls = [["git", "$(touch owned)'"], ["--", "git", "-x"], ["git", "tree", "--path", "a b;$(touch owned)/x"],
             ["git", "tree", "--path", "new/x", "--path", "src"], ["fs.write", "tree"],
             ["git", "tree", "--path", "-p", "--root", str(root)]]  # fmt: skip
    for words in calls:
        hint = result_of("check", *words).stderr
        command = hint.rpartition("with `cortex-policy ")[2].rstrip("\n").removesuffix("`")
        more = " --allow tree --rate 3" if command.startswith("new ") else ""
        shell = ["bash", "-c", f'"$0" -m cortex_policy {command}{more} --allow-widening', sys.executable]
        subprocess.run(shell, check=True, capture_output=True)
        run("check", *words)
    assert not (root / "owned").exists()
    for words, code in (
        (["git", "a\nb"], 10), (["git", ""], 10), (["git", "tree", "--path", "/etc/x"], 12),
        (["git", "tree", "--path", "docs/link/x"], 12), (["git", "tree", "--path", "q*"], 12),
        (["git", "tree", "--path", "~/x"], 12), (["git", "tree", "--path", "../x"], 12),
        (["git", "tree", "--path", ".cortex/policy/tools/x"], 12), (["../x", "tree"], 20),
    ):  # fmt: skip
        assert "`cortex-policy " not in run("check", *words, code=code).stderr.partition("hint: ")[2]


def test_a_lock_that_is_held_is_waited_for(root: Path) -> None:
    """At most as long as is said."""
    held = "import sys; from cortex_policy.state import Root; from cortex_policy.state.writer_lock import hold_writer_lock\n"
    held += "with hold_writer_lock(Root(sys.argv[1], trusts_owner=True)): print(flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", held, str(root)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        run("set", "git", "--rate", "1", code=3)
        Timer(0.3, holder.stdin.close).start()
        assert run("set", "git", "--rate", "1", "--wait", "60").stderr == ""


def test_a_waiting_writer_on_a_terminal_learns_who_holds_the_lock(root: Path) -> None:
    """Once, and how long at most."""
    held = "import sys; from cortex_policy.state import Root; from cortex_policy.state.writer_lock import hold_writer_lock\n"
    held += "with hold_writer_lock(Root(sys.argv[1], trusts_owner=True)): print(flush=True); sys.stdin.read()"
    words = [sys.executable, "-c", held, str(root)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        terminal = Terminal("set", "git", "--rate", "1", "--wait", "60")
        terminal.expect("; waiting at most 60 seconds\r\n")
        told = terminal.child.before
        time.sleep(0.5)  # it looks again ten times meanwhile
        holder.communicate("")
    code, said = terminal.end()
    assert code == 0
    assert f"(pid {holder.pid}) has been writing grants for " in told
    assert said.count("waiting") == 1


def test_eight_writers_at_once_lose_no_update(root: Path) -> None:
    """Eight at a time on one grant: all that they set is there, and each was a version of its own."""
    words = [*PROGRAM, "set", "git", "--allow-widening", "--wait", "60", "--allow"]
    writers = [subprocess.Popen([*words, f"a{nth}"], stdout=subprocess.DEVNULL) for nth in range(8)]
    assert [writer.wait(timeout=90) for writer in writers] == [0] * 8
    assert set(decode_grant(grant_file(root, "git").read_bytes()).actions) >= {f"a{nth}" for nth in range(8)}
    assert run("stamp", "show").stdout.startswith("version 8, ")


@pytest.mark.parametrize("word", [b"\xff", "\ud800".encode("utf-8", "surrogatepass")])
def test_invalid_utf_8_is_refused_in_every_field(root: Path, word: bytes) -> None:
    """Neither from `set` nor from `new`."""
    for words in ([b"set", b"git"], [b"new", b"x", b"--rate", b"1"]):
        for option in (b"--allow", b"--tool"):
            done = subprocess.run([*PROGRAM, *words, b"--allow", b"y", option, word], capture_output=True, check=False)
            assert done.returncode == 2, done
            assert b"lone surrogate" in done.stderr
    assert not grant_file(root, "x").exists()


@pytest.mark.parametrize(("line", "code"), [("widen", 0), ("y", 3), ("", 3), ("\x04", 3)])
def test_widening_asks_for_the_word(root: Path, line: str, code: int) -> None:
    """And for nothing less; the meaning stands above the question."""
    terminal = Terminal("set", "git", "--allow", "push")
    terminal.answer("type `widen` to save it: ", line)
    assert terminal.end()[0] == code
    assert "adds push" in terminal.said
    assert (b"push" in grant_file(root, "git").read_bytes()) == (code == 0)


def test_what_was_typed_before_the_question_does_not_answer_it(root: Path) -> None:
    """Nobody says yes to what was not shown yet, not even in a paste."""
    before = grant_file(root, "git").read_bytes()
    terminal = Terminal("set", "git", "--allow", "push")
    terminal.child.sendline("widen")
    terminal.answer("type `widen` to save it: ", "")
    assert terminal.end()[0] == 3
    assert grant_file(root, "git").read_bytes() == before


def test_without_a_terminal_for_the_meaning_no_question_is_asked(root: Path) -> None:
    """Where the output is not a terminal: the meaning stands there."""
    before = grant_file(root, "git").read_bytes()
    for words in ("set git --allow push", "remove git", "new x", "copy git x"):
        shell = f'"$0" -m cortex_policy {words} > "$1"; exit $?'
        child = pexpect.spawn("bash", ["-c", shell, sys.executable, str(root / "seen")], encoding="utf-8", timeout=30)
        child.expect(pexpect.EOF)
        child.close()
        assert (child.exitstatus, "add" in child.before or "needs" in child.before) in {(3, True), (2, True)}
    assert grant_file(root, "git").read_bytes() == before


def test_an_answer_that_is_not_text_means_no(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no bug of this program, in any locale."""
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    terminal = Terminal("set", "git", "--allow", "push")
    terminal.expect("type `widen` to save it: ")
    terminal.child.setecho(state=False)
    os.write(terminal.child.child_fd, b"\xffwiden\n")
    assert terminal.end()[0] == 3
    assert b"push" not in grant_file(root, "git").read_bytes()


def test_no_question_is_asked_if_the_write_would_be_refused(root: Path) -> None:
    """A grant that differs from its stamp is named first, with a command that finds its root from anywhere."""
    run("stamp", "write", "--allow-widening")
    grant_file(root, "git").write_bytes(grant_file(root, "git").read_bytes() + b" ")
    for words in (("set", "git", "--allow", "push"), ("remove", "git"), ("rename", "git", "x")):
        code, said = Terminal(*words, "--root", str(root)).end()
        assert code == 23
        assert f"accept it with `cortex-policy stamp write --root {root}`" in said
    run("stamp", "write", "--allow-widening", "--root", str(root))
    run("rename", "git", "x")


def test_a_write_does_not_make_an_unsafe_grant_trusted(root: Path) -> None:
    """No check believed it, and a write closes it: a change that narrows would have let in whatever stands there."""
    file = grant_file(root, "git")
    file.write_text('{"tool": "t", "actions": ["all"], "rate": {"perMinute": 9}}')
    file.chmod(0o666)
    for words in (("set", "git", "--rate", "1"), ("fmt", "git")):
        assert f"fix it with `chmod go-w {file}`" in run(*words, code=22).stderr
    code, said = Terminal("edit", "git").end()
    assert (code, "is writable by everyone" in said) == (22, True)
    run("check", "git", "all", code=22)
    file.chmod(0o664)
    run("set", "git", "--rate", "1")
    file.chmod(0o666)
    run("remove", "git", "--yes")


def test_a_hint_finds_the_root_that_was_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is typed where the command was, and may not speak of another root there."""
    monkeypatch.chdir("/")
    where = ("--root", str(root))
    assert f"`cortex-policy show git --root {root}`" in run("copy", "model-gateway", "git", *where, code=3).stderr
    assert f"`cortex-policy stamp write --root {root}`" in run("stamp", "show", *where).stdout
    assert f"`cortex-policy stamp write --root {root}`" in run("stamp", "verify", *where, code=1).stderr
    (root / ".cortex" / "policy" / "stamp.json").write_text("{")
    assert f"`cortex-policy stamp write --root {root}`" in run("rename", "git", "x", *where, code=23).stderr


def test_a_terminal_sees_no_control_characters(root: Path) -> None:
    """Of a grant's text, in a diff; a tab stays a tab."""
    grant_file(root, "git").write_text(
        '{\n\t"tool": "t", "x": "\u202e\x9b31m",\n\t"actions": [], "rate": {"perMinute": 1}\n}\n'
    )
    code, said = Terminal("set", "git", "--rate", "2", "--dry-run").end()
    assert code == 0
    assert "\u202e" not in said
    assert "\x9b" not in said
    assert '-\t"actions"' in said
