"""The results of test cases for people: failed cases with the rule that decided, then what is not covered."""

import os

from cortex_policy.core.text import (
    escape_message_to_one_line,
    escape_output,
    escape_unprintable,
    format_count_with_noun,
)
from cortex_policy.manage.cases.coverage import Coverage
from cortex_policy.manage.cases.discovery import TESTS_SUFFIX
from cortex_policy.manage.cases.model import TOML_SUFFIX, CaseFileProblem
from cortex_policy.manage.cases.runner import COMPLETENESS_CASE, CaseResult, FileResult
from cortex_policy.manage.cases.suite import SuiteResult, compute_coverage_percent
from cortex_policy.manage.validation.targets import TOOLS_SUFFIX, format_root_option_for_cwd
from cortex_policy.render_explanation import format_nearest_value

_MAX_UNCOVERED = 10  # of a grant
_RED, _YELLOW = "1;31", "1;33"


def render_results(outcome: SuiteResult, *, colour: bool = False) -> str:
    """Return a passage for each failed case and each grant not fully covered, then the summary line."""
    blocks = [_format_case_failure(one, result, colour=colour) for one in outcome.files for result in one.failed_cases]
    blocks += [_update_command_text(one) for one in outcome.files if _is_update_possible(one)]
    blocks += [format_file_error(problem, colour=colour) for one in outcome.files for problem in one.errors]
    reported = {
        one.grant_id for one in outcome.files for result in one.failed_cases if result.case.name == COMPLETENESS_CASE
    }
    blocks += [
        _coverage_gap_text(cover, colour=colour)
        for cover in outcome.coverage
        if cover.unmet and cover.grant_id not in reported
    ]
    text = "".join(f"{text}\n\n" for text in blocks) + f"{format_results_summary(outcome)}\n"
    return text if colour else escape_output(text)


def _format_case_failure(one: FileResult, result: CaseResult, *, colour: bool = False) -> str:
    """Return what failed in a case, the rule that decided, and the nearest allowed value."""
    place = f"{escape_unprintable(one.file)}:{result.case.line}"
    head = f"{place}: {_add_colour('failed', _RED, colour=colour)}: {escape_message_to_one_line(result.case.name)}"
    return "\n".join([head, *(f"  {escape_message_to_one_line(line)}" for line in format_failure_lines(result))])


def format_failure_lines(result: CaseResult) -> list[str]:
    """Return how a case differs from what it expects, and why."""
    lines, why = list(result.failures), result.why
    if why is not None:
        place = f"{why.file}:{why.step.line}" if why.step.line else why.file
        lines.append(f"{why.step.rule}: {why.step.message} [{place}]")
        closest = format_nearest_value(why.step.rule, why.nearest)
        lines += [f"nearest: {closest}"] if closest else []
    return lines


def format_file_error(problem: CaseFileProblem, *, colour: bool = False) -> str:
    """Return the text of an error that keeps a case file from being run."""
    place = f"{escape_unprintable(problem.file)}:{problem.line}"
    head = f"{place}: {_add_colour('error', _RED, colour=colour)}: {escape_message_to_one_line(problem.message)}"
    return f"{head}\n  hint: {escape_message_to_one_line(problem.hint)}" if problem.hint else head


def _is_update_possible(one: FileResult) -> bool:
    """Whether generated cases of a file failed, and can be written again."""
    is_generated = os.path.basename(one.file) == f"{one.grant_id}{TOML_SUFFIX}"
    return is_generated and any(result.case.line < one.own_line for result in one.failed_cases)


def _update_command_text(one: FileResult) -> str:
    """Return the command that writes the generated cases of a file again."""
    root = os.path.abspath(one.file).removesuffix(f"{TESTS_SUFFIX}/{os.path.basename(one.file)}")
    command = escape_unprintable(f"cortex-policy test --init {one.grant_id} --update{format_root_option_for_cwd(root)}")
    hint = f"if the change was meant, write them again with `{command}`"
    return f"{escape_unprintable(one.file)}: generated cases failed\n  hint: {hint}"


def format_results_summary(outcome: SuiteResult) -> str:
    """Return the numbers of cases and failures, and the coverage."""
    cases, failed = (sum(map(len, results)) for results in _results_and_failures(outcome))
    broken = sum(bool(one.errors) for one in outcome.files)
    parts = [f"{format_count_with_noun(cases, 'case')} in {format_count_with_noun(len(outcome.files), 'file')}"]
    well = "none failed" if broken else "all pass"
    parts.append(f"{failed} failed" if failed else well if cases else "nothing was tested")
    parts += [f"{format_count_with_noun(broken, 'file')} could not be run"] if broken else []
    coverage = f"; coverage {int(outcome.coverage_percent)}%" if outcome.coverage else ""
    return ", ".join(parts) + coverage


def _results_and_failures(outcome: SuiteResult) -> tuple[list[tuple[CaseResult, ...]], list[tuple[CaseResult, ...]]]:
    return [one.results for one in outcome.files], [one.failed_cases for one in outcome.files]


def _coverage_gap_text(cover: Coverage, *, colour: bool) -> str:
    file = escape_unprintable(cover.file)
    if not cover.is_tested:
        head = f"{file}: {_add_colour('untested', _YELLOW, colour=colour)}"
        root = os.path.abspath(cover.file).removesuffix(f"{TOOLS_SUFFIX}/{cover.grant_id}.json")
        command = escape_unprintable(f"cortex-policy test --init {cover.grant_id}{format_root_option_for_cwd(root)}")
        return f"{head}\n  hint: write its first cases with `{command}`"
    share = _add_colour(f"{int(compute_coverage_percent([cover]))}% covered", _YELLOW, colour=colour)
    lines = [f"{file}: {share}; not covered:"]
    lines += [f"  {escape_message_to_one_line(requirement)}" for requirement in cover.unmet[:_MAX_UNCOVERED]]
    more = len(cover.unmet) - _MAX_UNCOVERED
    return "\n".join([*lines, *([f"  and {more} more; `--json` lists all"] if more > 0 else [])])


def _add_colour(text: str, style: str, *, colour: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if colour else text
