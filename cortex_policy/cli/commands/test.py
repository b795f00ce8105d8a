"""`test`: run test cases of grants and report their coverage."""

from typing import Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption, make_number_parser
from cortex_policy.core.model import UsageError


def run_test_cases(  # noqa: PLR0913 - one parameter for each option
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATHS", help="Case files or directories; default: those of the root.", show_default=False
        ),
    ] = None,
    root: RootOption = None,
    *,
    init: Annotated[
        str | None, typer.Option("--init", metavar="GRANT", help="Write a first case file that covers a grant.")
    ] = None,
    update: Annotated[
        bool, typer.Option("--update", help="With --init: write the generated cases again, and keep your own.")
    ] = False,
    text: Annotated[
        str | None, typer.Option("--filter", metavar="TEXT", help="Run only cases whose name or file contains TEXT.")
    ] = None,
    fail_under: Annotated[
        float | None,
        typer.Option(
            "--fail-under", metavar="PERCENT", parser=make_number_parser(100), help="Fail if coverage is below PERCENT."
        ),
    ] = None,
    output: Annotated[
        list[str] | None,
        typer.Option("--output", metavar="FORMAT[=FILE]", help="Print as text, json or junit; repeatable."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Run again when a grant or a case file changes.")] = False,
    json: JsonOption = False,
) -> None:
    """Run the test cases of grants and report their coverage.

    Cases are in `.cortex/policy/tests/*.cases.toml`: each is a call with the decision that it must get. The cases run
    in a temporary root, with a clock that only a case advances. Rate state, stamp, audit log and settings are not
    touched. If a case fails, the exit code is 1.

    `--init` generates cases that cover a grant. `--update` writes these cases again after an intended change. The cases
    that you wrote yourself are below the marked line; they stay as they are.

    $ cortex-policy test --init git
    $ cortex-policy test
    $ cortex-policy test --init git --update
    $ cortex-policy test --filter scope --watch
    $ cortex-policy test --fail-under 100 --output text --output junit=cases.xml
    """
    from cortex_policy.cli.commands.test_run import CaseRunOptions, init_or_update_cases, run_cases_and_report  # noqa: PLC0415 - no other command needs it

    options = CaseRunOptions(tuple(paths or ()), root, text or "", fail_under, tuple(output or ()), json, watch, update)
    if update and init is None:
        raise UsageError("`--update` needs `--init GRANT`", "see `cortex-policy test --help`")
    code = run_cases_and_report(options) if init is None else init_or_update_cases(init, options)
    if code:
        raise typer.Exit(code)
