"""A command on a pseudo terminal of its own."""

import os

import pexpect

from tests.support.command import PROGRAM


class Terminal:
    """Somebody sits at a terminal and runs a command."""

    def __init__(self, *words: str, columns: int = 200, rows: int = 24, **variables: str) -> None:
        size = {"COLUMNS": str(columns), "LINES": str(rows)}  # these would count more than the terminal does
        environment = {**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8", **size, **variables}
        self.child = pexpect.spawn(
            PROGRAM[0],
            [*PROGRAM[1:], *words],
            encoding="utf-8",
            timeout=60,
            dimensions=(rows, columns),
            env=environment,
        )
        self.child.ptyproc.delayafterclose = self.child.ptyproc.delayafterterminate = 0.01
        self.said = ""

    def expect(self, text: str) -> None:
        """Wait until a text is printed."""
        self.child.expect_exact(text)
        self.said += self.child.before + self.child.after

    def answer(self, question: str, line: str) -> None:
        """Wait for a question, and answer it with a line."""
        self.expect(question)
        self.child.sendline(line)

    def press(self, keys: str) -> None:
        """Press keys, without a return."""
        self.child.send(keys)

    def end(self) -> tuple[int | None, str]:
        """Wait for the end; return the exit code and all that was printed."""
        self.child.expect(pexpect.EOF)
        self.said += self.child.before
        self.child.close()
        return self.child.exitstatus, self.said
