"""Whole command lines of `check`: the exit codes people build on."""

import hashlib
import json
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

import cortex_policy
from tests.support.command import process_of, result_of
from tests.support.terminal import Terminal

check = partial(result_of, "check")
TABLE = [
    (("git", "tree", "--path", "docs/x"), 0),
    (("git", "tree", "--path", "packages/a/../b"), 0),
    (("git", "tree", "--path", "./docs"), 0),
    (("git", "tree", "--path", "docs/"), 0),
    (("git", "tree", "--wait", "0", "--peek"), 0),
    (("git", "tree"), 0),
    (("git", "tree", "--require-path"), 12),
    (("git", "push", "--path", "docs/x"), 10),
    (("git", "tree", "--args", '{"repo": 3}'), 11),
    (("git", "tree", "--arg", "repo=3"), 0),
    (("git", "tree", "--path", "docs-evil/x"), 12),
    (("git", "tree", "--path", "packages/../etc"), 12),
    (("git", "tree", "--path", ""), 12),
    (("git", "tree", "--path", "."), 12),
    (("git", "tree", "--path", "/"), 12),
    (("model-gateway", "chat", "--path", "."), 0),  # README says what a tool that descends reaches
    (("model-gateway", "chat", "--path", "/"), 0),
    (("model-gateway", "chat", "--path", ".cortex/policy"), 12),
    (("git", "tree", "--path", "docs/link-to-etc/passwd"), 12),
    (("git", "tree", "--arg", "path=docs/x", "--arg", "targetPath=etc/x"), 12),
    (("git", "tree", "--path", "docs/x", "--path", "etc/x"), 12),
    (("git", "tree", "--path", "docs/x", "--path", "packages/x"), 0),
    (("git", "tree", "--args", '{"options": {"edits": [{"file": "/etc/passwd"}]}}'), 12),
    (("git", "tree", "--path", "null"), 12),
    (("git", "tree", "--arg", "outputPath=null"), 12),
    (("git", "tree", "--arg", 'log_file="docs/x"'), 12),
    (("git", "tree", "--arg", "max_files=5"), 0),
    (("git", "tree", "--path", "~/.ssh/id_rsa"), 12),
    (("git", "tree", "--path", "docs/dangling-link-to-etc-x"), 12),
    (("git", "tree", "--path", "docs/link/../x"), 12),
    (("git", "tree", "--path", "docs/missing/../x"), 12),
    (("git", "tree", "--path", "/proc/self/root/etc"), 12),
    (("git", "tree", "--path", "file:///etc/passwd"), 12),
    (("fs.write", "write"), 20),
    (("../model-gateway", "chat"), 20),
    (("", "chat"), 20),
    (("git", "--help"), 2),
    (("--help", "tree"), 2),
    (("--help",), 0),
    (("--version", "tree"), 2),
    (("git", "--", "--help"), 10),
    (("git", "--", "tree"), 0),
    (("git", "--version"), 2),
    (("git", "tree", "--help"), 2),
    (("git",), 2),
    (("git", "tree", "extra"), 2),
    (("git", "tree", "--cost", "0"), 2),
    (("git", "tree", "--cost", "-3"), 2),
    (("git", "tree", "--cost", "x"), 2),
    (("git", "tree", "--cost", "31"), 14),
    (("git", "tree", "--cost", "1000000000"), 14),
    (("git", "tree", "--cost", "9" * 5000), 14),
    (("git", "tree", "--cost", "0" * 5000), 2),
    (("git", "tree", "--cost", "0" * 5000 + "1"), 0),
    (("git", "tree", "--wait", "9" * 5000), 2),
    (("git", "tree", "--wait", "0" * 5000), 0),
    (("git", "tree", "--wait", "nan"), 2),
    (("git", "tree", "--wait", "3601"), 2),
    (("git", "tree", "--wait", "-1"), 2),
    (("git", "tree", "--wait", "inf"), 2),
    (("git", "tree", "--peek", "--peek"), 2),
    (("git", "tree", "--cost", "1", "--cost", "1"), 2),
    (("git", "tree", "--arg", "novalue"), 2),
    (("git", "tree", "--arg", "a=1", "--arg", "a=2"), 2),
    (("git", "tree", "--path", "docs", "--arg", "path=docs"), 2),
    (("git", "tree", "--args", "[]"), 2),
    (("git", "tree", "--args", '{"a": 1, "a": 2}'), 2),
    (("git", "tree", "--args", "{bad"), 2),
    (("git", "tree", "--args", '{"a": 1e999}'), 2),
    (("git", "tree", "--arg", "note={hello"), 0),
    (("git", "tree", "--arg", 'note="hello'), 0),
    (("git", "tree", "--arg", 'o={"file": "/etc/passwd"}'), 12),
    (("git", "tree", "--arg", 'o={"file": "docs/x", "file": "/etc/passwd"}'), 2),
    (("git", "tree", "--arg", 'o={"file": "/etc/passwd", "n": NaN}'), 2),
    (("git", "tree", "--arg", 'o=\ufeff{"file": "/etc/passwd"}'), 2),
    (("git", "tree", "--arg", "o=" + "[" * 65 + '{"file": "/etc/passwd"}' + "]" * 65), 2),
    (("git", "tree", "--path", "a", "--path", "b", "--arg", "path=c"), 2),
    (("git", "tree", "--nope"), 2),
    (("model-gateway", "chat", "--path", "anywhere/../x"), 0),
    (("model-gateway", "chat", "--path", "https://example.org/x"), 0),
    (("model-gateway", "chat", "--path", ".cortex/policy/tools/git.json"), 12),
    (("model-gateway", "chat", "--path", ".cortex/policy"), 12),
    (("model-gateway", "chat", "--path", ".cortex"), 12),
    (("model-gateway", "chat", "--args", '{"path": [".cortex/policy/tools/git.json", null]}'), 12),
    (("model-gateway", "chat", "--args", '{"path": [[".cortex/policy/tools/git.json"]]}'), 12),
    (("model-gateway", "chat", "--args", '{"path": {"to": ".cortex/policy/tools/git.json"}}'), 12),
    (("model-gateway", "chat", "--args", '{"path": ".cortex/policy/tools/git.json\\u0000.txt"}'), 12),
    (("model-gateway", "chat", "--args", '{"path": 3}'), 0),
    (("model-gateway", "chat", "--args", '{"path": 3}', "--require-path"), 12),
    (("model-gateway", "chat", "--path", "docs/../.cortex/policy/new/x"), 12),
    (("model-gateway", "chat", "--path", "/proc/self/cwd/x"), 12),
]


