"""The room behind the two doors of `validate`: Typer's, and the plain one that does without its 60 ms."""

import sys

from cortex_policy.cli.output.destinations import STDOUT, is_coloured, outputs, written
from cortex_policy.cli.output.problems import FORMATS
from cortex_policy.cli.output.problems.text import draw, summary
from cortex_policy.cli.output.progress import tracked
from cortex_policy.cli.roots import inner_root_name
from cortex_policy.core.model import UsageError, Value
from cortex_policy.core.text import printable
from cortex_policy.manage.validation import validate
from cortex_policy.manage.validation.suppressions import Exemptions, Wanted
from cortex_policy.manage.validation.targets import STDIN
from cortex_policy.state.writer_lock import NOT_DONE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.manage.validation.targets import Targets
    from cortex_policy.schema.problems import Report


class Asked(Value):
    """What `validate` is asked for, as it was typed."""

    paths: tuple[str, ...] = ()
    root: str | None = None
    strict: bool = False
    fix: bool = False
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    output: tuple[str, ...] = ()
    wait_seconds: float = 0.0
    json: bool = False


def run(asked: Asked) -> int:
    """Validate, mend if that is asked for, and report; return the exit code."""
    where_to = outputs([*asked.output, *(["json"] if asked.json else ())] or ["text"], FORMATS)
    wanted = Wanted(_codes(asked.select), _codes(asked.ignore))
    where = validate.targets(asked.paths, asked.root if asked.paths else inner_root_name(asked.root))
    if asked.fix and any(target.path == STDIN for target in where.files):
        raise UsageError("standard input cannot be mended", "name a file, or leave out `--fix`")
    exemptions, is_mended = Exemptions(where, wanted), True
    report = validate.validate(where, exemptions, tracked, strict=asked.strict)
    if asked.fix and any(problem.fix is not None for problem in report.problems):
        is_mended = _mend(where, report, exemptions, asked.wait_seconds)
        report = validate.validate(where, exemptions, tracked, strict=asked.strict)
    is_written = min(_write(report, name, file) for name, file in where_to.items())  # each of them
    if STDOUT not in where_to.values():
        sys.stderr.write(f"{summary(report)}\n")
    if report.status == "fail":
        return 1
    return 0 if is_mended and is_written else NOT_DONE.exit_code


def _codes(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(code.strip() for word in words for code in word.split(",") if code.strip())


def _write(report: "Report", name: str, file: str) -> bool:
    """Write the report in a format; return whether that could be done: what was found is told all the same."""
    text = draw(report, colour=True) if is_coloured(name, file) else FORMATS[name](report)
    return written(text, name, file)


def _mend(where: "Targets", report: "Report", exemptions: Exemptions, wait_seconds: float) -> bool:
    """Mend what can be, and say what was; return whether nothing stood in the way."""
    from cortex_policy.cli.prompts import patience  # noqa: PLC0415 - loads Typer
    from cortex_policy.manage.validation.autofix import repair  # noqa: PLC0415 - only writers need it

    is_mended = True
    for done in repair(where.files, report, exemptions, patience(wait_seconds)):
        if done.error is None:
            version = f", version {done.version}" if done.version is not None else ""
            sys.stderr.write(printable(f"mended `{done.file}`{version}") + "\n")
        else:
            hint = f" ({done.error.hint})" if done.error.hint else ""
            sys.stderr.write(printable(f"not mended: `{done.file}`: {done.error}{hint}") + "\n")
            is_mended = False
    return is_mended
