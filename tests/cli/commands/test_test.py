"""`test` as whole processes: what stands in CI, before each commit, and beside an editor."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.support.checkout import CHECKOUT, page
from tests.support.command import PROGRAM, result_of, run_command
from tests.support.terminal import Terminal

TESTS = Path(".cortex/policy/tests")
HEAD = 'grant = "git"\n'
PASSES = (
    HEAD + '[[case]]\nname = "docs"\naction = "tree"\nargs = { path = "docs/x" }\nexpect = "allowed"\nremaining = 29\n'
)
FAILS = PASSES.replace('"docs/x"', '"doc/x"')


run = partial(run_command, "test")


@pytest.fixture
def tests(root: Path) -> Path:
    """Stand in a root with an empty directory of cases."""
    (root / TESTS).mkdir()
    return root / TESTS


def seen(top: Path) -> dict[str, tuple[int, bytes]]:
    """Return every file below a directory."""
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in top.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("root")
def test_a_first_file_covers_its_grant_and_passes() -> None:
    """And what is not tested yet is said."""
    wrote = run("--init", "git", "--json")
    made = json.loads(wrote.stdout)
    assert (made["file"], made["percent"], made["uncovered"]) == (f"{TESTS}/git.cases.toml", 100.0, [])
    done = run()
    assert f"{made['cases']} cases in 1 file, all pass" in done.stdout
    assert (
        "model-gateway.json: untested\n  hint: write its first cases with `cortex-policy test --init model-gateway`"
        in done.stdout
    )
    run("--fail-under", "100", code=1)
    run("--init", "model-gateway")
    assert run("--fail-under", "100").stdout.endswith("all pass; coverage 100%\n")
    assert "exists already" in run("--init", "git", code=3).stderr
    assert run("--init", "nobody", code=20).stderr
    assert run("--init", "git", "--watch", code=2).stderr
    assert "`--update` needs `--init GRANT`" in run("--update", code=2).stderr


def test_generated_cases_are_written_again_after_a_change(root: Path) -> None:
    """The failure names the command; it keeps what people wrote, and says so."""
    run("--init", "git")
    with (root / TESTS / "git.cases.toml").open("a") as file:
        file.write('\n[[case]]\nname = "mine"\naction = "tree"\nexpect = "allowed"\n')
    run()
    run_command("set", "git", "--rate", "5")
    failed = run(code=1)
    hint = "generated cases failed\n  hint: if the change was meant, write them again with `cortex-policy test --init git --update`\n"
    assert f"{TESTS}/git.cases.toml: {hint}" in failed.stdout
    wrote = run("--init", "git", "--update").stdout
    assert re.match(r"wrote \d+ cases to `.*git\.cases\.toml`, kept 1 of yours, which cover 100% of `git`\n", wrote)
    assert run().returncode == 0
    done = json.loads(run("--init", "git", "--update", "--json").stdout)
    assert (done["changed"], done["own_cases"]) == (False, 1)
    assert run("--init", "git", "--update").stdout.startswith("nothing to do: ")


def test_a_case_that_fails_is_shown_with_the_rule_that_decided(tests: Path) -> None:
    """Expected and got, its line, the line of the grant, and what is nearest."""
    (tests / "git.cases.toml").write_text(FAILS)
    done = run(code=1)
    assert done.stdout.startswith(
        f"{TESTS}/git.cases.toml:2: failed: docs\n  expected `allowed`, got `path_outside_scope`\n  path: "
    )
    assert "[.cortex/policy/tools/git.json:1]\n  nearest: scope `docs`\n" in done.stdout
    assert "1 case in 1 file, 1 failed; coverage 0%" in done.stdout


def test_a_test_run_touches_no_real_state(tests: Path, state: Path, tmp_path: Path) -> None:
    """Not rate state, nor stamp, nor log, nor settings: they may even be broken, and a stop may stand."""
    (tests / "git.cases.toml").write_text(PASSES)
    policy = tests.parent
    (policy / "stamp.json").write_text("broken")
    (policy / "config.toml").write_text("broken")
    (policy / "stop").write_text("")
    before = seen(tmp_path)
    log = tmp_path / "audit.log"
    for _ in range(2):
        run(CORTEX_POLICY_SENSITIVE="nonsense", CORTEX_AUDIT_LOG=str(log), CORTEX_POLICY_REQUIRE_PATH="true")
    assert not list(state.iterdir())
    assert seen(tmp_path) == before


def test_the_answer_is_the_same_from_anywhere(tests: Path, tmp_path: Path) -> None:
    """It depends on no working directory, and on no tree but that of the file."""
    (tests / "git.cases.toml").write_text(FAILS)
    here = json.loads(run("--json", code=1).stdout)
    elsewhere = result_of("test", "--json", str(tests), cwd=tmp_path)
    there = json.loads(elsewhere.stdout.replace("root/.cortex", ".cortex"))
    assert (elsewhere.returncode, there["files"]) == (1, here["files"])


def test_only_cases_that_match_the_filter_are_reported(tests: Path) -> None:
    """All cases run, and a filter that matches nothing is no success."""
    more = '[[case]]\nname = "search"\naction = "search"\nexpect = "allowed"\n'
    (tests / "git.cases.toml").write_text(FAILS + more)
    run(code=1)
    assert "1 case in 1 file, all pass" in run("--filter", "search").stdout
    assert "no case matches `nothing`" in run("--filter", "nothing", code=1).stderr
    run("--filter", "git.cases", code=1)


def test_several_formats_are_written_at_once(tests: Path, tmp_path: Path) -> None:
    """Each to its place."""
    (tests / "git.cases.toml").write_text(FAILS)
    file = tmp_path / "cases.xml"
    done = run("--output", f"junit={file}", "--output", "text", code=1)
    assert "failed: docs" in done.stdout
    suite = ET.fromstring(file.read_text())[0]  # noqa: S314 - our own
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    assert run("--output", "yaml", code=2).stderr
    assert "cannot be written" in run("--output", f"json={tmp_path}/no/x", code=1).stderr
    members = json.loads(run("--json", code=1).stdout)
    assert members["status"] == "fail"
    (case,) = members["files"][0]["cases"]
    assert (case["expect"], case["reason"], case["rule"], case["grant_line"]) == (
        "allowed",
        "path_outside_scope",
        "path",
        1,
    )


def test_broken_files_and_missing_cases_fail_the_run(tests: Path) -> None:
    """A broken file, a grant that is gone or broken, and a directory without cases."""
    (tests / "git.cases.toml").write_text("grant = 'gti'\n" + PASSES.replace(HEAD, ""))
    said = run(code=1).stdout
    assert "git.cases.toml:1: error: `gti`: grant not found: there is no `gti.json` in " in said
    assert "\n  hint: did you mean `git`?" in said
    (tests / "git.cases.toml").write_text("x")
    assert "it is not TOML" in run(code=1).stdout
    (tests / "git.cases.toml").unlink()
    run()
    run(str(tests), code=1)
    run(str(tests / "none.cases.toml"), code=1)
    (tests / "git.cases.toml").write_text(PASSES)
    (tests.parent / "tools" / "git.json").write_text("{")
    assert "grant invalid" in run(code=1).stdout
    (tests.parent / "tools" / "git.json").write_text('{"tool": "x", "actions": [], "rate": {"perMinute": 1}}')
    (tests.parent / "tools" / "git.json").chmod(0o666)
    assert "writable by everyone, and `check` refuses that" in run(code=1).stderr


def test_hostile_names_reach_no_terminal(tests: Path) -> None:
    """Neither escapes nor commands of a job's log."""
    (tests / "x\x1b[31m.cases.toml").write_text(
        PASSES.replace('"docs"', '"::error::a"').replace("docs/x", "\\u001b[31m##[x]")
    )
    text = run(code=1).stdout + run("--output", "junit", code=1).stdout
    assert "\x1b" not in text
    assert "##[" not in run(code=1).stdout
    ET.fromstring(run("--output", "junit", code=1).stdout)  # noqa: S314 - our own