@pytest.mark.parametrize(("words", "code"), TABLE, ids=lambda part: " ".join(part) if isinstance(part, tuple) else None)
@pytest.mark.usefixtures("root")
def test_each_command_line_has_its_exit_code(words: tuple[str, ...], code: int) -> None:
    """Each command line of the contract answers with its exit code, and a no says why."""
    done = check(*words)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    if code:
        assert done.stderr
        assert not done.stdout
    elif "--help" not in words:
        assert not done.stdout
        assert not done.stderr


@pytest.mark.parametrize("text", [
    '{"tool": "x"', '{"tool" "x"}', '{"a": 1,}', "{tool: 1}", "{'tool': 't'}", '{"a": "\\q"}', '{"a": "\\u12"}', '{"a": "\n"}', "[1, 2", "", "nope",
])  # fmt: skip
def test_a_grant_that_is_not_json_is_invalid(root: Path, text: str) -> None:
    """In a process that has loaded nothing of `json`: 21, with the place, and never a bug of ours."""
    (root / ".cortex" / "policy" / "tools" / "git.json").write_text(text)
    done = check("git", "tree")
    assert done.returncode == 21, done.stderr
    assert "grant invalid: line " in done.stderr


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("words", [("--json", "--json"), ("--json", "--cost", "0"), ("--nope", "--json")])
def test_an_error_of_usage_is_json_where_json_is_asked_for(words: tuple[str, ...]) -> None:
    """All members, and nothing on stderr; with `-q` nothing at all."""
    done = check("git", "tree", *words)
    assert (done.returncode, done.stderr) == (2, "")
    answer = json.loads(done.stdout)
    assert (answer["decision"], answer["reason"], answer["exit_code"]) == (False, None, 2)
    assert answer["message"]
    quiet = check("git", "tree", *words, "-q")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (2, "", "")


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("word", ["--help", "--version"])
def test_help_and_version_never_look_like_an_allowed_call(word: str) -> None:
    """Before `check` they stand alone, as they do after it."""
    done = result_of(word, "check", "git", "push")
    assert done.returncode == 2


