"""`validate`: report errors and warnings in grants, and fix them."""

from typing import Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption, WaitOption

FORMATS_HELP = "text, json, github, gitlab, sarif or junit, optionally into FILE; repeatable."
CODES_HELP = "these rules or groups, comma-separated; repeatable."
Codes = list[str] | None


def validate(  # noqa: PLR0913 - one parameter for each option
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATHS", help="Files, directories or -; default: the grants of the root.", show_default=False
        ),
    ] = None,
    root: RootOption = None,
    *,
    strict: Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Make the fixes that are certain and allow nothing more.")] = False,
    select: Annotated[Codes, typer.Option("--select", metavar="CODES", help=f"Report only {CODES_HELP}")] = None,
    ignore: Annotated[Codes, typer.Option("--ignore", metavar="CODES", help=f"Report all but {CODES_HELP}")] = None,
    output: Annotated[
        list[str] | None, typer.Option("--output", metavar="FORMAT[=FILE]", help=f"Report as {FORMATS_HELP}")
    ] = None,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Report what is wrong with grants, and how to fix it.

    The exit code is 1 if there are errors, and 0 if there are only warnings. A file that cannot be read is always
    reported. If you name a directory, the grants of all roots in this directory are validated; if it has no root, its
    JSON files are validated. The rules of agents' hooks (`hooks.toml`) are validated with the grants of their root.
    `cortex-policy rule CODE` explains a code.

    $ cortex-policy validate
    $ cortex-policy validate --strict --output github --output sarif=grants.sarif
    $ cortex-policy validate .cortex/policy/tools/git.json --fix
    $ cortex-policy validate - --ignore scope-absent,stamp < draft.json
    """
    from cortex_policy.cli.commands.validate_run import ValidateOptions, run_validate  # noqa: PLC0415 - no other command needs it

    options = ValidateOptions(
        tuple(paths or ()), root, strict, fix, tuple(select or ()), tuple(ignore or ()), tuple(output or ()),
        wait_seconds, json,
    )  # fmt: skip
    code = run_validate(options)
    if code:
        raise typer.Exit(code)
