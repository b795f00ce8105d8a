"""What the driver needs to know of an agent program: where npm puts it, its settings, its command line, its tools.

Nothing of an account is in them: the key is the word `test`, and the model listens on loopback.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any, ClassVar

Call = dict[str, Any]
PORT = 8911  # of the model, in a network of its own
DIRECTORY = Path(os.environ.get("AGENTS_DIR") or Path.home() / ".cache" / "cortex-policy-agents")
MODEL = f"http://127.0.0.1:{PORT}"
MCP = {"command": sys.executable, "args": [str(Path(__file__).with_name("mcp_server.py"))]}


class Program:
    """One agent program."""

    agent: ClassVar[str]  # the word after `hook`
    package: ClassVar[str]
    version: ClassVar[str]
    pattern: ClassVar[str]  # of the file that is started, below `node_modules`
    settings_file: ClassVar[str]  # of the user, below the home directory
    project_file: ClassVar[str]  # of the project
    guarded_directory: ClassVar[str]  # in the project: what is in it is the agent's own
    switch: ClassVar[tuple[str, str]]  # a file of the project, and the text in it that switches the user's hooks off

    def __init__(self, home: Path, work: Path) -> None:
        self.home, self.work = home, work

    @classmethod
    def prefix(cls) -> Path:
        """Return the directory that npm installs it into."""
        return DIRECTORY / f"npm-{cls.agent}"

    @classmethod
    def file(cls) -> Path | None:
        """Return the file that is started, None if the program is not installed; a launcher is smaller."""
        found = (cls.prefix() / "node_modules").glob(cls.pattern)
        return max(found, key=lambda path: path.stat().st_size, default=None)

    def write_settings(self) -> None:
        """Write the settings that the program needs to run headless, before `hook install` edits them."""

    def trust_hook(self) -> None:
        """Do what the program wants of a person after `hook install`."""

    def argv(self, prompt: str) -> list[str]:
        """Return the command line, with approvals off: only the hook is left."""
        raise NotImplementedError

    def variables(self) -> dict[str, str]:
        """Return the environment beside PATH and HOME."""
        raise NotImplementedError

    def shell(self, command: str) -> Call:
        """Return a call of the shell tool."""
        raise NotImplementedError

    def shell_in(self, directory: Path, command: str) -> Call:
        """Return a call of the shell tool in a directory that the model chose."""
        return self.shell(f"cd {directory} && {command}")

    def write(self, path: Path) -> Call:
        """Return a call that writes a file."""
        raise NotImplementedError

    def mark(self, path: Path) -> Call:
        """Return a call of the MCP tool that makes a file."""
        raise NotImplementedError

    def delegate(self, task: str) -> list[list[Call]]:
        """Return the steps that start a sub-agent and wait for its end."""
        raise NotImplementedError

    def _write_json(self, name: str, value: object) -> None:
        path = self.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value, indent=2) + "\n")

    def _file(self) -> str:
        path = self.file()
        assert path is not None, f"{self.package} is not installed in {self.prefix()}"
        return str(path)
