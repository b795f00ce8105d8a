"""What several formats say alike: how many there are, where a problem stands, and which one it is in the next run."""

from collections import Counter
from collections.abc import Iterable, Iterator

from cortex_policy.core.text import plural, printable
from cortex_policy.schema.catalog import ERROR, NOTE, WARNING
from cortex_policy.schema.problems import Problem

SEVERITIES = (ERROR, WARNING, NOTE)


def has_location(problem: Problem) -> bool:
    """Whether there is a place to show: a problem of a whole file has none, and stands at its start."""
    place = (problem.line, problem.column, problem.end_line, problem.end_column)
    return bool(problem.source) or place != (1, 1, 1, 1)


def severity_counts(problems: Iterable[Problem]) -> str:
    """Return how many problems there are of each severity."""
    counts = Counter(problem.severity for problem in problems)
    return ", ".join(plural(counts[severity], severity) for severity in SEVERITIES if counts[severity])


def report_path(problem: Problem) -> str:
    """Return the file as the services know it, which join it to the root of a checkout."""
    return problem.file.removeprefix("./")


def message_lines(problem: Problem) -> list[str]:
    """Return the message and, from the second line on, the hint, with nothing in them that is not seen."""
    return [printable(line) for line in [problem.message, *_hint_lines(problem)]]


def fingerprints(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield a digest for each problem, the same when its lines move; equal problems are told apart by their order."""
    from hashlib import sha256  # noqa: PLC0415 - two formats need it
    from json import dumps  # noqa: PLC0415

    seen: Counter[str] = Counter()
    for problem in problems:
        identity = dumps([report_path(problem), problem.code, problem.pointer, problem.message])
        yield sha256(f"{identity} {seen[identity]}".encode()).hexdigest()
        seen[identity] += 1


def _hint_lines(problem: Problem) -> list[str]:
    return f"hint: {problem.hint}".split("\n") if problem.hint else []
