"""Run test cases, report, and run again on changes with `--watch`."""

import json
import os
import select
import sys

from cortex_policy.cli.output.case_results import FORMATS
from cortex_policy.cli.output.case_results.text import format_results_summary, render_results
from cortex_policy.cli.output.progress import track_progress
from cortex_policy.cli.output.report_destinations import (
    STDOUT,
    is_report_coloured,
    parse_report_destinations,
    write_report,
)
from cortex_policy.cli.roots import find_inner_root, name_inner_root_if_ambiguous
from cortex_policy.cli.streams import unwrap_escaping_stream
from cortex_policy.core import Value
from cortex_policy.core.model import NOT_DONE, CortexPolicyError, UsageError
from cortex_policy.core.text import escape_job_commands_in_ascii_json, escape_message_to_one_line
from cortex_policy.manage.cases.discovery import RunPlan, plan_case_run
from cortex_policy.manage.cases.suite import SuiteResult, compute_coverage_percent
from cortex_policy.manage.cases.suite import run_suite as run_cases

POLL_SECONDS = 0.25


class CaseRunOptions(Value):
    """The options of `test` as typed."""

    paths: tuple[str, ...] = ()
    root: str | None = None
    filter: str = ""
    fail_under: float | None = None
    output: tuple[str, ...] = ()
    json: bool = False
    watch: bool = False
    update: bool = False


def run_cases_and_report(options: CaseRunOptions) -> int:
    """Run cases and report; return the exit code."""
    outputs = parse_report_destinations([*options.output, *(["json"] if options.json else ())] or ["text"], FORMATS)
    root = options.root if options.paths else name_inner_root_if_ambiguous(options.root)
    if options.watch:
        return _run_after_each_change(options, root, outputs)
    return _run_and_write_reports(plan_case_run(options.paths, root), options, outputs)


def init_or_update_cases(grant_id: str, options: CaseRunOptions) -> int:
    """Write a first case file, or its generated cases again, and print its coverage of the grant."""
    from cortex_policy.manage.cases.first_cases import write_first_cases as begin_cases  # noqa: PLC0415 - only this needs them
    from cortex_policy.manage.cases.regeneration import update_cases  # noqa: PLC0415

    if options != CaseRunOptions(root=options.root, json=options.json, update=options.update):
        hint = "use `--init` only with `--update`, `--root` and `--json`"
        raise UsageError("`--init` runs no cases, so options for running cases cannot be used", hint)
    result = (update_cases if options.update else begin_cases)(find_inner_root(options.root), grant_id)
    percent = compute_coverage_percent([result.coverage])
    if options.json:
        members = {
            "file": result.file,
            "cases": result.cases,
            "percent": percent,
            "uncovered": list(result.coverage.unmet),
            "own_cases": result.own_cases,
            "changed": result.is_written,
        }
        sys.stdout.write(escape_job_commands_in_ascii_json(json.dumps(members)) + "\n")
        return 0
    kept = f", kept {result.own_cases} of yours" if result.own_cases else ""
    done = f"wrote {result.cases} cases to" if result.is_written else f"nothing to do: {result.cases} cases are in"
    lines = [f"{done} `{result.file}`{kept}, which cover {int(percent)}% of `{grant_id}`"]
    lines += [f"not covered: {requirement}" for requirement in result.coverage.unmet]
    sys.stdout.write("".join(f"{escape_message_to_one_line(line)}\n" for line in lines))
    return 0


def _run_and_write_reports(plan: RunPlan, options: CaseRunOptions, outs: dict[str, str]) -> int:
    outcome = run_cases(plan, lambda items: track_progress(items, what="case files"))
    outcome = outcome.filter_cases(options.filter) if options.filter else outcome
    sys.stderr.write("".join(f"warning: {escape_message_to_one_line(warning)}\n" for warning in outcome.warnings))
    sys.stderr.flush()
    is_written = True
    for name, file in outs.items():
        text = render_results(outcome, colour=True) if is_report_coloured(name, file) else FORMATS[name](outcome)
        is_written &= write_report(text, name, file)
    if STDOUT not in outs.values():
        sys.stderr.write(f"{format_results_summary(outcome)}\n")
    return _exit_code_of_run(outcome, options) or (0 if is_written else NOT_DONE.exit_code)


def _exit_code_of_run(outcome: SuiteResult, options: CaseRunOptions) -> int:
    """Return the exit code; print a reason other than a failed case."""
    code = 0 if outcome.is_passed else 1
    if options.filter and not outcome.files:
        sys.stderr.write(escape_message_to_one_line(f"no case matches `{options.filter}`") + "\n")
        code = 1
    if options.fail_under is not None and outcome.coverage_percent < options.fail_under:
        sys.stderr.write(
            f"{_round_down(outcome.coverage_percent)}% is less than the {options.fail_under:g}% of `--fail-under`\n"
        )
        code = 1
    return code


def _round_down(percent: float) -> str:
    return f"{int(percent * 10) / 10:g}"


def _run_after_each_change(options: CaseRunOptions, root: str | None, outs: dict[str, str]) -> int:
    """Run again after each change, until the reader closes the pipe or Ctrl-C."""
    reader = select.poll()
    reader.register(1, 0)  # only errors: the reading end was closed
    is_terminal = sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "unknown")
    known: object = None
    while True:
        try:
            plan = plan_case_run(options.paths, root)
            signature = _state_of_files(plan)
            if signature != known:
                known = signature
                unwrap_escaping_stream(sys.stdout).write("\x1b[2J\x1b[H" if is_terminal else "")
                _run_and_write_reports(plan, options, outs)
        except CortexPolicyError as error:  # a file in the middle of being written, or a root that is gone
            if str(error) != known:
                known = str(error)
                sys.stderr.write(f"cortex-policy: {escape_message_to_one_line(known)}\n")
        sys.stdout.flush()
        sys.stderr.flush()
        if reader.poll(POLL_SECONDS * 1000):
            return 0


def _state_of_files(plan: RunPlan) -> tuple[object, ...]:
    """Return a value that changes if any grant or case file changes."""
    roots = {root.path: root for root in (*plan.roots, *(target.root for target in plan.targets))}
    files = [target.path for target in plan.targets]
    for root in roots.values():
        for directory in (root.tools_path, root.cases_path):
            files += [f"{directory}/{name}" for name in _list_names(directory)]
    return tuple((file, _file_state(file)) for file in dict.fromkeys(files))


def _list_names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _file_state(file: str) -> tuple[int, ...]:
    try:
        status = os.stat(file)
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