@pytest.mark.usefixtures("root")
def test_a_bad_state_directory_is_asked_last() -> None:
    """The first rule that fails decides, and the rate is the last of them."""
    assert check("git", "push", CORTEX_POLICY_STATE_DIR="relative").returncode == 10
    assert check("git", "tree", CORTEX_POLICY_STATE_DIR="relative").returncode == 24


@pytest.mark.usefixtures("root")
def test_a_module_that_cannot_be_loaded_is_a_bug_and_not_a_finding(tmp_path: Path) -> None:
    """Exit 70, where Python itself would say 1."""
    copy = tmp_path / "copy" / "cortex_policy"
    shutil.copytree(Path(cortex_policy.__file__).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "check.py").write_text("raise MemoryError('\\x1b[31m')")
    done = process_of("check", "git", "tree", PYTHONPATH=str(copy.parent))
    assert done.returncode == 70
    assert "\x1b" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("root")
def test_the_rate_is_counted_across_invocations() -> None:
    """Thirty a minute are thirty, over eight shells at once, and the next is told how long to wait."""
    with ThreadPoolExecutor(8) as shells:
        codes = list(shells.map(lambda _: process_of("check", "git", "tree", "--path", "docs/x").returncode, range(34)))
    assert sorted(codes) == [0] * 30 + [14] * 4
    denied = check("git", "tree", "--path", "docs/x")
    assert "rate limit exceeded: 30 of 30 used" in denied.stderr
    assert "seconds" in denied.stderr


@pytest.mark.usefixtures("root")
def test_a_cost_over_the_limit_takes_nothing() -> None:
    """What never fits is refused, is not retryable, and leaves the budget alone."""
    refused = json.loads(check("git", "tree", "--cost", "31", "--json").stdout)
    assert (refused["exit_code"], refused["retryable"], refused["rate"]["consumed"]) == (14, False, 0)
    assert json.loads(check("git", "tree", "--json", "--peek").stdout)["rate"]["used"] == 0


def test_json_has_all_its_members(root: Path) -> None:
    """Every member is there, null where it is unknown, and stderr stays empty."""
    done = check("git", "tree", "--path", "docs/x", "--json")
    answer = json.loads(done.stdout)
    assert not done.stderr
    assert list(answer) == [
        "decision", "reason", "message", "exit_code", "retryable", "grant", "action", "paths", "rate", "obligations",
        "approval", "root", "duration_us",
    ]  # fmt: skip
    assert answer["paths"] == [
        {"argument": "path", "given": "docs/x", "resolved": str(root / "docs/x"), "scope": "docs"}
    ]
    assert answer["rate"] == {
        "limit": 30,
        "used": 1,
        "remaining": 29,
        "retry_after_seconds": answer["rate"]["retry_after_seconds"],
        "consumed": 1,
    }
    missing = json.loads(check("fs.write", "write", "--json").stdout)
    assert list(missing) == list(answer)
    assert missing["reason"] == "grant_not_found"


def test_an_absolute_path_below_the_root_is_in_scope(root: Path) -> None:
    """Absolute or relative, a path is the same place."""
    assert check("git", "tree", "--path", str(root / "docs" / "x")).returncode == 0


