"""`edit` on a terminal: with a scripted editor, with vi, nano and ed, and two at once."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from cortex_policy.manage.stamp.verify import find_stamp_mismatches
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from tests.support.command import result_of
from tests.support.stamps import stamp_grants

PROGRAM = [sys.executable, "-m", "cortex_policy"]
ALL = "(s)ave (e)dit again (d)iff e(x)it: "
BROKEN = "(e)dit again (d)iff e(x)it: "
EITHER = "(e)dit again e(x)it: "
pytestmark = pytest.mark.usefixtures("drafts_place")
Start = Callable[..., "pexpect.spawn[str]"]
READ = "sleep 1.1"  # as long as somebody looks at a text
WAITS = 'touch started; while [ ! -e go ]; do sleep 0.05; done; sed -i s/30/7/ "$1"'


@pytest.fixture
def git(root: Path) -> Path:
    """Return a stamped grant, laid out as people write it."""
    for file in root.rglob("tools/*.json"):
        file.write_text(json.dumps(json.loads(file.read_text()), indent=2) + "\n")
    stamp_grants(Root(str(root), trusts_owner=False))
    return root / ".cortex" / "policy" / "tools" / "git.json"


@pytest.fixture
def start() -> Iterator[Start]:
    """Return what starts `edit` on a terminal of its own."""
    children: list[pexpect.spawn[str]] = []

    def spawn(editor: str, *words: str) -> "pexpect.spawn[str]":
        environment = {**os.environ, "EDITOR": editor, "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        environment.pop("VISUAL", None)
        words = (*PROGRAM[1:], "edit", *(words or ("git",)))
        child = pexpect.spawn(
            PROGRAM[0], list(words), encoding="utf-8", timeout=20, dimensions=(24, 150), env=environment
        )
        child.ptyproc.delayafterclose = child.ptyproc.delayafterterminate = 0.01
        children.append(child)
        return child

    yield spawn
    for child in children:
        child.close(force=True)


def script(*commands: str) -> str:
    """Return an editor that runs one shell command after the other, each time it is opened; the file is `$1`."""
    steps = "".join(f"{number}) {command};; " for number, command in enumerate(commands))
    count = 'n=$(cat turn 2>/dev/null || echo 0); echo $((n + 1)) > turn; printf "%s\\n" "$@" > arguments; '
    return shlex.join(["sh", "-c", f"{count} case $n in {steps} esac", "editor"])


def ended(child: "pexpect.spawn[str]") -> int | None:
    """Wait for the end and return the exit code."""
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def drafts(git: Path) -> list[Path]:
    """Return the texts that were left: none in the root."""
    assert not list(git.parent.parent.rglob(".edit-*"))
    return sorted(Path(os.environ["TMPDIR"]).rglob("*.json"))


def version(git: Path) -> int:
    """Return the version of the stamp, which must belong to the grants."""
    own = Root(str(git.parent.parent.parent.parent), trusts_owner=False)
    stamp = stamps.read_stamp(own)
    assert stamp is not None
    assert find_stamp_mismatches(own) == ()
    return stamp.version


def test_an_edit_leads_from_a_syntax_error_to_a_saved_grant(git: Path, start: Start) -> None:
    """The problem is shown with its line, and waits for a key; then the meaning, the diff, and one version."""
    child = start(script('sed -i "3s/\\[/\\[\\[/" "$1"', 'sed -i "3s/\\[\\[/\\[/; s/30/7/" "$1"'))
    child.expect_exact("git.json:3:14: error: `[` is never closed [syntax-json]\r\n")
    child.expect_exact("^\r\n")
    child.expect_exact(BROKEN)
    assert (git.parent.parent.parent.parent / "turn").read_text() == "1\n"  # nothing is opened unasked
    child.send("q\x1b[D\x1bOD\x1b[1;2Ds")  # no answers: an arrow is no `d`, and there is nothing to save
    child.send("e")
    child.expect_exact("narrowed")
    assert "---" not in str(child.before)
    child.expect_exact(ALL)
    child.send("d")
    child.expect_exact('-    "perMinute": 30')
    child.expect_exact('+    "perMinute": 7')
    child.expect_exact(ALL)
    child.send("s")
    child.expect_exact("saved `git`, version 2")
    assert ended(child) == 0
    assert json.loads(git.read_text())["rate"] == {"perMinute": 7}
    assert (version(git), drafts(git)) == (2, [])


def test_a_widening_asks_for_its_word(git: Path, start: Start) -> None:
    """Anything else is asked again; what runs with the rights of others is a warning."""
    child = start(script("""sed -i 's|"docs"|".github"|' "$1" """))
    child.expect_exact("warning: git: ")
    child.expect_exact(ALL)
    for word, answer in (("y", "it was not saved"), ("widen", "saved `git`, version 2")):
        child.send("s")
        child.expect_exact("type `widen` to save it: ")
        child.sendline(word)
        child.expect_exact(answer)
    assert ended(child) == 0
    assert ".github" in git.read_text()


@pytest.mark.parametrize(("key", "code"), [("x", 3), ("\x04", 3), ("\x03", 130)])
def test_leaving_keeps_every_byte_and_names_the_text(git: Path, start: Start, key: str, code: int) -> None:
    """An exit, the end of input and Ctrl-C: the grant is untouched, the text is where it says."""
    before = git.read_bytes()
    child = start(script('sed -i s/30/7/ "$1"'))
    child.expect_exact(ALL)
    child.send(key)
    child.expect(r"the text was left in `([^`]+)`")
    assert child.match is not None
    left = Path(child.match[1])  # type: ignore[index] # it matched a pattern
    assert ended(child) == code
    assert (git.read_bytes(), drafts(git), version(git)) == (before, [left], 1)
    assert '"perMinute": 7' in left.read_text()
    assert left.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_killed_session_leaves_the_text(git: Path, start: Start, number: signal.Signals) -> None:
    """The lock is free, and the next session says where the text is."""
    before = git.read_bytes()
    child = start(script('sed -i s/30/7/ "$1"'))
    child.expect_exact(ALL)
    child.kill(number)
    assert ended(child) is None
    assert child.signalstatus == number
    (left,) = drafts(git)
    assert '"perMinute": 7' in left.read_text()
    again = start(script("true", READ))
    again.expect_exact(f"note: an earlier session left its text in `{left}`")
    again.expect_exact("`git` is unchanged")
    assert ended(again) == 0
    assert (git.read_bytes(), drafts(git)) == (before, [left])


def test_a_question_goes_on_after_a_stop(git: Path, start: Start) -> None:
    """It is asked anew, and still takes a key alone, though a shell resets the terminal in between."""
    child = start(script('echo > "$1"'))
    child.expect_exact(EITHER)
    child.kill(signal.SIGSTOP)
    modes = termios.tcgetattr(child.child_fd)
    modes[3] |= termios.ICANON | termios.ECHO
    termios.tcsetattr(child.child_fd, termios.TCSANOW, modes)
    child.kill(signal.SIGCONT)
    child.expect_exact(EITHER)
    child.send("x")
    assert ended(child) == 3
    assert drafts(git) == []


def test_a_terminal_that_goes_away_is_an_exit(git: Path) -> None:
    """Even where no signal tells of it."""
    before = git.read_bytes()
    master, slave = os.openpty()
    environment = {**os.environ, "EDITOR": script('sed -i s/30/7/ "$1"')}
    streams = {"stdin": slave, "stdout": slave, "stderr": slave}
    with subprocess.Popen([*PROGRAM, "edit", "git"], **streams, env=environment, start_new_session=True) as child:  # type: ignore[call-overload]
        os.close(slave)
        said = b""
        while ALL.encode() not in said:
            said += os.read(master, 1024)
        os.close(master)
        assert child.wait(timeout=20) == 3
    assert git.read_bytes() == before
    assert len(drafts(git)) == 1


@pytest.mark.parametrize(
    ("editor", "said", "prompt"),
    [
        (script(': > "$1"'), "`git` was emptied", EITHER),
        (script("exit 4"), "the editor ended with status 4", EITHER),
        (script("kill -9 $$"), "the editor was ended by signal 9", EITHER),
        (script('rm "$1"'), "the editor removed the file", EITHER),
        ("/no/such/editor", "the editor `/no/such/editor` does not start: no such file or directory", EITHER),
        (script("stty -echo -icanon; exit 1"), "the editor ended with status 1", EITHER),
    ],
)
def test_an_editor_that_empties_or_removes_the_file_is_reported(
    git: Path, start: Start, editor: str, said: str, prompt: str
) -> None:
    """And asked about; there is nothing to save, and nothing to leave."""
    before = git.read_bytes()
    child = start(editor)
    child.expect_exact(said)
    child.expect_exact(prompt)
    child.send("x")
    child.expect_exact("cancelled")
    assert ended(child) == 3
    assert (git.read_bytes(), drafts(git)) == (before, [])


def test_an_editor_may_handle_ctrl_c_itself(git: Path, start: Start) -> None:
    """One that takes it goes on; one that dies of it is told like any other."""
    child = start(
        script('trap "sleep 1.1; echo caught; exit 0" INT; echo ready; sleep 20 & wait', "echo ready; exec sleep 20")
    )
    child.expect_exact("ready")
    child.send("\x03")
    child.expect_exact("caught")
    child.expect_exact("`git` is unchanged")
    assert ended(child) == 0
    child = start(script("true", "echo ready; exec sleep 20"))
    child.expect_exact("ready")
    child.send("\x03")
    child.expect_exact("the editor was ended by signal 2")
    child.expect_exact(EITHER)
    child.send("x")
    assert ended(child) == 3
    assert version(git) == 1


def test_without_a_terminal_nothing_is_edited(git: Path) -> None:
    """It ends at once, and says what to use."""
    done = subprocess.run(
        [*PROGRAM, "edit", "git"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 3
    assert "stamp write" in done.stderr
    assert drafts(git) == []


@pytest.mark.parametrize("other", ["git", "model-gateway"])
def test_the_second_editor_learns_who_is_the_first(git: Path, start: Start, other: str) -> None:
    """One that waits finds what the first one saved, on one grant or on two: no update is lost."""
    top = git.parent.parent.parent.parent
    first = start(shlex.join(["sh", "-c", WAITS, "editor"]))
    while not (top / "started").exists():
        assert first.isalive()
    refused = start("true", other)
    refused.expect(rf"\w+ \(pid {first.pid}\) has been in `edit git` for \d+ seconds?\r\n")
    refused.expect_exact("--wait 60")
    assert ended(refused) == 3
    second = start(script('sed -i \'s/"tool": "/&x/\' "$1"'), other, "--wait", "60")
    (top / "go").touch()
    first.expect_exact(ALL)
    first.send("s")
    assert ended(first) == 0
    second.expect_exact(ALL)
    second.send("s")
    second.expect_exact("type `widen` to save it: ")
    second.sendline("widen")
    assert ended(second) == 0
    assert json.loads(git.read_text())["rate"] == {"perMinute": 7}
    assert json.loads(git.with_stem(other).read_text())["tool"].startswith("x")
    assert (version(git), drafts(git)) == (3, [])


# what each shows when it is open, how it is told to set the rate, and how it leaves
KEYS = {
    "vi": ("packages", ":%s/30/7/\r", ":wq\r"),
    "nano": ("Exit", "\x1c30\r7\ra", "\x0f\r\x18"),
    "ed": ("\r\n", ",s/30/7/\r", "w\rq\r"),
}


@pytest.mark.parametrize("editor", KEYS)
def test_a_real_editor_gets_the_terminal(git: Path, start: Start, editor: str) -> None:
    """It has the terminal to itself, and gives it back."""
    if shutil.which(editor) is None:
        pytest.skip(f"{editor} is not installed here; .ci/run installs it")
    opened, change, leave = KEYS[editor]
    child = start(editor)
    child.expect_exact(opened)
    child.send(change)
    child.send(leave)
    child.expect_exact("narrowed")
    child.expect_exact(ALL)
    child.send("s")
    child.expect_exact("saved `git`, version 2")
    assert ended(child) == 0
    assert json.loads(git.read_text())["rate"] == {"perMinute": 7}
    assert drafts(git) == []


@pytest.mark.parametrize(("editor", "keys"), [("vi", "dd:wq\r"), ("nano", "\x0b\x0f\r\x18")])
def test_a_real_editor_opens_at_the_first_problem(git: Path, start: Start, editor: str, keys: str) -> None:
    """Its line is the one that goes."""
    if shutil.which(editor) is None:
        pytest.skip(f"{editor} is not installed here; .ci/run installs it")
    head, brace, rest = git.read_text().partition("\n  ")
    good = f'{head}\n  "also": 1,{brace}{rest}'
    with open_grants_for_write(Root(str(git.parent.parent.parent.parent), trusts_owner=False)) as writer:
        writer.write("git", git.read_bytes(), good.replace('"also": 1,', '"also": 1,\n  "wrong" 1,').encode())
    child = start(editor)
    child.expect_exact("wrong")
    child.send(keys)
    child.expect_exact("widened")  # it allowed nothing while it did not load
    child.expect_exact(ALL)
    child.send("s")
    child.expect_exact("type `widen` to save it: ")
    child.sendline("widen")
    assert ended(child) == 0
    assert git.read_text() == good


def test_an_editor_that_goes_on_in_the_background_keeps_its_text(git: Path, start: Start) -> None:
    """As `code` without `--wait`: what is typed there later is not lost, and nothing is called unchanged."""
    child = start("true")
    child.expect(r"the text was left in `([^`]+)`")
    assert child.match is not None
    left = Path(child.match[1])  # type: ignore[index] # it matched a pattern
    child.expect_exact("not done, nothing was changed: the editor ended at once")
    child.expect_exact("EDITOR='code --wait'")
    assert ended(child) == 3
    assert "unchanged" not in str(child.before)
    assert left.read_bytes() == git.read_bytes()
    assert version(git) == 1


@pytest.mark.parametrize(("editor", "keys"), [("vi", ":q\r"), ("nano", "\x18"), ("ed", "q\r")])
def test_an_editor_in_the_terminal_that_is_closed_at_once_changed_nothing(
    git: Path, start: Start, editor: str, keys: str
) -> None:
    """It cannot be open in the background: nothing is left, and nobody is told to make it wait."""
    if shutil.which(editor) is None:
        pytest.skip(f"no {editor} here")
    before = git.read_bytes()
    child = start(editor)
    child.send(keys)
    child.expect_exact("`git` is unchanged")
    assert ended(child) == 0
    assert drafts(git) == []
    assert (git.read_bytes(), version(git)) == (before, 1)


@pytest.mark.usefixtures("root")
def test_an_unknown_grant_is_reported_even_without_a_terminal() -> None:
    """Who mistypes an id learns that first, where no editor could be opened either."""
    done = result_of("edit", "gti")
    assert done.returncode == 20
    assert done.stderr.startswith("cortex-policy: grant not found: there is no `gti.json` in ")
    assert "did you mean `git`?" in done.stderr


def test_a_text_that_was_left_can_be_gone_on_with(git: Path, start: Start) -> None:
    """The note says how; once it is saved, nothing is left."""
    first = start(script('sed -i s/30/7/ "$1"'))
    first.expect_exact(ALL)
    first.send("x")
    assert ended(first) == 3
    assert "30" in git.read_text()
    second = start("true", "git", "--resume")
    second.expect_exact(ALL)
    second.send("s")
    second.expect_exact("saved `git`")
    assert ended(second) == 0
    assert '"perMinute": 7' in git.read_text()
    assert drafts(git) == []
    third = start("true", "git", "--resume")
    third.expect_exact("no earlier session left a text")
    assert ended(third) == 3


def test_a_wrong_key_lists_the_choices_and_a_paste_answers_nothing(git: Path, start: Start) -> None:
    """A pasted `s` saves nothing; Enter and `?` say what the keys do."""
    before = git.read_bytes()
    child = start(script('sed -i s/30/7/ "$1"'))
    child.expect_exact(ALL)
    for keys in ("?", "\r", "sss save"):
        child.send(keys)
        child.expect_exact("s  save the text")
        child.expect_exact(ALL)
    child.send("x")
    assert ended(child) == 3
    assert git.read_bytes() == before
