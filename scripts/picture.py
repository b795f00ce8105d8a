"""Draw the first steps as a terminal shows them: each command runs in a pseudo-terminal of 80 columns."""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

COLUMNS, ROWS = 80, 24
ENVIRONMENT = {"PATH": os.defpath, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
PROMPT = "bold blue"
# rich's own, but for its font, which comes from the network
SVG = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL).replace("Fira Code, ", "")
# a command, its answer to the question that it asks, and whether it is drawn
STEPS = [
    ("cortex-policy init", "", False),
    ("cortex-policy new deploy --allow run --scope srv --rate 5", "widen", True),
    ("cortex-policy check deploy run --path srv/app", "", True),
    ("cortex-policy check deploy run --path /etc", "", True),
]


def run_in_terminal(words: list[str], answer: str, directory: Path) -> str:
    """Run a command in a terminal, answer what it asks, and return what the terminal got."""
    terminal, inside = pty.openpty()
    fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**ENVIRONMENT, "HOME": str(directory), "CORTEX_POLICY_STATE_DIR": f"{directory}/state"}
    with subprocess.Popen(words, cwd=directory, env=environment, stdin=inside, stdout=inside, stderr=inside):
        os.close(inside)
        output = b""
        while piece := _read(terminal):
            output += piece
            if answer and output.endswith(b": "):
                os.write(terminal, f"{answer}\n".encode())
                answer = ""
    os.close(terminal)
    return output.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    """Return the next bytes, or none at the end: Linux answers EIO once the other side is closed."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


def screen() -> list[Text]:
    """Return the lines of the session, each command behind a prompt."""
    program = str(Path(sys.executable).with_name("cortex-policy"))
    lines: list[Text] = []
    with tempfile.TemporaryDirectory() as name:
        (directory := Path(name).resolve() / "project").mkdir()
        (directory / "srv" / "app").mkdir(parents=True)
        for command, answer, drawn in STEPS:
            output = run_in_terminal([program, *command.split()[1:]], answer, directory)
            if drawn:
                lines += [Text.assemble(("$ ", PROMPT), (command, "bold")), *Text.from_ansi(output).split("\n"), Text()]
    return lines[:-1]


def picture() -> str:
    """Return the session as SVG, with the reader's own monospace font."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for line in screen():
        console.print(line, highlight=False)
    return console.export_svg(title="", unique_id="steps", code_format=SVG)
