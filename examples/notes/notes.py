"""An MCP server with the guard: a model may read and write notes, and no more. `python examples/notes/notes.py`.

The rules are in `.cortex/policy/hooks.toml`. The grant `notes` does not have the action `remove`, so clients do not
see that tool.
"""

import os
from pathlib import Path

from fastmcp import FastMCP

from cortex_policy.adapters.fastmcp import GrantMiddleware

ROOT = Path(__file__).resolve().parent
server = FastMCP("notes")


@server.tool
def count() -> int:
    """Count the notes."""
    return len(list((ROOT / "notes").glob("*.txt")))


@server.tool
def read(path: str) -> str:
    """Read a note, such as `notes/plan.txt`."""
    return Path(path).read_text()


@server.tool
def write(path: str, text: str) -> str:
    """Write a note."""
    Path(path).write_text(text)
    return f"wrote {path}"


@server.tool
def remove(path: str) -> str:
    """Remove a note, for operators only."""
    Path(path).unlink()
    return f"removed {path}"


if __name__ == "__main__":
    os.chdir(ROOT)  # before the guard is made: paths are relative to the directory that the server has then
    server.add_middleware(GrantMiddleware("notes", root=str(ROOT)))
    server.run(show_banner=False)
