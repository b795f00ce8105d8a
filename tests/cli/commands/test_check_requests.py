"""`check --batch` and `check --request`, as people and programs use them."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import PROGRAM, result_of, run_command

CALL = {"grant": "git", "action": "tree", "args": {"path": "docs/x"}}
QUESTION = {
    "subject": {"type": "user", "id": "alice"},
    "resource": {"type": "tool", "id": "git"},
    "action": {"name": "tree"},
    "context": {"path": "docs/x"},
}


def lines(*requests: Any) -> str:
    """Write requests, one a line."""
    return "".join(f"{json.dumps(one)}\n" for one in requests)


@pytest.mark.usefixtures("root")
def test_a_batch_answers_each_line_and_ends_with_the_first_code_that_is_not_0() -> None:
    """A bad line has its own answer, and the rest goes on."""
    done = run_command("check", "--batch", "-", given=lines(CALL, 7, {**CALL, "action": "push"}, CALL), code=2)
    assert [json.loads(line)["exit_code"] for line in done.stdout.splitlines()] == [0, 2, 10, 0]
    assert done.stderr == ""
    run_command("enforce", "--batch", "-", given=lines(CALL, CALL), code=0)
    run_command("check", "--batch", "-", given="", code=2)


def test_a_batch_is_read_from_a_file_and_for_another_root(root: Path, tmp_path: Path) -> None:
    """Paths start at the working directory, as those of any check do."""
    (tmp_path / "calls").write_text(lines({**CALL, "args": {"path": str(root / "docs/x")}}))
    run_command("check", "--root", str(root), f"--batch={tmp_path}/calls", cwd=tmp_path)
    run_command("check", "--batch", "-", "--require-path", given=lines({"grant": "git", "action": "tree"}), code=12)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("option", ["--batch", "--request"])
@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "takes no other words than --root and --require-path"),
        (("--path", "x"), "takes no other words"),
        (("--arg", "a=b"), "takes no other words"),
        (("--args", "{}"), "takes no other words"),
        (("--cost", "2"), "takes no other words"),
        (("--wait", "1"), "takes no other words"),
        (("--peek",), "takes no other words"),
        (("--explain",), "takes no other words"),
        (("--root", "a", "--root", "b"), "--root is given twice"),
    ],
)
def test_a_file_of_requests_goes_with_no_call_in_words(option: str, words: tuple[str, ...], why: str) -> None:
    """Each says so, and decides nothing."""
    done = run_command("check", option, os.devnull, *(words or ("git",)), code=2)
    assert why in done.stderr


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("option", ["--batch", "--request"])
def test_a_file_that_cannot_be_read_is_named(option: str) -> None:
    """Absent, a directory, or no name at all."""
    for file, why in (("absent", "no such file"), ("docs", "is a directory"), ("a\0b", "null byte")):
        assert why in run_command("check", option, file, code=2).stderr
    assert "requires an argument" in run_command("check", option, code=2).stderr
    assert "given twice" in run_command("check", option, "a", option, "b", code=2).stderr


@pytest.mark.usefixtures("root")
def test_a_call_in_words_still_needs_both() -> None:
    """The grant and the action."""
    assert "missing argument `GRANT`" in run_command("check", code=2).stderr
    assert "missing argument `ACTION`" in run_command("check", "git", code=2).stderr


@pytest.mark.usefixtures("root")
def test_a_request_is_a_question_unless_it_consumes() -> None:
    """Its answer has the members of `check --json` in its context."""
    for consume, used in ((False, 0), (True, 1), (False, 1)):
        question = {**QUESTION, "context": {"path": "docs/x", "consume": consume}}
        answer = json.loads(run_command("check", "--request", "-", given=json.dumps(question)).stdout)
        assert answer["decision"] is True
        assert (answer["context"]["rate"]["used"], answer["context"]["rate"]["consumed"]) == (used, int(consume))
    denied = {**QUESTION, "context": {"path": "/etc"}}
    answer = json.loads(run_command("check", "--request", "-", given=json.dumps(denied), code=12).stdout)
    assert (answer["decision"], answer["context"]["reason"]) == (False, "path_outside_scope")


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("text", ["", "{", "[]", '{"subject": {}}', '{"a": 1, "a": 2}', "\ufeff{}"])
def test_an_invalid_request_is_denied_with_its_error(text: str) -> None:
    """On standard output, where programs read it."""
    answer = json.loads(run_command("check", "--request", "-", given=text, code=2).stdout)
    assert answer["decision"] is False
    assert answer["context"]["error"]["status"] == 400


def test_an_argument_that_a_request_cannot_carry_is_an_error(root: Path) -> None:
    """It is never taken for absent, which its grant may allow."""
    file = root / ".cortex/policy/tools/git.json"
    file.write_text(file.read_text().replace('"args": {', '"args": {"consume": {"const": "never"}, '))
    assert "consume" in json.loads(file.read_text())["args"]
    done = run_command("check", "--request", "-", given=json.dumps(QUESTION), code=2)
    assert "which a request cannot carry" in json.loads(done.stdout)["context"]["error"]["message"]


@pytest.mark.usefixtures("root")
def test_a_closed_or_full_output_exits_with_3() -> None:
    """The exit code says that something was left out."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*PROGRAM, "check", "--batch", "-"], input=lines(CALL).encode(), stdout=writer, check=False, timeout=60
    )
    os.close(writer)
    assert done.returncode == 3
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*PROGRAM, "check", "--batch", "-"], input=lines(CALL).encode(), stdout=full, stderr=subprocess.PIPE,
            check=False, timeout=60,
        )  # fmt: skip
    message = b"cortex-policy: the lines of `-` cannot be answered: no space left on device\n"
    assert (done.returncode, done.stderr) == (3, message)  # calls were counted: something was changed


@pytest.mark.usefixtures("root")
def test_a_closed_input_has_no_line() -> None:
    """Nothing was asked, so nothing is allowed."""
    assert result_of("check", "--batch", os.devnull).returncode == 2
