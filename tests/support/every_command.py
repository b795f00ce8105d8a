"""What the tests that walk all commands share: words for each command, and a process that runs many of them.

A command that is not in `WORDS` fails those tests: whoever adds one says there how it is run.
"""

import gc
import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from cortex_policy.cli.app import build_app
from tests.support.checkout import CHECKOUT
from tests.support.command import become_command, load_program, result_of, run_command

HOSTILE = "##vso[task.a]\x1b[3J\x1b[5m\x9b5m\u202e\x7f\u2028\r##[b]\x85::c\ufeff"
ENDLESS = (
    ["rate", "watch"],
    ["status", "--watch"],
    ["approvals", "--watch"],
    ["audit", "tail", "--follow"],
    ["test", "--watch"],
)
Answer = tuple[int, str, str]  # exit code, output, error
PATIENCE = 20.0  # seconds
ENDLESS_PATIENCE = {"pipe": 0.2, "pty": 0.5}  # seconds after its first words; within them a screen gets an answer
ANSWER = b"xq\n\x04"  # ends a screen, a prompt, a question
MISUSES = (["--{x}"], ["{x}"] * 4)  # of any command
STOP = ["stop", "--reason", "{x}"]
# `{x}` stands for the hostile text
WORDS: dict[str, list[list[str]]] = {  # what changes something comes last
    "check": [["git", "{x}"], ["{x}", "{x}"], ["git", "a", "--arg", "{x}={x}", "--path", "{x}"], ["git", "{x}", "--explain"]],
    "enforce": [["git", "{x}"], ["{x}", "{x}"], ["git", "{x}", "--explain"]],
    "run": [["git", "{x}", "--", "true"], ["git", "a", "--arg", "{x}={x}", "--path", "{x}", "--", "true"], ["git", "a", "--", "{x}"], ["git", "a", "--", "./{x}/"], ["git", "{x}", "--for-each", "--", "echo", "{}"]],
    "explain": [["git", "{x}"], ["git", "{x}", "--path", "{x}"], ["git", "a", "--arg", "{x}=1"]],
    "list": [[]],
    "status": [[], ["--watch"]],
    "doctor": [[]],
    "show": [["git"], ["ask"], ["bad"], ["{x}"], ["git", "--at", "1"]],
    "diff": [["git", "ask"], ["--against", "HEAD"], ["--against", "HEAD", "--markdown"], ["--against", "{x}"], ["git", "./{x}"]],
    "log": [[], ["git"], ["{x}"]],
    "validate": [[], ["{x}"], ["--select", "{x}"], ["--output", "github"], ["--output", "gitlab"], ["--output", "sarif"], ["--output", "junit"], ["--output", "{x}"], ["--fix"]],
    "rule": [[], ["scope-dead"], ["{x}"]],
    "test": [[], ["--init", "ask", "--update"], ["--output", "junit"], ["--output", "json"], ["--filter", "{x}"], ["{x}"], ["--init", "ask"], ["--init", "{x}"], ["--watch"]],
    "replay": [["log"], ["log", "--with", "HEAD"], ["log", "--with", "{x}"], ["{x}"]],
    "suggest": [["log"], ["{x}"]],
    "approvals": [[], ["{id}"], ["{x}"], ["--watch"]],
    "schema": [[]],
    "completions": [["bash"], ["{x}"]],
    "shell-init": [["bash"], ["{x}"], ["zsh", "--{x}"]],
    "export": [["--format", "wasm"], ["--format", "{x}"], ["--format", "wasm", "--root", "{x}"], ["--format", "wasm", "--json"], ["--format", "wasm", "--out", "/{x}/a"]],
    "stamp show": [[]],
    "stamp verify": [[]],
    "stamp wait": [["--version", "1"], ["--reader", "{x}", "--timeout", "0"]],
    "hook status": [[]],
    "hook doctor": [["codex"], ["{x}"]],
    "hook serve": [["codex", "--root", "{x}"], ["codex", "--socket", "{x}"], ["codex", "--port", "{x}", "--token", "{x}"], ["{x}"]],
    "serve": [["--root", "{x}"], ["--socket", "{x}"], ["--tcp", "{x}"], ["--tcp", "{x}:1", "--token", "{x}"], ["--cert", "{x}", "--key", "{x}"]],
    "mcp serve": [["--root", "{x}"]],
    "mcp proxy": [["--server", "{x}", "--", "{x}"], ["--server", "x", "--root", "{x}", "--", "true"]],
    "hook init": [["--dry-run"], ["--agent", "{x}"], ["--agent", "codex", "--yes"]],
    "hook edit": [[]],
    "hook install": [["claude", "--dry-run"], ["codex", "--root", "{x}"], ["{x}"]],
    "hook uninstall": [["claude", "--dry-run"], ["{x}"]],
    "config list": [[]],
    "config get": [["audit.file"], ["{x}"]],
    "config path": [[]],
    "rate show": [[], ["git"], ["{x}"]],
    "rate watch": [[]],
    "audit verify": [["log"], ["{x}"], ["log", "--expect", "{x}"]],
    "audit tail": [["log"], ["{x}"], ["log", "--follow"]],
    "audit send": [["{x}", "log"], ["https://127.0.0.1:1/{x}", "log"], ["https://127.0.0.1:1/", "{x}"]],
    "audit show": [["log"], ["log", "--reason", "{x}"], ["log", "--since", "{x}"]],
    "audit stats": [["log"], ["{x}"]],
    "help": [[], ["check"], ["{x}"], ["rate", "{x}"]],
    "stop": [["--reason", "{x}"], []],
    "resume": [[]],
    "fmt": [["--check", "--diff"], ["git", "--diff"], ["{x}"], ["git"]],
    "edit": [["git"], ["{x}"]],
    "set": [["git", "--allow", "{x}2", "--dry-run"], ["git", "--add-scope", "{x}2", "--dry-run"], ["git", "--rate", "1"], ["git", "--tool", "{x}", "--allow-widening"]],
    "new": [["git2"], ["{x}"]],
    "init": [[], ["--git"], ["--root", "{x}"]],
    "copy": [["git", "git4"], ["{x}", "{x}"]],
    "undo": [["--dry-run"], ["git", "--dry-run"], ["{x}"], ["--allow-widening"]],
    "approve": [["{id}", "--yes"], ["{x}", "--yes"]],
    "deny": [["{id}"], ["{x}"]],
    "stamp write": [[], ["--allow-widening"]],
    "stamp merge": [[]],
    "stamp merge-files": [["{x}", "{x}", "{x}"]],
    "config set": [["history.keep", "9"], ["audit.file", "/{x}"], ["{x}", "{x}"]],
    "config unset": [["audit.file"], ["{x}"]],
    "config edit": [[]],
    "rate reset": [["git", "--yes"], ["{x}", "--yes"]],
    "rename": [["git", "git3"], ["git", "{x}"]],
    "remove": [["git", "--yes"], ["{x}", "--yes"]],
    "rate purge": [["--yes"]],
}  # fmt: skip


