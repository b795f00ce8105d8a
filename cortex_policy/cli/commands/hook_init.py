"""`hook init`: write the first rules of agents' hooks, and the grants that they name."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.commands.hook_install import Agent
from cortex_policy.cli.common_options import DryRunOption, JsonOption, RootOption, WaitOption, YesOption
from cortex_policy.cli.output.printing import print_hints, print_json
from cortex_policy.cli.prompts import make_lock_wait_options_with_notice, require_yes_answer
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.state.grants_errors import format_root_option

if TYPE_CHECKING:
    from cortex_policy.manage.hooks.first_setup import FirstSetup, ShowAndAsk


@add_quiet_option
def init(
    root: RootOption = None,
    *,
    agent: Annotated[
        list[Agent] | None,
        typer.Option(
            "--agent",
            metavar="AGENT",
            help="Write rules for this agent; repeatable. Default: all agents that were found.",
        ),
    ] = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Write the first hook rules, and the grants that they name.

    The rules are in `.cortex/policy/hooks.toml`, with comments. There are separate rules for tools that read, tools
    that write, shells, MCP tools and harmless tools. Existing grants are kept. An agent is found by its settings
    directory or its program. Tools may write in the directories of the root, except directories with files that other
    programs run later, such as `.github`. Tools that no rule names are denied.

    It shows all files, then asks; without a terminal it needs `--yes`. No file is overwritten. Each file is one write,
    which `cortex-policy undo` undoes.

    $ cortex-policy hook init --dry-run
    $ cortex-policy hook init --agent claude --agent codex --yes
    """
    from cortex_policy.manage.hooks import first_setup  # noqa: PLC0415 - no other command needs it

    policy_root = find_inner_root(root)
    agents = (
        tuple(dict.fromkeys(one.value for one in agent)) if agent else first_setup.find_installed_agents(os.environ)
    )
    if not agents:
        raise NotDoneError("no agent was found", "name one with `--agent claude`, for example")
    if dry_run:
        setup = first_setup.preview_first_setup(policy_root, agents)
        if not json:
            _print_files(setup)
    else:
        setup = first_setup.write_first_setup(
            policy_root, agents, _make_prompt(yes=yes, json=json), make_lock_wait_options_with_notice(wait_seconds)
        )
    if json:
        print_json(_setup_to_json(setup))
    elif not dry_run:
        _print_result(setup, format_root_option(policy_root))
    if setup.error is not None:
        raise typer.Exit(setup.error.exit_code)


def _make_prompt(*, yes: bool, json: bool) -> "ShowAndAsk":
    def show_and_ask(setup: "FirstSetup") -> None:
        """Print the files, unless JSON is asked for; raise NotDoneError unless the answer is yes."""
        if not json:
            _print_files(setup)
        require_yes_answer("write these files?", yes=yes)

    return show_and_ask


def _print_files(setup: "FirstSetup") -> None:
    from cortex_policy.cli.output.diff import print_diff  # noqa: PLC0415 - as above
    from cortex_policy.cli.output.write_result import print_escaped_text  # noqa: PLC0415 - as above

    typer.echo(escape_message_to_one_line(f"rules for {', '.join(setup.agents)}:"))
    for step in setup.steps:
        print_escaped_text(step.diff)
    print_diff(setup.diff)


def _print_result(setup: "FirstSetup", option: str) -> None:
    from cortex_policy.cli.output.write_result import version_to_text  # noqa: PLC0415 - as above

    for step in setup.steps:
        typer.echo(escape_message_to_one_line(f"made `{step.change.name}`, {version_to_text(step.version)}"))
    if setup.error is not None:
        typer.echo(escape_message_to_one_line(f"cortex-policy: stopped before the end: {setup.error.detail}"), err=True)
        print_hints([f"to continue, run `cortex-policy hook init{option}` again"])
        return
    typer.echo(escape_message_to_one_line(f"undo all of it with `cortex-policy undo --to {setup.version}{option}`"))
    typer.echo("next, install the hook:")
    for agent in setup.agents:
        typer.echo(escape_message_to_one_line(f"  cortex-policy hook install {agent}{option}"))


def _setup_to_json(setup: "FirstSetup") -> dict[str, object]:
    from cortex_policy.cli.output.diff import diff_to_json  # noqa: PLC0415 - as above
    from cortex_policy.manage.transaction.version_after_write import version_to_number_or_none  # noqa: PLC0415 - as above

    written = [step for step in setup.steps if step.is_written]
    return {
        "changed": bool(written),
        "version": version_to_number_or_none(written[-1].version) if written else None,
        "agents": list(setup.agents),
        "writes": [
            {"id": step.change.name, "version": version_to_number_or_none(step.version), "diff": step.diff}
            for step in setup.steps
        ],
        "problem": setup.error.detail if setup.error is not None else None,
    } | diff_to_json(setup.diff, None)
