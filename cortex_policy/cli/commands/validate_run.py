"""Run `validate` for both parsers: Typer's, and `validate_argv`, which saves Typer's 60 ms."""

import sys

from cortex_policy.cli.output.destinations import STDOUT, parse_destinations, uses_colour, write_report
from cortex_policy.cli.output.problems import FORMATS
from cortex_policy.cli.output.problems.text import render_report, report_summary
from cortex_policy.cli.output.progress import track_progress
from cortex_policy.cli.roots import inner_root_name
from cortex_policy.core import Value
from cortex_policy.core.model import GRANT_UNSAFE, NOT_DONE, SETTINGS_INVALID, UsageError
from cortex_policy.core.text import message_line, printable
from cortex_policy.manage.validation import validate
from cortex_policy.manage.validation.suppressions import RuleSelection, Suppressions
from cortex_policy.manage.validation.targets import STDIN

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


def run_validate(asked: ValidateOptions) -> int:
    """Validate, fix with `--fix`, report, and return the exit code."""
    where_to = parse_destinations([*asked.output, *(["json"] if asked.json else ())] or ["text"], FORMATS)
    wanted = RuleSelection(_split_codes(asked.select), _split_codes(asked.ignore))
    where = validate.find_targets(asked.paths, asked.root if asked.paths else inner_root_name(asked.root))
    if asked.fix and any(target.path == STDIN for target in where.files):
        raise UsageError("standard input cannot be fixed", "name a file, or leave out `--fix`")
    exemptions, is_mended = Suppressions(where, wanted), True
    report = validate.validate(where, exemptions, track_progress, strict=asked.strict)
    if asked.fix and any(problem.fix is not None for problem in report.problems):
        is_mended = _apply_fixes(where, report, exemptions, asked.wait_seconds)
        report = validate.validate(where, exemptions, track_progress, strict=asked.strict)
    _print_denials(where)
    is_written = min(_write_format(report, name, file) for name, file in where_to.items())  # each of them
    if STDOUT not in where_to.values():
        sys.stderr.write(f"{report_summary(report)}\n")
    if report.status == "fail":
        return 1
    return 0 if is_mended and is_written else NOT_DONE.exit_code


def _print_denials(where: "ValidationTargets") -> None:
    """Say on stderr why every check of a root is denied; what is wrong with files is in the report."""
    if not where.roots:
        return
    from cortex_policy.manage.global_denials import find_global_denials  # noqa: PLC0415 - only if a root is validated

    for root in where.roots:
        denials = find_global_denials(where.root_for_check(root)).without(SETTINGS_INVALID, GRANT_UNSAFE)
        for line in [*denials.sentences, *(f"hint: {hint}" for hint in filter(None, denials.hints))]:
            sys.stderr.write(f"{message_line(line)}\n")


def _split_codes(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code.strip() for word in words for code in word.split(",") if code.strip())


def _write_format(report: "Report", name: str, file: str) -> bool:
    """Write the report in a format; return whether it could be written."""
    text = render_report(report, colour=True) if uses_colour(name, file) else FORMATS[name](report)
    return write_report(text, name, file)


def _apply_fixes(where: "ValidationTargets", report: "Report", exemptions: Suppressions, wait_seconds: float) -> bool:
    """Apply the fixes and report each; return whether all succeeded."""
    from cortex_policy.cli.prompts import lock_wait  # noqa: PLC0415 - loads Typer
    from cortex_policy.manage.validation.autofix import fix_files  # noqa: PLC0415 - only writers need it

    is_mended = True
    for done in fix_files(where.files, report, exemptions, lock_wait(wait_seconds)):
        if done.error is None:
            version = f", version {done.version}" if done.version is not None else ""
            sys.stderr.write(printable(f"fixed `{done.file}`{version}") + "\n")
        else:
            hint = f" ({done.error.hint})" if done.error.hint else ""
            sys.stderr.write(printable(f"not fixed: `{done.file}`: {done.error}{hint}") + "\n")
            is_mended = False
    return is_mended
