"""Unified diffs of a grant: one to read, which also shows characters that cannot be seen, and one to apply."""

import re
from difflib import SequenceMatcher

from cortex_policy.state.policy_files import make_file_path_below_policy_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Literal

    Opcode = tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]
    Opcodes = list[Opcode]

_MOST_PAIRS = 1_000_000  # pairs of lines that are compared
_LINE = re.compile(r"[^\n]*\n|[^\n]+\Z")


def format_readable_diff_lines(name: str, old: bytes, new: bytes) -> list[str]:
    """Return the lines of a diff to read; a carriage return at the end of a line is part of the line."""
    lines = _diff_lines(_readable_lines(old), _readable_lines(new), f"{name} (old)", f"{name} (new)", "")
    return [part for line in lines for part in line.split("\n")]


def _readable_lines(data: bytes) -> list[str]:
    *lines, rest = data.decode("utf-8", "backslashreplace").split("\n")
    return [*lines, f"{rest}\n\\ no newline at the end"] if rest else lines


def format_unified_diff(name: str, old: bytes | None, new: bytes | None) -> str:
    """Return a unified diff of two texts of a grant or of `hooks.toml`, '' if they are equal; None means no file."""
    path = f".cortex/policy/{make_file_path_below_policy_directory(name)}"
    before, after = "/dev/null" if old is None else f"a/{path}", "/dev/null" if new is None else f"b/{path}"
    lines = _diff_lines(_whole_lines(old), _whole_lines(new), before, after, "\n")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _whole_lines(data: bytes | None) -> list[str]:
    return _LINE.findall((data or b"").decode("utf-8", "replace"))


class _KnownOpcodes(SequenceMatcher[str]):
    """Groups opcodes that are known already."""

    def __init__(self, steps: "Opcodes") -> None:
        super().__init__()
        self._steps = steps

    def get_opcodes(self) -> "Opcodes":
        """Return the opcodes that were found by `_opcodes`, which `get_grouped_opcodes` asks for."""
        return self._steps


def _diff_lines(old: list[str], new: list[str], before: str, after: str, end: str) -> "Iterator[str]":
    """Yield a unified diff; for large differences it is correct, but not the smallest."""
    if old != new:
        yield from (f"--- {before}{end}", f"+++ {after}{end}")
    for steps in _KnownOpcodes(_opcodes(old, new)).get_grouped_opcodes() if old != new else ():
        first, last = steps[0], steps[-1]
        yield f"@@ -{_range_text(first[1], last[2])} +{_range_text(first[3], last[4])} @@{end}"
        for tag, start, stop, new_start, new_stop in steps:
            if tag == "equal":
                yield from (f" {line}" for line in old[start:stop])
                continue
            yield from (f"-{line}" for line in old[start:stop])
            yield from (f"+{line}" for line in new[new_start:new_stop])


def _opcodes(old: list[str], new: list[str]) -> "Opcodes":
    """Return the opcodes from one list to another; skip equal lines at both ends, since the rest costs a product."""
    max_common = min(len(old), len(new))
    common_start = next((index for index in range(max_common) if old[index] != new[index]), max_common)
    common_end = next(
        (index for index in range(max_common - common_start) if old[-1 - index] != new[-1 - index]),
        max_common - common_start,
    )
    old_middle, new_middle = old[common_start : len(old) - common_end], new[common_start : len(new) - common_end]
    steps: Opcodes = [("replace", 0, len(old_middle), 0, len(new_middle))]
    if len(old_middle) * len(new_middle) <= _MOST_PAIRS:
        steps = SequenceMatcher(None, old_middle, new_middle).get_opcodes()
    moved: Opcodes = [
        (tag, start + common_start, stop + common_start, index + common_start, to + common_start)
        for tag, start, stop, index, to in steps
    ]
    return [
        ("equal", 0, common_start, 0, common_start),
        *moved,
        ("equal", len(old) - common_end, len(old), len(new) - common_end, len(new)),
    ]


def _range_text(start: int, stop: int) -> str:
    length = stop - start
    return str(start + 1) if length == 1 else f"{start + 1 if length else start},{length}"
