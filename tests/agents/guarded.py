"""A project whose agent is guarded as `hook install` leaves it: a built wheel in a venv, grants, rules, the hook."""

import json
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

from tests.agents.program import Call, Program
from tests.agents.session import with_own_etc
from tests.support.checkout import CHECKOUT

GRANTS: dict[str, dict[str, object]] = {
    "fs.write": {"tool": "fs", "actions": ["write"], "rate": {"perMinute": 60}, "fsScope": ["src"]},
    "shell": {
        "tool": "shell", "actions": ["run"], "rate": {"perMinute": 60},
        "args": {"command": {"type": "string", "pattern": "^(cd /[^ ]+ && )?touch ([^ ]*/)?ran[0-9]+$"}},
    },
    "mini": {"tool": "mini", "actions": ["mark"], "rate": {"perMinute": 60}, "fsScope": ["src"]},
}  # fmt: skip
RULES = """\
format = 1
unmapped = "deny"

[[rule]]
tools = ["Write", "write_file", "create"]
grant = "fs.write"
action = "write"
ignore = ["content", "file_text"]

[[rule]]
tools = ["apply_patch"]
grant = "fs.write"
action = "write"
patch = ["command"]

[[rule]]
tools = ["Bash", "bash", "run_shell_command"]
grant = "shell"
action = "run"
ignore = ["description"]

[[rule]]
mcp = ["mini/*"]
grant = "mini"
action = "{tool}"

[[rule]]
tools = ["Agent", "invoke_agent", "task", "*spawn_agent", "*wait_agent"]
decide = "pass"
"""


class Expected(NamedTuple):
    """A call, the files that it makes, and whether it may run; None if the others decide that."""

    call: Call
    files: tuple[Path, ...]
    runs: bool | None

    def is_right(self) -> bool:
        """Tell whether it ran, or did not, as it should."""
        made = [file.exists() for file in self.files]
        return self.runs is None or (all(made) if self.runs else not any(made))


def make_venv(directory: Path) -> Path:
    """Build the wheel and install it into a venv, which borrows our dependencies; return its Python."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(directory)]
    subprocess.run(build, cwd=CHECKOUT, capture_output=True, check=True)
    place = directory / "venv"
    venv.create(place, symlinks=True)
    python, (wheel,) = place / "bin" / "python", directory.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", str(wheel)]
    subprocess.run(pip, capture_output=True, check=True)
    (site_packages,) = place.glob("lib/*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return python


class Guarded:
    """A home and a project below a directory, with an agent program and this program."""

    def __init__(self, program: type[Program], base: Path, python: Path) -> None:
        self.python, self.script = python, python.with_name("cortex-policy")
        self.home, self.work, self.etc = base / "home", base / "work", base / "etc"
        self.source, self.other = self.work / "src", self.work / "other"
        for directory in (self.home, self.source, self.other, self.policy / "tools"):
            directory.mkdir(parents=True)
        subprocess.run(["git", "init", "-q", self.work], check=True)
        for grant_id, grant in GRANTS.items():
            self.write_grant(grant_id, grant)
        (self.policy / "hooks.toml").write_text(RULES)
        self.program = program(self.home, self.work)
        self.program.write_settings()
        self._numbers = count()

    @property
    def policy(self) -> Path:
        """Return the directory of the grants."""
        return self.work / ".cortex" / "policy"

    def grant(self, grant_id: str) -> Path:
        """Return the file of a grant."""
        return self.policy / "tools" / f"{grant_id}.json"

    def write_grant(self, grant_id: str, grant: dict[str, object]) -> None:
        """Write a grant."""
        self.grant(grant_id).write_text(json.dumps(grant))

    def limit(self, grant_id: str, per_minute: int) -> None:
        """Set the rate of a grant."""
        self.write_grant(grant_id, {**GRANTS[grant_id], "rate": {"perMinute": per_minute}})

    def command(self, *words: str, code: int = 0) -> str:
        """Run this program as the user does, and return what it printed."""
        environment = {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        done = subprocess.run(
            [*with_own_etc(self.etc), str(self.script), *words], cwd=self.work, env=environment, capture_output=True,
            text=True, check=False, stdin=subprocess.DEVNULL, timeout=120,
        )  # fmt: skip
        assert done.returncode == code, (words, done)
        return done.stdout

    def install(self, level: str = "--user") -> None:
        """Put the hook into the agent's settings; managed ones are in a copy of /etc."""
        if level == "--managed" and not self.etc.exists():
            subprocess.run(["cp", "-a", "/etc", self.etc], check=True)
        self.command("hook", "install", self.program.agent, level, "--root", str(self.work), "--yes")
        if level == "--user":
            self.program.trust_hook()

    @contextmanager
    def replaced(self, file: Path, text: str | None) -> Iterator[None]:
        """Put another text into a file, or take the file away, as long as the block runs."""
        kept = file.with_name(f"{file.name}.kept")
        file.rename(kept)
        if text is not None:
            file.write_text(text)
            file.chmod(kept.stat().st_mode)
        try:
            yield
        finally:
            kept.replace(file)

    def write(self, *, runs: bool) -> Expected:
        """Return a call that writes a file, in scope or not."""
        file = self._file(self.source if runs else self.other)
        return Expected(self.program.write(file), (file,), runs)

    def shell(self, *, runs: bool) -> Expected:
        """Return a call of the shell, with a command that the grant knows or not."""
        file = self._file(self.source, "ran" if runs else "no")
        return Expected(self.program.shell(f"touch {file}"), (file,), runs)

    def mark(self, *, runs: bool) -> Expected:
        """Return a call of the MCP tool, in scope or not."""
        file = self._file(self.source if runs else self.other)
        return Expected(self.program.mark(file), (file,), runs)

    def _file(self, directory: Path, word: str = "ran") -> Path:
        return directory / f"{word}{next(self._numbers)}"
