"""`run`: decides like `check`, then becomes the command; a denied call never runs it."""

import json
import os
import subprocess
from pathlib import Path
from typing import Never

import pytest

from tests.support.command import PROGRAM, process_of, result_of, run_command
from tests.support.doors import BOTH_DOORS, Door
from tests.support.roots import grant_file

pytestmark = pytest.mark.usefixtures("root")


@pytest.fixture(autouse=True)
def stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if a test would become a command itself, in place of a process that it starts."""

    def fail(*words: object) -> Never:
        pytest.fail(f"became {words}")

    monkeypatch.setattr(os, "execv", fail)


def used(action: str = "tree") -> int:
    """Return how many calls the grant `git` has counted."""
    return int(json.loads(run_command("check", "git", action, "--peek", "--json").stdout)["rate"]["used"])


def test_an_allowed_call_becomes_the_command_with_its_arguments_and_its_exit_code() -> None:
    """Options after `--` are the command's, and its code is the answer."""
    done = process_of("run", "git", "tree", "--", "sh", "-c", 'echo "$@"; exit 7', "sh", "--help", "-q", "--", "x")
    assert (done.returncode, done.stdout, done.stderr) == (7, "--help -q -- x\n", "")
    assert used() == 1


def test_an_allowed_call_is_the_same_process() -> None:
    """Signals that its parent sends reach the command, and a supervisor sees one process."""
    process = subprocess.Popen([*PROGRAM, "run", "git", "tree", "--", "sh", "-c", "echo $$"], stdout=subprocess.PIPE)
    assert int(process.communicate(timeout=60)[0]) == process.pid


def test_an_allowed_call_has_the_input_of_its_caller() -> None:
    """Nothing of it is read, unless the arguments come from there."""
    assert process_of("run", "git", "tree", "--", "cat", given="text").stdout == "text"
    assert process_of("run", "git", "tree", "--args", "-", "--", "cat", given='{"path": "docs"}').stdout == ""


def test_an_allowed_call_is_in_the_audit_log_before_the_command_starts(tmp_path: Path) -> None:
    """The command sees the line."""
    log = str(tmp_path / "log")
    done = process_of("run", "git", "tree", "--", "cat", log, CORTEX_AUDIT_LOG=log)
    assert json.loads(done.stdout)["data"]["decision"] is True


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&- <&-", ">/dev/full 2>/dev/full", "| head -c0"])
def test_an_allowed_call_becomes_the_command_whatever_its_outputs_are(redirection: str, tmp_path: Path) -> None:
    """Nothing of ours is printed."""
    line = f"set -o pipefail; {' '.join(PROGRAM)} run git tree -- touch {tmp_path}/ran {redirection}"
    assert subprocess.run(["bash", "-c", line], check=False).returncode == 0
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("words", [("--require-path", "--path", "docs/x"), ("--cost", "3"), ("--wait", "1")])
def test_an_allowed_call_takes_the_options_of_check(words: tuple[str, ...]) -> None:
    """With the same meaning."""
    assert process_of("run", "git", "tree", *words, "--", "true").returncode == 0


