"""`validate` as whole processes: what stands in CI and before each commit."""

import json
import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.support.checkout import DOCUMENTS
from tests.support.command import PROGRAM, Done, result_of, run_command
from tests.support.terminal import Terminal

PROBLEMS = DOCUMENTS / "problems"
SOUND = {"tool": "x", "actions": ["tree"], "rate": {"perMinute": 30}, "fsScope": ["docs"]}


run = partial(run_command, "validate")


# what must come out for each: code, severity, line, column, and what the message and the hint hold
CORPUS = {
    "other-name": [("tool-id", "note", 3, 10, "`other-name` is not the tool `map-git`", "")],
    "dead-scope": [("scope-dead", "error", 5, 14, "`apps/core/**/tmp/**` can never match", "prefix `apps/core`")],
    "three-missing": [
        ("shape-missing", "error", 1, 1, f"`{key}` is missing", f'"{key}"') for key in ("actions", "rate", "tool")
    ],
    "shell": [("syntax-shell", "error", 1, 1, "shell", "")],
    "json-schema": [("shape-schema", "error", 1, 1, "JSON Schema", "")],
    "another-shape": [("shape-other", "error", 1, 1, "not a tool grant", "cortex-policy new")],
    "services": [("shape-other", "error", 1, 1, "not a tool grant", "cortex-policy new")],
}  # fmt: skip


@pytest.mark.parametrize("name", CORPUS)
def test_files_that_are_not_grants_are_reported_as_what_they_are(root: Path, name: str) -> None:
    """In JSON and in text, each with its line and column, and only once."""
    (root / "apps" / "core").mkdir(parents=True)
    tools = root / "elsewhere" / "tools"
    tools.mkdir(parents=True)
    for example in PROBLEMS.iterdir():
        (tools / example.name).write_bytes(example.read_bytes())
    file, expected = f"elsewhere/tools/{name}.json", CORPUS[name]
    code = int(any(severity == "error" for _, severity, *_ in expected))
    found = json.loads(run(file, "--output", "json", code=code).stdout)
    assert (found["status"], found["files"]) == ("fail" if code else "ok", 1)
    assert [(one["code"], one["severity"], one["line"], one["column"]) for one in found["problems"]] == [
        tuple(row[:4]) for row in expected
    ]
    text = run(file, code=code).stdout
    for problem, (kind, severity, line, column, message, hint) in zip(
        sorted(found["problems"], key=lambda one: one["message"]), sorted(expected, key=lambda row: row[4]), strict=True
    ):
        assert message in problem["message"]
        assert hint in (problem["hint"] or "")
        assert f"{file}:{line}:{column}: {severity}: {problem['message']} [{kind}]" in text


@pytest.mark.usefixtures("root")
def test_a_grant_that_never_existed_is_missing() -> None:
    """And what is there is looked at."""
    done = run(".cortex/policy/tools/fs.write.json", ".cortex/policy/tools/git.json", "--json", code=1)
    found = json.loads(done.stdout)
    assert found["files"] == 2
    assert [one["code"] for one in found["problems"] if one["severity"] == "error"] == ["file-missing"]


def test_json_has_exactly_the_members_of_the_contract(root: Path) -> None:
    """Line and column start at 1; a fix says what it replaces."""
    (root / "x.json").write_text('{"tool": "x", "actions": ["a", "a"], "rate": {"perMinute": 1}}')
    done = run("x.json", "--json", "--select", "action")
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem == {
        "file": "x.json", "line": 1, "column": 32, "end_line": 1, "end_column": 35, "pointer": "/actions/1",
        "code": "action-twice", "severity": "warning", "message": "`a` appears twice", "hint": "once is enough",
        "fix": {"line": 1, "column": 30, "end_line": 1, "end_column": 35, "text": ""},
    }  # fmt: skip


@pytest.mark.usefixtures("root")
def test_standard_input_is_a_file() -> None:
    """For generators; the root that is named is its tree."""
    draft = json.dumps(SOUND | {"fsScope": ["gone"]})
    assert "<stdin>:1:" in run("-", "--root", ".", "--strict", given=draft, code=1).stdout
    run("-", given=draft)
    assert "<stdin>:1:1: error: " in run("-", given="{", code=1).stdout


def test_several_formats_come_from_one_run(root: Path) -> None:
    """One to standard output, the others to files."""
    (root / "x.json").write_text("{}")
    done = run(
        "x.json",
        "--output",
        "github",
        "--output=sarif=a.sarif",
        "--output",
        "junit=b.xml",
        "--output=json=c.json",
        code=1,
    )
    assert done.stdout.startswith("::error file=x.json,line=1")
    assert json.loads((root / "a.sarif").read_text())["version"] == "2.1.0"
    assert (root / "b.xml").read_text().startswith("<?xml")
    assert json.loads((root / "c.json").read_text())["status"] == "fail"
    assert (done.stderr, run("x.json", "--output", "json=c.json", code=1).stdout) == ("", "")
    assert "1 file: 3 errors" in run("x.json", "--output", "json=c.json", code=1).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--output", "xml"], "unknown format `xml`"),
        (["--output", "json", "--output", "text"], "can be named only once"),
        (["--output", "json=a", "--output", "sarif=a"], "can be named only once"),
        (["--output", "json="], "can be named only once"),
        (["--select", "scope-ded"], "did you mean `scope-dead`"),
        (["--ignore", "x"], "unknown rule `x`"),
        (["-", "-"], "can be read once"),
        (["-", "--fix"], "standard input cannot be fixed"),
        (["--nope"], "unknown option"),
        (["--stric"], "--strict"),
    ],
)
@pytest.mark.usefixtures("root")
def test_wrong_words_are_usage(words: list[str], said: str) -> None:
    """With what was meant."""
    assert said in run(*words, code=2, given="").stderr


