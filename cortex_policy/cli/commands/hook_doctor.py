"""`hook doctor`: try the installed hooks."""

import os
from typing import Annotated

import typer

from cortex_policy.cli.commands.hook_install import Agent
from cortex_policy.cli.common_options import JsonOption, RootOption
from cortex_policy.cli.output.printing import print_json
from cortex_policy.cli.roots import find_root_or_working_directory_path
from cortex_policy.core.text import escape_message_to_one_line


def doctor(
    agent: Annotated[
        Agent | None,
        typer.Argument(
            metavar="AGENT",
            help="Only this agent: claude, codex, gemini, cursor, copilot or vscode.",
            show_default=False,
        ),
    ] = None,
    root: RootOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """Test whether each installed hook blocks what it must block.

    It reports what `hook status` reports. Then it runs each hook as its agent would. It tries a tool that is always
    denied. In a temporary root it tries an allowed call, a denied call, hostile variables, broken rules, an unreadable
    grant, a hanging disk, a hanging program and a missing program. This takes up to half a minute for each hook. If
    there is an audit log, these calls are recorded in the log. The exit code is 1 if a call that must be denied would
    run, or if an allowed call would not run.

    $ cortex-policy hook doctor
    $ cortex-policy hook doctor claude --json
    """
    from cortex_policy.cli.output.doctor import check_result_to_json, print_check_counts, print_check_result  # noqa: PLC0415 - no other command needs them
    from cortex_policy.manage.doctor.result import PROBLEM, CheckResult  # noqa: PLC0415
    from cortex_policy.manage.doctor.run import find_worst_status  # noqa: PLC0415
    from cortex_policy.manage.hooks.doctor import examine_hooks  # noqa: PLC0415

    place = find_root_or_working_directory_path(root)
    reports, results = [], list[CheckResult]()
    for report in examine_hooks(agent, place, os.environ):
        if not json and report.file:
            typer.echo(escape_message_to_one_line(f"{report.agent}, {report.level}, `{report.file}`:"))
        checks = []
        for result in report.checks:
            checks.append(result)
            if not json:
                print_check_result(result)
        results += checks
        members = {"agent": report.agent or None, "level": report.level or None, "file": report.file or None}
        reports.append(members | {"checks": [check_result_to_json(one) for one in checks]})
    if json:
        print_json({"status": find_worst_status(results), "root": place, "hooks": reports})
    else:
        print_check_counts(results)
    if find_worst_status(results) == PROBLEM:
        raise typer.Exit(1)
