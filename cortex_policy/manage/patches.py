"""Two texts of a grant as a unified diff, which also shows what no line shows."""

from difflib import unified_diff


def patch(old: bytes, new: bytes, name: str) -> list[str]:
    """Return the lines of the diff; a carriage return at the end of a line is part of it."""
    lines = unified_diff(_lines(old), _lines(new), f"{name} (old)", f"{name} (new)", lineterm="")
    return [part for line in lines for part in line.split("\n")]


def _lines(data: bytes) -> list[str]:
    *lines, rest = data.decode("utf-8", "backslashreplace").split("\n")
    return [*lines, f"{rest}\n\\ no newline at the end"] if rest else lines