def test_roots_are_never_guessed(root: Path, tmp_path: Path) -> None:
    """Two roots on the way up, none, and a writable one: each has its own no."""
    inner = root / "packages" / ".cortex" / "policy"
    inner.mkdir(parents=True)
    two = check("git", "tree", cwd=root / "packages")
    assert two.returncode == 26
    assert str(root) in two.stderr
    assert str(root / "packages") in two.stderr
    assert check("git", "tree", cwd=tmp_path).returncode == 25
    (root / ".cortex").chmod(0o777)
    unsafe = check("git", "tree")
    assert unsafe.returncode == 22
    assert f"chmod go-w {root}/.cortex" in unsafe.stderr


def test_a_grant_that_others_can_write_is_refused(root: Path) -> None:
    """The denial names the command that mends it."""
    file = root / ".cortex" / "policy" / "tools" / "git.json"
    file.chmod(0o646)
    done = check("git", "tree")
    assert done.returncode == 22
    assert f"chmod go-w {file}" in done.stderr


def test_settings_are_never_skipped(root: Path) -> None:
    """What is no setting, or no value of one, answers 27, wherever it stands."""
    assert check("git", "tree", CORTEX_POLICY_SENSITIV="deny").returncode == 27
    assert check("git", "tree", CORTEX_AUDIT_LOG="log").returncode == 27
    (root / ".cortex" / "policy" / "config.toml").write_text("require_paths = true\n")
    denied = check("git", "tree")
    assert denied.returncode == 27
    assert "did you mean `require_path`?" in denied.stderr