def until(path: Path, text: str) -> None:
    """Wait until a file holds a text."""
    deadline = time.monotonic() + 60
    while text not in path.read_text():
        assert time.monotonic() < deadline, path.read_text()
        time.sleep(0.05)


@pytest.fixture
def watching(tests: Path, tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """Watch the cases of a root, with the output in a file."""
    (tests / "git.cases.toml").write_text(PASSES)
    out = tmp_path / "out"
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with out.open("w") as stream:
        child = subprocess.Popen(
            [*PROGRAM, "test", "--watch"],
            stdout=stream,
            stderr=stream,
            text=True,
            env=os.environ | {"TMPDIR": str(temporary)},
        )
    try:
        yield child, out
    finally:
        child.kill()
        child.wait()


def test_a_watch_runs_again_after_each_change(
    watching: "tuple[subprocess.Popen[str], Path]", tests: Path, tmp_path: Path
) -> None:
    """Of a case file or a grant, until Ctrl-C, which leaves nothing behind."""
    child, out = watching
    until(out, "1 case in 1 file, all pass")
    (tests / "git.cases.toml").write_text(FAILS)
    until(out, "1 failed")
    grant = tests.parent / "tools" / "git.json"
    grant.write_text(grant.read_text().replace('"docs"', '"docu"'))
    until(out, "nearest: scope `docu`")
    (tests / "git.cases.toml").write_text("x")
    until(out, "could not be run")
    child.send_signal(signal.SIGINT)
    assert child.wait(60) == 130
    assert "\x1b" not in out.read_text()
    assert "Traceback" not in out.read_text()
    assert not list((tmp_path / "temporary").iterdir())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_killed_leaves_no_scratch_root(tests: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Its exit is that of a death by the signal."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    case = '[[case]]\nname = "{}"\naction = "tree"\nargs = {{ path = "docs/x" }}\nexpect = "allowed"\nadvance_seconds = 60\n'
    many = HEAD + "".join(case.format(one) for one in range(9_000))
    (tests / "git.cases.toml").write_text(many)
    started = subprocess.Popen([*PROGRAM, "test"], env=os.environ | {"TMPDIR": str(temporary)})
    while not any(temporary.iterdir()):
        assert started.poll() is None
        time.sleep(0.001)
    started.send_signal(number)
    assert started.wait(60) == -number
    assert not any(temporary.iterdir())


SIGNALLED_AFTER_A_CLOSE = """
import os, signal, sys, tempfile
import cortex_policy.main
close, done = os.close, []
def close_and_signal(descriptor):
    close(descriptor)
    if not done and sys._getframe(1).f_code.co_filename.endswith("paths.py") and os.listdir(tempfile.gettempdir()):
        done.append(1)
        os.kill(os.getpid(), signal.SIGHUP)
os.close = close_and_signal
sys.argv = ["cortex-policy", "test"]
cortex_policy.main.main()
"""


def test_a_signal_between_the_closing_of_a_descriptor_and_its_note_leaves_no_scratch_root(
    tests: Path, tmp_path: Path
) -> None:
    """An exception there would close the descriptor twice, which is an error of its own."""
    (tests / "git.cases.toml").write_text(PASSES)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    program = [sys.executable, "-c", SIGNALLED_AFTER_A_CLOSE]
    done = subprocess.run(program, env=os.environ | {"TMPDIR": str(temporary)}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGHUP, b"")
    assert not any(temporary.iterdir())


def test_a_watch_on_a_terminal_clears_the_screen_each_time(tests: Path) -> None:
    """And Ctrl-C ends it."""
    (tests / "git.cases.toml").write_text(FAILS)
    terminal = Terminal("test", "--watch")
    terminal.expect("\x1b[2J\x1b[H")
    terminal.expect("1 failed")
    (tests / "git.cases.toml").write_text(PASSES)
    terminal.expect("\x1b[2J\x1b[H")
    terminal.expect("all pass")
    terminal.press("\x03")
    assert terminal.end()[0] == 130


def test_a_watch_ends_if_its_reader_goes_away(tests: Path) -> None:
    """As `rate watch` does."""
    (tests / "git.cases.toml").write_text(PASSES)
    child = subprocess.Popen([*PROGRAM, "test", "--watch"], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    child.stdout.readline()
    child.stdout.close()
    assert child.wait(60) == 0


def test_the_case_file_of_the_page_runs(tests: Path) -> None:
    """As it stands there; only that it is not complete is told."""
    (example,) = re.findall(r"^```toml\n(.*?)^```", page("test"), re.MULTILINE | re.DOTALL)
    (tests / "git.cases.toml").write_text(example)
    (file,) = json.loads(run("--json", code=1).stdout)["files"]
    assert not file["problems"]
    assert [case["name"] for case in file["cases"] if case["status"] == "fail"] == ["complete"]


def test_the_cases_of_this_project_pass_and_cover_it() -> None:
    """As in its own CI."""
    done = subprocess.run(
        [*PROGRAM, "test", "--fail-under", "100"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done
