"""Run `validate` for both parsers: Typer's, and `validate_argv`, which saves Typer's 60 ms."""

import sys

from cortex_policy.cli.output.problems import FORMATS
from cortex_policy.cli.output.problems.text import format_report_summary, render_report
from cortex_policy.cli.output.progress import track_progress
from cortex_policy.cli.output.report_destinations import (
    STDOUT,
    is_report_coloured,
    parse_report_destinations,
    write_report,
)
from cortex_policy.cli.roots import name_inner_root_if_ambiguous
from cortex_policy.core import Value
from cortex_policy.core.model import GRANT_UNSAFE, NOT_DONE, SETTINGS_INVALID, UsageError
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.manage.validation import validate
from cortex_policy.manage.validation.rule_selection_and_suppressions import RuleSelection, Suppressions
from cortex_policy.manage.validation.targets import STDIN
from cortex_policy.state.local_times import localize_times_if_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.manage.validation.targets import ValidationTargets
    from cortex_policy.schema.problems import Report


class ValidateOptions(Value):
    """The options of `validate` as typed."""

    paths: tuple[str, ...] = ()
    root: str | None = None
    strict: bool = False
    fix: bool = False
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    wait_seconds: float = 0.0
    json: bool = False


def run_validate(options: ValidateOptions) -> int:
    """Validate, fix with `--fix`, report, and return the exit code."""
    outputs = parse_report_destinations([*options.output, *(["json"] if options.json else ())] or ["text"], FORMATS)
    selection = RuleSelection(_split_codes(options.select), _split_codes(options.ignore))
    targets = validate.find_targets(
        options.paths, options.root if options.paths else name_inner_root_if_ambiguous(options.root)
    )
    if options.fix and any(target.path == STDIN for target in targets.files):
        raise UsageError("standard input cannot be fixed", "name a file, or leave out `--fix`")
    suppressions, is_fixed = Suppressions(targets, selection), True
    report = validate.validate_targets(targets, suppressions, track_progress, strict=options.strict)
    if options.fix and any(problem.fix is not None for problem in report.problems):
        is_fixed = _fix_and_print(targets, report, suppressions, options.wait_seconds)
        report = validate.validate_targets(targets, suppressions, track_progress, strict=options.strict)
    _print_denials(targets)
    is_written = min(_write_report_in_format(report, name, file) for name, file in outputs.items())  # each of them
    if STDOUT not in outputs.values():
        sys.stderr.write(f"{format_report_summary(report)}\n")
    if report.status == "fail":
        return 1
    return 0 if is_fixed and is_written else NOT_DONE.exit_code


def _print_denials(targets: "ValidationTargets") -> None:
    """Say on stderr why every check of a root is denied; what is wrong with files is in the report."""
    if not targets.roots:
        return
    from cortex_policy.manage.global_denials import find_global_denials  # noqa: PLC0415 - only if a root is validated

    for root in targets.roots:
        denials = find_global_denials(targets.root_as_check_finds_it(root)).without_reasons(
            SETTINGS_INVALID, GRANT_UNSAFE
        )
        for line in [
            *(localize_times_if_terminal(one, sys.stderr) for one in denials.sentences),
            *(f"hint: {hint}" for hint in filter(None, denials.hints)),
        ]:
            sys.stderr.write(f"{escape_message_to_one_line(line)}\n")


def _split_codes(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code.strip() for word in words for code in word.split(",") if code.strip())


def _write_report_in_format(report: "Report", name: str, file: str) -> bool:
    """Write the report in a format; return whether it could be written."""
    text = render_report(report, colour=True) if is_report_coloured(name, file) else FORMATS[name](report)
    return write_report(text, name, file)


def _fix_and_print(
    targets: "ValidationTargets", report: "Report", suppressions: Suppressions, wait_seconds: float
) -> bool:
    """Apply the fixes and report each; return whether all succeeded."""
    from cortex_policy.cli.prompts import make_lock_wait_options_with_notice  # noqa: PLC0415 - loads Typer
    from cortex_policy.manage.validation.autofix import fix_files  # noqa: PLC0415 - only writers need it

    is_fixed = True
    for done in fix_files(targets.files, report, suppressions, make_lock_wait_options_with_notice(wait_seconds)):
        if done.error is None:
            version = f", version {done.version}" if isinstance(done.version, int) else ""
            sys.stderr.write(escape_message_to_one_line(f"fixed `{done.file}`{version}") + "\n")
        else:
            hint = f" ({done.error.hint})" if done.error.hint else ""
            sys.stderr.write(escape_message_to_one_line(f"not fixed: `{done.file}`: {done.error}{hint}") + "\n")
            is_fixed = False
    return is_fixed
