"""Names of rotated audit logs, of this program and of others.

`log.1` is the newest of those with a number, as here and by `logrotate`; with its `dateext`, and by others, a name ends
in the time of the rotation: `log-20261129`, `log-20261129-1764400000`, `log.2026-11-29_00-00`; with its `extension`, it
comes before the end, as in `audit-20261129.jsonl`. A number there is another log: `agent.2.jsonl`. Compressed ones end
in `.gz` or the like.
"""

import os

COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".lz4", ".Z")
_MAX_DIGITS = 7  # of a number; a date has more
_SEPARATORS = "-._:T"  # in a date


def list_rotated_logs_beside(file: str) -> tuple[list[str], list[str]]:
    """Return the names with a number, and those with a time, the newest first; raise OSError."""
    directory, name = os.path.split(file)
    stem, extension = os.path.splitext(name)
    numbered: list[tuple[int, str]] = []
    dated: list[tuple[list[int], str]] = []
    for other in os.listdir(directory or "."):
        if other.startswith((f"{name}.", f"{name}-")):
            parts = _numbers_in(strip_compression_suffix(other)[len(name) :])
            if len(parts) == 1 and len(parts[0]) <= _MAX_DIGITS and other[len(name)] == ".":
                numbered.append((int(parts[0]), other))
            elif sum(map(len, parts)) > _MAX_DIGITS:
                dated.append(([int(part) for part in parts], other))
        elif other.startswith((f"{stem}.", f"{stem}-")) and strip_compression_suffix(other).endswith(extension):
            parts = _numbers_in(strip_compression_suffix(other)[len(stem) : -len(extension)])
            if sum(map(len, parts)) > _MAX_DIGITS:
                dated.append(([int(part) for part in parts], other))
    newest_first = [other for _, other in sorted(numbered)], [other for _, other in sorted(dated, reverse=True)]
    by_number, by_time = ([os.path.join(directory, other) for other in names] for names in newest_first)
    return by_number, by_time


def strip_compression_suffix(name: str) -> str:
    """Return a name without the suffix of a compressed file."""
    return next((name.removesuffix(end) for end in COMPRESSED if name.endswith(end)), name)


def _numbers_in(ending: str) -> list[str]:
    """Return the numbers in the end of a name, none if it holds anything else."""
    for mark in _SEPARATORS:
        ending = ending.replace(mark, " ")
    parts = ending.split()
    return parts if all(part.isascii() and part.isdigit() for part in parts) else []