@pytest.mark.usefixtures("root")
def test_a_report_that_cannot_be_written_is_a_failure() -> None:
    """Though there was nothing to report."""
    assert "cannot be written: there is no directory `gone`" in run("--output", "json=gone/x.json", code=3).stderr


def test_an_output_that_is_full_or_gone_changes_no_code(root: Path) -> None:
    """The verdict was known before; that nothing is wrong is worth nothing where nobody could be told."""
    for code, name in ((0, "git"), (1, "x")):
        if name == "x":
            (root / ".cortex/policy/tools/x.json").write_text("{")
        line = f"{' '.join(PROGRAM)} validate .cortex/policy/tools/{name}.json"
        for sink in (">/dev/full", ">&-", "2>&- >&- <&-"):
            assert subprocess.run(["bash", "-c", f"{line} {sink}"], check=False, capture_output=True).returncode == (
                3 if sink == ">/dev/full" and not code else code
            )


def test_a_terminal_gets_colour_unless_it_is_unwanted(root: Path) -> None:
    """And no other signal is lost without it."""
    (root / ".cortex/policy/tools/x.json").write_text("{}")
    for environment, is_coloured in (({}, True), ({"NO_COLOR": "1"}, False)):
        code, seen = Terminal("validate", columns=80, **environment).end()
        assert ("\x1b[1;31m" in seen) == is_coloured
        assert code == 1
        assert "error" in seen


def test_hostile_names_and_values_reach_no_terminal(root: Path) -> None:
    """Not in text, and not as a command in the log of a job."""
    name = "x\x1b[31m\n::error::\u202e.json"
    (root / name).write_text(json.dumps({"tool": "\x1b[2J\n::error::", "actions": ["a\x07*"]}))
    for output in ("text", "github"):
        out = run(name, f"--output={output}", code=1).stdout
        assert not {"\x1b", "\x07", "\u202e"} & set(out)
        assert not any(line.startswith("::error::") for line in out.splitlines())


def test_fix_repairs_what_is_certain_and_reports_the_rest(root: Path) -> None:
    """Each a write with a stamp; the exit code is that of what is left."""
    tools = root / ".cortex" / "policy" / "tools"
    (tools / "x.json").write_text(
        '{"tool": "x",\n "actions": ["a", "a", ""], "rate": {"perMinute": 1}, "fsScope": ["a/**"]}\n'
    )
    before = (tools / "git.json").read_bytes()
    done = run("--fix", code=1)
    assert "fixed `.cortex/policy/tools/x.json`, version 1" in done.stderr
    assert (
        tools / "x.json"
    ).read_text() == '{"tool": "x",\n "actions": ["a"], "rate": {"perMinute": 1}, "fsScope": ["a/**"]}\n'
    assert "scope-dead" in done.stdout
    assert (tools / "git.json").read_bytes() == before
    assert json.loads((tools.parent / "stamp.json").read_text())["version"] == 1


def test_fix_reports_what_it_cannot_repair(root: Path) -> None:
    """Here because another holds the lock, or the grant differs from its stamp."""
    tools = root / ".cortex" / "policy" / "tools"
    run_command("stamp", "write", "--allow-widening")
    (tools / "x.json").write_text(json.dumps(SOUND | {"actions": ["a", "a"]}))
    done = run("--fix", code=3)
    assert "not fixed: `.cortex/policy/tools/x.json`: grant differs from its stamp" in done.stderr
    assert "cortex-policy stamp write" in done.stderr


def test_unreadable_files_are_reported_even_if_their_rule_is_not_selected(root: Path) -> None:
    """It was called valid, with 0: no rule had seen it."""
    (root / "x.json").write_text("{")
    done = run("x.json", "gone.json", "--select", "scope", "--json", code=1)
    assert [one["code"] for one in json.loads(done.stdout)["problems"]] == ["file-missing", "syntax-json"]
    run("x.json", "gone.json", "--ignore", "syntax,file-missing")


def test_outside_of_any_root_there_is_nothing_to_validate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is no success."""
    monkeypatch.chdir(tmp_path)
    assert "no policy root" in run(code=25).stderr
    assert ".: error: it holds no grant [file-missing]" in run(".", code=1).stdout


@pytest.mark.usefixtures("root")
def test_a_rule_is_explained() -> None:
    """By its code, by its group, and all of them."""

    def rule(*words: str) -> Done:
        return result_of("rule", *words)

    assert rule("scope-dead").stdout.startswith("scope-dead (error): a scope can never match\n")
    assert all(line.startswith("scope-") for line in rule("scope").stdout.splitlines())
    assert {one["code"] for one in json.loads(rule("--json").stdout)["rules"]} > {"scope-dead", "syntax-json"}
    assert (rule("nope").returncode, rule().returncode) == (2, 0)


def test_a_scope_is_looked_at_once_the_rest_is_a_grant(root: Path) -> None:
    """As the page says: first the syntax, then the shape, then what the grant means; each file for itself."""
    grant = '{"tool": "x", "actions": ["a"], "fsScope": ["nowhere"], "rate": {"perMinute": %s}}'
    stages = {'"3"}}//': "syntax", '"3"': "shape", "3": "scope"}
    for rate, group in stages.items():
        (root / ".cortex/policy/tools/x.json").write_text(grant % rate)
        problems = json.loads(result_of("validate", "--json", "--ignore", "stamp").stdout)["problems"]
        groups = {one["code"].partition("-")[0] for one in problems if one["file"].endswith("/x.json")}
        assert groups & {*stages.values()} == {group}
