"""The report for people: each problem with its line, a mark under its place, and how to fix it."""

from collections.abc import Iterable
from itertools import groupby
from unicodedata import category, east_asian_width

from cortex_policy.cli.output.problems.problem_parts import format_severity_counts, has_location
from cortex_policy.core.text import (
    escape_message_to_one_line,
    escape_output,
    escape_unprintable,
    format_count_with_noun,
)
from cortex_policy.schema.problems import MAX_LINE_LENGTH, Problem, Report
from cortex_policy.schema.rule_catalog import ERROR, NOTE, WARNING

_STYLES = {ERROR: "1;31", WARNING: "1;33", NOTE: "1;36"}
_ELLIPSIS = "..."
_TAB = "    "
_JAMO = range(0x1160, 0x1200)  # vowels and finals: they join the syllable before them


def render_report(report: Report, *, colour: bool = False) -> str:
    """Return the problems and then the summary line."""
    problem_blocks = format_problem_blocks(report.problems, colour=colour)
    text = "\n".join(f"{block}\n" for block in [*problem_blocks, format_report_summary(report)])
    return text if colour else escape_output(text)  # with colours it is for a terminal, by a stream that escapes


def format_problem_blocks(problems: Iterable[Problem], *, colour: bool = False) -> list[str]:
    """Return a passage for each problem; consecutive ones with the same hint share one, with the hint at its end."""
    remedies = groupby(problems, lambda problem: (problem.hint, problem.fix is not None))
    problem_blocks = []
    for (hint, is_fixable), alike in remedies:
        blocks = ["\n".join([_heading_line(problem, colour), *_excerpt_lines(problem, colour)]) for problem in alike]
        remedy = [*_hint_lines(hint), *_fix_lines(len(blocks), is_fixable)]
        problem_blocks += ["\n".join([*blocks, *remedy])] if remedy else blocks
    return problem_blocks


def format_report_summary(report: Report) -> str:
    """Return the numbers of files and problems."""
    files = format_count_with_noun(report.files, "file")
    if report.status == "ok":
        files += " is valid" if report.files == 1 else " are valid"
    if not report.problems:
        return files
    fixable = sum(problem.fix is not None for problem in report.problems)
    fixes = f"; `--fix` repairs {fixable} of them" if fixable else ""
    return f"{files}: {format_severity_counts(report.problems)}{fixes}"


def _heading_line(problem: Problem, colour: bool) -> str:  # noqa: FBT001 - it has no default
    place = f":{problem.line}:{problem.column}" if has_location(problem) else ""
    severity = _add_colour(problem.severity, problem, colour)
    file, code = escape_unprintable(problem.file), escape_unprintable(problem.code)
    return f"{file}{place}: {severity}: {escape_message_to_one_line(problem.message)} [{code}]"


def _excerpt_lines(problem: Problem, colour: bool) -> list[str]:  # noqa: FBT001
    """Return the line and, below it, a mark under each column of the place."""
    if not problem.source:
        return []
    line, start, end = _line_and_span(problem)
    number = str(problem.line)
    marks = _add_colour("^" * (end - start), problem, colour)
    return [f"  {number} | {line}", f"  {' ' * len(number)} | {' ' * start}{marks}"]


def _line_and_span(problem: Problem) -> tuple[str, int, int]:
    """Return the line as displayed, and the first and last display columns of the place."""
    source = problem.source
    start = min(max(0, problem.column - problem.source_column), len(source))
    tail = ""
    if len(source) >= MAX_LINE_LENGTH and start < MAX_LINE_LENGTH - len(_ELLIPSIS):
        source, tail = source[: -len(_ELLIPSIS)], _ELLIPSIS  # so much was cut off, if nothing else was before
    last = problem.end_column - problem.source_column if problem.end_line == problem.line else len(source.rstrip())
    head = _ELLIPSIS if problem.source_column > 1 else ""
    upto = [_display_width(head + _display_text(source[:stop])) for stop in (start, max(start, last))]
    if upto[0] == upto[1]:  # nothing that has a width: the end of a line, or a mark upon the letter before it
        upto = [upto[0] - 1, upto[0]] if start < last and upto[0] else [upto[0], upto[0] + 1]
    return f"{head}{_display_text(source)}{tail}", upto[0], upto[1]


def _display_text(source: str) -> str:
    # INVARIANT: a prefix of a line is displayed as a prefix of the displayed line, else marks are misplaced
    return escape_unprintable(source.replace("\t", _TAB))


def _display_width(text: str) -> int:
    return len(text) if text.isascii() else sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if category(character) in ("Mn", "Me") or ord(character) in _JAMO:
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def _hint_lines(hint: str) -> list[str]:
    first, *more = hint.split("\n")
    return (
        [
            f"  hint: {escape_message_to_one_line(first)}",
            *(f"        {escape_message_to_one_line(line)}" for line in more),
        ]
        if hint
        else []
    )


def _fix_lines(number: int, is_fixable: bool) -> list[str]:  # noqa: FBT001
    return [f"  fix: `--fix` repairs {'it' if number == 1 else 'them'}"] if is_fixable else []


def _add_colour(text: str, problem: Problem, colour: bool) -> str:  # noqa: FBT001
    return f"\x1b[{_STYLES[problem.severity]}m{text}\x1b[0m" if colour else text