def hostile_grant(tool: str = HOSTILE, **more: object) -> str:
    """Return a grant all of whose texts are hostile, as text that is not escaped where JSON lets it be."""
    value = {
        "tool": tool, "actions": ["a", HOSTILE], "rate": {"perMinute": 3}, "fsScope": [HOSTILE, "##[x]", f"a/{HOSTILE}"],
        "args": {HOSTILE: {"enum": [HOSTILE], "description": HOSTILE}, "path": {"type": "string", HOSTILE: HOSTILE}},
        HOSTILE: HOSTILE, "fsscope": [HOSTILE], "note": HOSTILE,
    }  # fmt: skip
    return json.dumps(value | more, ensure_ascii=False)


def hostile_root(directory: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a root in which everything that can be hostile is; return the id of a request that waits there."""
    root = directory / HOSTILE.replace("/", "")
    policy = root / ".cortex/policy"
    (policy / "tools").mkdir(parents=True)
    (policy / "tests").mkdir()
    for path in (root, root / ".cortex", policy, policy / "tools"):
        path.chmod(0o755)
    (policy / "tools/git.json").write_text(hostile_grant())
    (policy / "tools/ask.json").write_text(hostile_grant(dataClass="sensitive", fsScope=[]))
    case = {"name": "x", "action": HOSTILE, "expect": "rate_limited", "args": {HOSTILE: HOSTILE}}
    (policy / "tests/git.cases.json").write_text(json.dumps({"grant": "git", "case": [case]}))
    (policy / "tests/bad.cases.json").write_text(json.dumps({"grant": HOSTILE, HOSTILE: 1, "case": [{HOSTILE: 1}]}))
    monkeypatch.chdir(root)
    for name, value in {"CORTEX_AUDIT_LOG": str(root / "log"), "XDG_CONFIG_HOME": str(directory / "config"),
        "CORTEX_POLICY_STATE_DIR": str(directory / "s"), "TMPDIR": str(directory), "CORTEX_RUN_ID": HOSTILE, "EDITOR": "true",
                        "CORTEX_POLICY_SENSITIVE": "ask", "SUDO_USER": HOSTILE, "COLUMNS": "60",
                        "TERM": "xterm", "PYTHONPATH": str(CHECKOUT)}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    args = json.dumps({HOSTILE + "2": HOSTILE})
    result_of("set", "git", "--rate", "4", "--allow-widening")
    result_of("check", "ask", "a", "--args", args)
    result_of("check", "git", HOSTILE)
    result_of("check", "git", "a", "--path", HOSTILE)
    (policy / "tools/git.json").write_text(hostile_grant(actions=[HOSTILE * 2]))
    (policy / "tools/bad.json").write_text(hostile_grant() + HOSTILE)
    (policy / f"tools/{HOSTILE}.json").write_text("{}")
    (policy / f"tests/{HOSTILE}.cases.toml").write_text(HOSTILE)
    monkeypatch.delenv("SUDO_USER")
    return str(json.loads(run_command("approvals", "--json").stdout)["requests"][0]["id"])


@cache
def leaves() -> dict[str, Any]:
    """Return all commands by their words, as the table of the program has them."""
    return _leaves_below(typer.main.get_command(build_app()), ())


def _leaves_below(command: Any, way: tuple[str, ...]) -> dict[str, Any]:
    inner = getattr(command, "commands", None)
    if inner is None:
        return {" ".join(way): command}
    return {name: leaf for word, part in inner.items() for name, leaf in _leaves_below(part, (*way, word)).items()}


def is_endless(words: list[str]) -> bool:
    """Whether a command goes on until it is ended."""
    return any(set(one) <= set(words) for one in ENDLESS)


def is_misuse(words: list[str]) -> bool:
    """Whether a call is one that no command takes."""
    plain = [word.replace(HOSTILE, "{x}") for word in words]
    return any(plain[-len(one) :] == one for one in MISUSES)


def calls_of(name: str) -> list[list[str]]:
    """Return the calls of a command: those of the table, with `--json` where it has that, and wrong ones."""
    taken = {option for one in leaves()[name].params for option in one.opts}
    head, calls = name.split(" "), WORDS[name]
    more = [[*one, "--json"] for one in calls if "--json" in taken]
    every = [[*head, *one] for one in [*calls, *more, ["--help"], *MISUSES]]
    return [STOP, *every, ["list"], ["show", "git"], ["check", "git", "{x}"]] if name == "resume" else every


def all_calls(request: str) -> list[list[str]]:
    """Return the calls of all commands."""
    every = [call for name in WORDS for call in calls_of(name)]
    return [[word.replace("{x}", HOSTILE).replace("{id}", request) for word in call] for call in every]


def ran(calls: list[list[str]], way: str) -> list[Answer]:
    """Run calls by `pipe`, `pty`, `full` or `gone`; return the answer to each."""
    done = subprocess.run(
        [sys.executable, "-P", __file__, way], input=json.dumps(calls).encode(), capture_output=True, check=True, timeout=300,
        cwd=Path.cwd(),
    )  # fmt: skip
    return [(code, out, err) for code, out, err in json.loads(done.stdout)]


def _run(words: list[str], way: str) -> Answer:
    patience = ENDLESS_PATIENCE[way] if is_endless(words) else PATIENCE
    if way == "pty":
        pid, screen = pty.fork()
        if pid == 0:
            become_command(*words)
        return _ended(pid, patience, screen, None)
    out, err = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open("/dev/full", os.O_WRONLY) if way == "full" else out[1], 1)
        os.dup2(err[1], 2)
        for descriptor in (*out, *err):
            os.close(descriptor)
        become_command(*words)
    os.close(out[1])
    os.close(err[1])
    if way == "gone":
        os.close(out[0])
    return _ended(pid, patience, None if way == "gone" else out[0], err[0])


def _ended(pid: int, patience: float, *descriptors: int | None) -> Answer:
    """Read all that a process says; kill it if it has not ended so long after its first words."""
    texts = {one: b"" for one in descriptors if one is not None}
    is_screen = len(texts) == 1 and os.isatty(next(iter(texts)))
    left, deadline = set(texts), time.monotonic() + PATIENCE
    while left and (seconds := deadline - time.monotonic()) > 0:
        ready = select.select(left, [], [], min(seconds, 0.2))[0]
        if not ready and is_screen:
            os.write(next(iter(left)), ANSWER)
        for one in ready:
            try:
                data = os.read(one, 65536)
            except OSError:  # the terminal is gone
                data = b""
            texts[one] += data
            deadline = min(deadline, time.monotonic() + patience)
            if not data:
                left.discard(one)
    if left:
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    said = [texts.get(one, b"").decode("utf-8", "surrogateescape") if one is not None else "" for one in descriptors]
    for one in texts:
        os.close(one)
    return code, said[0], said[1]


if __name__ == "__main__":
    load_program()
    gc.freeze()  # a collection in a child would copy all of it
    json.dump([_run(call, sys.argv[1]) for call in json.load(sys.stdin)], sys.stdout)
