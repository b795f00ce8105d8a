"""Two texts of a grant as a unified diff: one to read, which also shows what no line shows, and one to apply."""

import re
from difflib import unified_diff

_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")


def patch(old: bytes, new: bytes, name: str) -> list[str]:
    """Return the lines of the diff; a carriage return at the end of a line is part of it."""
    lines = unified_diff(_lines(old), _lines(new), f"{name} (old)", f"{name} (new)", lineterm="")
    return [part for line in lines for part in line.split("\n")]


def _lines(data: bytes) -> list[str]:
    *lines, rest = data.decode("utf-8", "backslashreplace").split("\n")
    return [*lines, f"{rest}\n\\ no newline at the end"] if rest else lines


def difference(grant_id: str, old: bytes | None, new: bytes | None) -> str:
    """Return a unified diff of two texts of a grant, '' where they are equal; None stands for no grant."""
    name = f".cortex/policy/tools/{grant_id}.json"
    before, after = "/dev/null" if old is None else f"a/{name}", "/dev/null" if new is None else f"b/{name}"
    lines = unified_diff(_whole_lines(old), _whole_lines(new), before, after)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _whole_lines(data: bytes | None) -> list[str]:
    return _LINE.findall((data or b"").decode("utf-8", "replace"))