@pytest.mark.parametrize(
    ("words", "sentences"),
    [
        (("git", "push"), ("git push: action not allowed: `push`", "allowed actions: tree, snippet, search;", "`cortex-policy set git --allow push`")),
        (("git", "tree", "--args", '{"repo": 3}'), ("git tree: argument not allowed: `repo` must be of type string, not number",)),
        (("git", "tree", "--path", "docs-evil/x"), ("git tree: path not within fsScope: `docs-evil/x` is in no scope",
                                                   "hint: paths in these scopes are allowed: apps/cortex-os, packages, docs;", "`cortex-policy set git --add-scope docs-evil/x`")),
        (("git", "tree", "--path", "packages/../etc"), ("`packages/../etc` is in no scope",)),
        (("git", "tree", "--path", ""), ("`` is empty",)),
        (("git", "tree", "--path", "docs/link-to-etc/passwd"), ("leads to `/etc/passwd`, which is in no scope",)),
        (("git", "tree", "--path", "docs/dangling-link-to-etc-x"), ("etc/x`, which is in no scope",)),
        (("git", "tree", "--path", "~/.ssh/id_rsa"), ("starts with `~`",)),
        (("git", "tree", "--path", "docs/\x1b[31m\u202ex\nallowed"), (r"`docs/\x1b[31m\u202ex\nallowed` holds a control character",)),
        (("git", "tree", "--require-path"), ("no path was given, and one is required",)),
        (("git", "tree", "--cost", "31"), ("git tree: rate limit exceeded: a cost above 30 never fits", "a cost of at most 30")),
        (("fs.write", "write"), ("fs.write write: grant not found", "known grants: git, model-gateway", "`cortex-policy new fs.write`")),
        (("../model-gateway", "chat"), ("grant not found: `../model-gateway` cannot be an id",)),
        (("model-gateway", "chat", "--path", ".cortex/policy/new"), ("path not within fsScope: `.cortex/policy/new` l", "governs grants")),
        (("git", "tree", "--arg", "novalue"), ("`--arg novalue` is not of the form K=V", "cortex-policy check --help")),
        (("git", "tree", "--wait", "nan"), ("--wait takes 0 to 3600 seconds",)),
        (("git", "tree", "--cost", "0"), ("--cost",)),
        (("git", "tree", "--peek", "--peek"), ("--peek is given twice",)),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("root")
def test_a_denial_says_what_was_wrong_and_what_would_help(words: tuple[str, ...], sentences: tuple[str, ...]) -> None:
    """In one line and a hint, each once, with what the caller gave escaped."""
    said = check(*words).stderr
    assert all(sentence in said for sentence in sentences), said
    assert "\x1b" not in said
    if said.startswith(words[0]):
        assert [line.partition(" ")[0] for line in said.splitlines()][1:] in ([], ["hint:"])


def test_a_path_in_another_unicode_normal_form_is_named_as_such(root: Path) -> None:
    """It reads as if it were allowed, and so does an action."""
    file = root / ".cortex" / "policy" / "tools" / "git.json"
    grant = {**json.loads(file.read_text()), "fsScope": ["docs/caf\u00e9"], "actions": ["caf\u00e9"]}
    file.write_text(json.dumps(grant))
    done = check("git", "caf\u00e9", "--path", "docs/cafe\u0301/x")
    assert done.returncode == 12
    assert "reads like the scope `docs/caf\u00e9`" in done.stderr
    assert "NFD instead of NFC" in done.stderr
    done = check("git", "cafe\u0301")
    assert done.returncode == 10
    assert "reads like the action `caf\u00e9`" in done.stderr
    assert check("git", "caf\u00e9", "--path", "docs/caf\u00e9/x").returncode == 0


@pytest.mark.usefixtures("root")
def test_each_denial_goes_by_the_first_rule_that_fails() -> None:
    """Action before arguments before path before rate, and the rule is named where it is asked for."""
    words = ["--args", '{"repo": 3}', "--path", "etc", "--cost", "31", "--explain"]
    for code, rule, fewer in ((10, "action", ["git", "push", *words]), (11, "arguments", ["git", "tree", *words]),
                              (12, "path", ["git", "tree", *words[2:]]), (14, "rate", ["git", "tree", *words[4:]])):  # fmt: skip
        done = check(*fewer)
        assert done.returncode == code
        assert f"rule: {rule}\n" in done.stderr
        assert "tools/git.json:1\n" in done.stderr
    assert json.loads(check("git", "tree", "--json", "--peek").stdout)["rate"]["used"] == 0


def test_json_tells_what_is_known_of_a_grant_that_cannot_be_used(root: Path) -> None:
    """Its file and root where it is invalid, unsafe or missing, and all of it where only the state is unavailable."""
    file = root / ".cortex" / "policy" / "tools" / "git.json"

    def told(*words: str, **variables: str) -> dict[str, object]:
        answer = json.loads(check(*words, "--json", **variables).stdout)
        return {"root": answer["root"], **answer["grant"]}

    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert told("git", "tree", CORTEX_POLICY_STATE_DIR="relative") == {
        "root": str(root), "id": "git", "tool": "git-map", "file": str(file), "sha256": digest,
    }  # fmt: skip
    assert told("nope", "x") == {"root": str(root), "id": "nope", "tool": None, "file": None, "sha256": None}
    file.chmod(0o646)
    assert told("git", "tree") == {"root": str(root), "id": "git", "tool": None, "file": str(file), "sha256": digest}
    file.write_text("{")
    file.chmod(0o644)
    assert told("git", "tree")["file"] == str(file)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    ("call", "said"),
    [
        (("git", "tree"), "; no path was named, so fsScope was not checked"),
        (("git", "tree", "--path", "docs/x"), ""),
        (
            ("git", "tree", "--path", "docs/x", "--arg", "target=/etc/passwd"),
            "; `target` looks like a path, but is not checked as one",
        ),
        (("git", "tree", "--arg", "q=word"), "; no path was named, so fsScope was not checked"),
        (("model-gateway", "chat"), ""),
    ],
)
def test_a_terminal_gets_a_note_of_what_a_scoped_grant_did_not_check(call: tuple[str, ...], said: str) -> None:
    """It may be a `--path` that was forgotten, or an argument whose name says nothing."""
    code, text = Terminal("check", *call).end()
    assert code == 0
    assert re.fullmatch(rf"allowed, \d+ of \d+ left{said}", text.strip())
