"""Run a session of an agent: home, project and model of its own, one prompt, and what came of its tool calls."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.agents.mock_model import SUBTASK
from tests.agents.program import PORT, Call, Program
from tests.support.checkout import CHECKOUT

PROMPT = "Do the step, then stop."
LIMIT_SECONDS = 90
_NAMESPACES = ["unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
# root reads files of mode 000 too: without these it is like others
_UNPRIVILEGED = [
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
]


class Session(NamedTuple):
    """What an agent did: its exit code (None: it took too long), and the tool results that the model was given."""

    code: int | None
    results: list[str]
    sub_results: list[str]


def can_run() -> bool:
    """Tell whether namespaces can be made here."""
    try:
        return subprocess.run([*_namespaces(), "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run_session(
    program: Program,
    steps: list[list[Call]],
    sub_steps: list[list[Call]] | None = None,
    *,
    shared_memory: str = "64m",
    **variables: str,
) -> Session:
    """Let the model ask for these tool calls, and return what the agent told it."""
    base = program.home.parent
    job, result = base / "job.json", base / "result.json"
    environment = {"PATH": os.environ["PATH"], "HOME": str(program.home), "USER": "tester", "SHELL": "/bin/bash",
                   "LANG": "C.UTF-8", "TERM": "dumb", "NO_COLOR": "1", **program.variables(), **variables}  # fmt: skip
    job.write_text(json.dumps({
        "base": str(base), "argv": [*with_own_etc(base / "etc"), *_UNPRIVILEGED, *program.argv(PROMPT)], "cwd": str(program.work),
        "env": environment, "limit": LIMIT_SECONDS, "port": PORT, "shared_memory": shared_memory,
        "steps": steps, "sub_steps": sub_steps or [],
    }))  # fmt: skip
    words = [*_namespaces(), sys.executable, "-m", "tests.agents.inside", str(job), str(result)]
    subprocess.run(words, cwd=CHECKOUT, check=True, timeout=LIMIT_SECONDS + 30)
    return _session(json.loads(result.read_text()))


def with_own_etc(directory: Path) -> list[str]:
    """Return the words before a command that sees this directory as /etc, none if there is no such directory."""
    if not directory.exists():
        return []
    return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"', str(directory)]


def subtask(text: str) -> str:
    """Return a task for a sub-agent, by which the model recognises it."""
    return f"{SUBTASK}: {text}"


def _namespaces() -> list[str]:
    return _NAMESPACES if os.geteuid() == 0 else [_NAMESPACES[0], "--map-root-user", *_NAMESPACES[1:]]


def _session(result: dict[str, Any]) -> Session:
    requests = [one for one in result["requests"] if one["tools"]]
    found = {is_sub: [one["results"] for one in requests if one["sub"] is is_sub] for is_sub in (False, True)}
    last = [results[-1] if results else [] for results in (found[False], found[True])]
    return Session(result["code"], *last)
