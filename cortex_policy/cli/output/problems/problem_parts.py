"""What several formats share: counts, locations, messages and fingerprints of problems."""

from collections import Counter
from collections.abc import Iterable, Iterator

from cortex_policy.core.text import escape_message_to_one_line, format_count_with_noun
from cortex_policy.schema.problems import Problem
from cortex_policy.schema.rule_catalog import ERROR, NOTE, WARNING

SEVERITIES = (ERROR, WARNING, NOTE)


def has_location(problem: Problem) -> bool:
    """Return whether a problem has a location; a problem of a whole file has none."""
    place = (problem.line, problem.column, problem.end_line, problem.end_column)
    return bool(problem.source) or place != (1, 1, 1, 1)


def format_severity_counts(problems: Iterable[Problem]) -> str:
    """Return how many problems of each severity there are, such as `1 error, 2 notes`; '' for none."""
    counts = Counter(problem.severity for problem in problems)
    return ", ".join(format_count_with_noun(counts[severity], severity) for severity in SEVERITIES if counts[severity])


def make_path_in_report(problem: Problem) -> str:
    """Return the file's path as services expect it, relative to the checkout."""
    return problem.file.removeprefix("./")


def format_message_and_hint_lines(problem: Problem) -> list[str]:
    """Return the message and then the lines of the hint, with invisible characters escaped."""
    return [escape_message_to_one_line(line) for line in [problem.message, *_hint_lines(problem)]]


def make_problem_fingerprints(problems: Iterable[Problem]) -> Iterator[str]:
    """Yield a digest for each problem that stays the same if lines move; equal problems differ by their order."""
    from hashlib import sha256  # noqa: PLC0415 - two formats need it
    from json import dumps  # noqa: PLC0415

    seen: Counter[str] = Counter()
    for problem in problems:
        identity = dumps([make_path_in_report(problem), problem.code, problem.pointer, problem.message])
        yield sha256(f"{identity} {seen[identity]}".encode()).hexdigest()
        seen[identity] += 1


def _hint_lines(problem: Problem) -> list[str]:
    return f"hint: {problem.hint}".split("\n") if problem.hint else []