@BOTH_DOORS
def test_a_denied_call_says_so_in_one_line_and_does_not_run_the_command(door: Door, tmp_path: Path) -> None:
    """With the hint in the same line, so that a log has one line for each event."""
    done = door.result_of("run", "git", "push", "--", "touch", str(tmp_path / "ran"))
    assert (done.returncode, done.stdout) == (10, "")
    assert done.stderr.startswith("git push: action not allowed: `push`; hint: allowed actions: ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "ran").exists()


def test_a_denied_call_has_the_code_that_check_has(root: Path) -> None:
    """For every rule, and for what could not be decided."""
    calls = [["git", "push"], ["git", "tree", "--arg", "repo=3", "--path", "etc"], ["model-gateway", "chat", "--require-path"],
             ["git", "tree", "--cost", "31"], ["missing", "tree"], ["git", "tree", "--root", "/nowhere"]]  # fmt: skip
    for call in calls:
        checked = result_of("check", *call)
        assert checked.returncode
        assert result_of("run", *call, "--", "true").returncode == checked.returncode
    (root / ".cortex/policy/stop").touch()
    assert result_of("run", "git", "tree", "--", "true").returncode == 15


def test_a_denied_call_is_silent_with_q() -> None:
    """A command that is not found, too."""
    for command, code in (("true", 10), ("./missing", 127)):
        done = result_of("run", "git", "push", "-q", "--", command)
        assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


@pytest.mark.parametrize(
    ("call", "code"), [(("git", "push"), 99), (("missing", "x"), 99), (("git", "push", "--cost", "0"), 2)]
)
def test_a_denied_call_ends_with_the_code_that_the_caller_wants(call: tuple[str, ...], code: int) -> None:
    """Denied and undecidable alike; a usage error keeps its own."""
    assert result_of("run", *call, "--denied-exit", "99", "--", "true").returncode == code
    assert result_of("run", *call, "--denied-exit=99", "--", "./missing").returncode in (127, 2)


@pytest.mark.parametrize("text", ["0", "256", "-1", "x", "", "1.5", "\u0663", "99999999999999999999999", "+4", "00"])
def test_a_denied_call_cannot_end_with_0_or_a_code_that_no_process_has(text: str) -> None:
    """It is a usage error."""
    assert result_of("run", "git", "tree", f"--denied-exit={text}", "--", "true").returncode == 2


def test_a_denied_call_waits_for_budget_if_it_is_asked_to() -> None:
    """And is denied if none frees."""
    assert result_of("check", "git", "tree", "--cost", "30").returncode == 0
    assert result_of("run", "git", "tree", "--wait", "0.05", "--", "true").returncode == 14


def test_a_denied_call_that_needs_a_human_says_how_one_allows_it(root: Path) -> None:
    """In the one line; once it is approved, the command runs."""
    grant_file(root).write_text(grant_file(root).read_text().replace("internal", "sensitive"))
    asked = {"CORTEX_POLICY_SENSITIVE": "ask"}
    assert result_of("run", "git", "tree", "--", "true", **asked).returncode == 13
    done = result_of("run", "git", "tree", "--wait", "0.1", "--", "true", **asked)
    assert (done.returncode, "waits for a human: cortex-policy approve " in done.stderr.split("\n")[0]) == (13, True)
    command = done.stderr.partition("`cortex-policy approve ")[2].partition("`")[0]
    run_command("approve", command, "--yes", **asked)
    assert process_of("run", "git", "tree", "--", "echo", "ran", **asked).stdout == "ran\n"


@pytest.mark.parametrize("name", ["missing-command", "./missing", "docs/missing/x", "", "/"])
def test_the_command_is_looked_up_before_anything_is_decided(name: str) -> None:
    """127 or 126 for a call that would be denied as well, and nothing is counted."""
    for action in ("tree", "push"):
        assert result_of("run", "git", action, "--", name).returncode == (126 if name == "/" else 127)
    assert used() == 0


def test_the_command_that_cannot_be_executed_is_126(root: Path) -> None:
    """A file without permission, a directory, a special file."""
    (root / "plain").write_text("#!/bin/sh\n")
    os.mkfifo(root / "pipe", 0o755)
    for name in ("./plain", "./docs", "./pipe"):
        assert result_of("run", "git", "tree", "--", name).returncode == 126
    done = result_of("run", "git", "tree", "--", "plain", PATH=str(root))
    assert (done.returncode, "chmod +x" in done.stderr) == (126, True)
    assert used() == 0


def test_the_command_is_found_as_a_shell_finds_it(root: Path, tmp_path: Path) -> None:
    """Directories and files without permission are passed over, an empty part of PATH is the working directory."""
    first, second = tmp_path / "first", tmp_path / "second"
    for directory in (first, second):
        directory.mkdir()
    (first / "tool").write_text("")
    (first / "other").mkdir()
    for file in (second / "tool", second / "other", root / "here"):
        file.write_text('#!/bin/sh\necho "$0" "$@"\n')
        file.chmod(0o755)
    path = f"{first}::{tmp_path}/absent:{second}"
    for name, file in (("tool", second / "tool"), ("other", second / "other"), ("here", "./here")):
        done = process_of("run", "git", "tree", "--", name, "a", PATH=path)
        assert done.stdout == f"{file} a\n"


def test_the_command_is_found_without_a_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the directories that the system has for that case."""
    monkeypatch.delenv("PATH")
    assert process_of("run", "git", "tree", "--", "true").returncode == 0
    assert result_of("run", "git", "tree", "--", "missing-command").returncode == 127


def test_the_command_may_be_a_script_without_an_interpreter(root: Path) -> None:
    """Then it is one of the shell, as everywhere; a name that begins with `-` is no option of it."""
    script = root / "-c" / "-c"
    script.parent.mkdir()
    script.write_text('echo "ran $1"\n')
    script.chmod(0o755)
    assert process_of("run", "git", "tree", "--", "-c/-c", "a").stdout == "ran a\n"
    assert process_of("run", "git", "tree", "--", "-c", "a", PATH=f"-c:{os.environ['PATH']}").stdout == "ran a\n"


def test_the_command_that_the_system_refuses_after_the_decision_has_the_same_codes(root: Path) -> None:
    """No interpreter, too long a word, a program of another machine: the call is counted, and the message says so."""
    script = root / "script"
    script.write_text("#!/nowhere/interpreter\n")
    script.chmod(0o755)
    binary = root / "binary"
    binary.write_bytes(b"touch ran\n\0")
    binary.chmod(0o755)
    long = ("--path", f"docs/{'x' * 200}", "--", "true", "{}" * 700)
    for words, code in ((("--", "./script"), 127), (long, 126), (("--", "./binary"), 126)):
        done = process_of("run", "git", "tree", *words)
        assert (done.returncode, "; the call was counted, and the command did not run" in done.stderr) == (code, True)
    assert used() == 3
    assert not (root / "ran").exists()


@pytest.mark.parametrize("words", [("git", "tree"), ("git", "tree", "--"), ("git", "tree", "ls"), ("git", "tree", "ls", "--", "ls"), ("git", "--", "tree", "ls"), ("--", "git", "tree", "ls"), ("git", "tree", "--path", "--", "true")])  # fmt: skip
def test_the_command_follows_two_dashes(words: tuple[str, ...]) -> None:
    """The first `--` ends the options, also where a value is missing: no value of a variable moves it."""
    done = result_of("run", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("cortex-policy run: ")


@pytest.mark.parametrize("option", ["--peek", "--json", "--explain", "-0", "--for-eac", "--denied-exit"])
def test_the_command_runs_for_no_option_that_only_looks(option: str) -> None:
    """These are usage errors, said on stderr."""
    done = result_of("run", "git", "tree", option, "--", "true")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 2)


def test_the_path_in_the_command_is_the_resolved_path_also_inside_a_word(root: Path) -> None:
    """Absolute, without links and `..`, and never read twice."""
    (root / "docs" / "a{}").touch()
    (root / "docs" / "there").symlink_to("../packages/a/-x")
    done = process_of("run", "git", "tree", "--path", "docs/there", "--", "echo", "{}", "--file={}", "{}{}", "{ }")
    real = root / "packages/a/-x"
    assert done.stdout == f"{real} --file={real} {real}{real} {{ }}\n"
    assert process_of("run", "git", "tree", "--path", "docs/a{}", "--", "echo", "{}").stdout == f"{root}/docs/a{{}}\n"


def test_the_path_in_the_command_is_where_a_link_leads() -> None:
    """A link that is changed after the decision changes nothing."""
    done = process_of("run", "model-gateway", "chat", "--path", "docs/link/passwd", "--", "echo", "{}")
    assert done.stdout == "/etc/passwd\n"
    assert process_of("run", "git", "tree", "--path", "docs/link/passwd", "--", "echo", "{}").returncode == 12


@pytest.mark.parametrize("words", [(), ("--path", "docs/a", "--path", "docs/b"), ("--path", ""), ("--arg", "file=docs/a"), ("--args", '{"path": "docs/a"}')])  # fmt: skip
@pytest.mark.parametrize("grant", [("git", "tree"), ("model-gateway", "chat")])
def test_the_path_in_the_command_needs_exactly_one_path(grant: tuple[str, str], words: tuple[str, ...]) -> None:
    """None, several and an empty one are usage errors: an unset variable must not become the working directory."""
    done = result_of("run", *grant, *words, "--", "rm", "-r", "{}")
    assert (done.returncode, "`{}` stands for one path, and " in done.stderr) == (2, True)
    assert used() == 0


def test_the_path_in_the_command_that_cannot_be_resolved_does_not_run_the_command(tmp_path: Path) -> None:
    """A grant without scopes allows it, and nobody can say what it is."""
    done = process_of(
        "run", "model-gateway", "chat", "--path", "absent/../x", "--", "touch", str(tmp_path / "ran"), "{}"
    )
    assert (done.returncode, "cannot be resolved" in done.stderr) == (2, True)
    assert not (tmp_path / "ran").exists()


def test_the_path_in_the_command_is_none_if_the_grant_says_that_the_argument_is_no_path(
    root: Path, tmp_path: Path
) -> None:
    """`format` is `not-path`, so that nothing was resolved."""
    grant = json.loads(grant_file(root).read_text())
    grant_file(root).write_text(json.dumps({**grant, "args": {"path": {"format": "not-path"}}}))
    words = ("--path", "/etc", "--", "touch", str(tmp_path / "ran"), "{}")
    assert process_of("run", "git", "tree", *words).returncode == 2
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("command", ["{}", "./{}", "sh -c {}", "sh -ec cat\t{}", "sudo bash -o pipefail -lc cat\t{}", "env A=1 zsh -c -e cat<{}", "/bin/sh -c -- x{}"])  # fmt: skip
def test_the_path_in_the_command_is_neither_the_command_nor_a_part_of_a_script(command: str) -> None:
    """The name of a file could hold commands; such a script takes it as an argument."""
    assert result_of("run", "git", "tree", "--path", "docs/x", "--", *command.split(" ")).returncode == 2
    assert used() == 0


@pytest.mark.parametrize("command", ['sh -c echo\t"$1" sh {}', "bash docs/script -c {}", "tar -c {}"])
def test_the_path_in_the_command_may_be_an_argument_of_a_script(command: str, root: Path) -> None:
    """A name with a command in it is one word."""
    (root / "docs" / "script").write_text('echo "$2"\n')
    name = "docs/$(touch owned)"
    done = process_of("run", "git", "tree", "--path", name, "--", *command.split(" "))
    assert command.startswith("tar") or done.stdout == f"{root}/{name}\n"
    assert not (root / "owned").exists()


def test_the_path_in_the_command_may_be_of_any_bytes(root: Path) -> None:
    """What the file system takes comes through unchanged."""
    name = os.fsdecode(b"docs/\xff\xfe \xc3\xa9 '\"$`;")
    done = subprocess.run([*PROGRAM, "run", "git", "tree", "--path", name, "--", "printf", "%s", "{}"], capture_output=True, check=True)  # fmt: skip
    assert done.stdout == os.fsencode(f"{root}/{name}")
