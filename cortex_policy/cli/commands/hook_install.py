"""`hook install` and `hook uninstall`: change the settings of an agent."""

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.common_options import DryRunOption, JsonOption, RootOption, YesOption
from cortex_policy.cli.options_from_function import fill_first_argument_by_calling
from cortex_policy.cli.output.printing import print_json
from cortex_policy.cli.prompts import require_yes_answer
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core import Value
from cortex_policy.core.model import UsageError
from cortex_policy.core.text import escape_message_to_one_line

if TYPE_CHECKING:
    from cortex_policy.manage.hooks.install_checks import Step
    from cortex_policy.manage.hooks.installation import SettingsChange
    from cortex_policy.manage.hooks.targets import HookTarget
    from cortex_policy.state import Root


class Agent(StrEnum):
    """An agent whose hooks this program knows."""

    CLAUDE = "claude"
    CODEX = "codex"
    GEMINI = "gemini"
    CURSOR = "cursor"
    COPILOT = "copilot"
    VSCODE = "vscode"


AgentArgument = Annotated[
    Agent, typer.Argument(metavar="AGENT", help="claude, codex, gemini, cursor, copilot or vscode.", show_default=False)
]
UserOption = Annotated[bool, typer.Option("--user", help="Change your own settings of the agent; this is the default.")]
ProjectOption = Annotated[bool, typer.Option("--project", help="Change the agent's settings in the root.")]
ManagedOption = Annotated[
    bool, typer.Option("--managed", help="Change the agent's settings for all users of this host.")
]


class SettingsOptions(Value):
    """The options of a command that changes an agent's settings; `level` says whose settings."""

    agent: Agent
    root: "str | None"
    level: str
    dry_run: bool
    yes: bool
    json: bool

    def find_target(self, root: "Root | None") -> "HookTarget":
        """Return the settings file that the options name; raise NotDoneError if the agent has none there."""
        from cortex_policy.manage.hooks.targets import find_hook_target  # noqa: PLC0415 - no other command needs it

        return find_hook_target(self.agent, self.level, root.path if root is not None else "", os.environ)


def _settings_options(  # noqa: PLR0913 - one parameter for each option
    agent: AgentArgument,
    root: RootOption = None,
    *,
    user: UserOption = False,
    project: ProjectOption = False,
    managed: ManagedOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> SettingsOptions:
    from cortex_policy.manage.hooks.targets import LEVELS, USER  # noqa: PLC0415 - see above

    levels = [level for level, is_given in zip(LEVELS, (user, project, managed), strict=True) if is_given] or [USER]
    if len(levels) > 1:
        raise UsageError(f"`--{levels[0]}` and `--{levels[1]}` cannot be combined", "use one of them")
    return SettingsOptions(agent, root, levels[0], dry_run, yes, json)


@add_quiet_option
@fill_first_argument_by_calling(_settings_options)
def install(options: SettingsOptions) -> None:
    """Install a hook that checks each tool call of an agent.

    It adds one entry to the agent's settings and changes no other byte. It shows the change, then asks; without a
    terminal it needs `--yes`. The entry names this Python, this program and the root by absolute paths, and the hook
    ignores the agent's environment. With `--project`, the agent tells the hook where the root is.

    $ cortex-policy hook install claude --dry-run
    $ cortex-policy hook install codex --yes
    $ cortex-policy hook install gemini --project
    $ sudo cortex-policy hook install copilot --managed --root /srv/repo
    """
    from cortex_policy.manage.hooks import install_checks, installation  # noqa: PLC0415 - no other command needs them

    root = find_inner_root(options.root)
    target = options.find_target(root)
    install_checks.check_no_settings_in_environment(os.environ)
    install_checks.check_program_starts()
    change = installation.plan_install(target, root.path)
    paths = install_checks.find_paths_not_guarded_by_default(target, change.file.path, os.environ)
    install_checks.check_paths_can_be_guarded(root, paths)
    steps = install_checks.list_steps_left_to_do(target, root, paths)
    if _show_and_confirm(change, f"install the hook in `{target.file}`?", options):
        install_checks.guard_paths_if_rules_exist(root, paths)  # first: with it, only more is denied
        installation.write_settings_change(change)
    _print_result(change, steps, ("installed the hook in", "the hook is already in"), options)


@add_quiet_option
@fill_first_argument_by_calling(_settings_options)
def uninstall(options: SettingsOptions) -> None:
    """Remove the hook from the settings of an agent.

    It changes no other byte of the settings. If the file then holds only what `hook install` writes into a new file,
    the file is removed. The command shows the change, then asks; without a terminal it needs `--yes`. Only `--project`
    needs a root.

    $ cortex-policy hook uninstall claude
    $ cortex-policy hook uninstall codex --yes
    """
    from cortex_policy.manage.hooks import installation  # noqa: PLC0415 - no other command needs them
    from cortex_policy.manage.hooks.targets import PROJECT  # noqa: PLC0415

    change = installation.plan_uninstall(
        options.find_target(find_inner_root(options.root) if options.level == PROJECT else None)
    )
    if _show_and_confirm(change, f"remove the hook from `{change.target.file}`?", options):
        installation.write_settings_change(change)
    _print_result(change, [], ("removed the hook from", "there is no hook in"), options)


def _show_and_confirm(change: "SettingsChange", question: str, options: SettingsOptions) -> bool:
    """Print a change and ask for consent if there is one; return False for a preview, raise NotDoneError if refused."""
    from cortex_policy.cli.output.hooks import print_settings_diff  # noqa: PLC0415 - see above

    if not options.json:
        print_settings_diff(change)
    if change.is_needed and not options.dry_run:
        require_yes_answer(question, yes=options.yes)
    return not options.dry_run


def _print_result(
    change: "SettingsChange", steps: "list[Step]", sentences: tuple[str, str], options: SettingsOptions
) -> None:
    """Print what was done; `sentences` are for a change that was written, and for one that is not needed."""
    from cortex_policy.cli.output.hooks import print_steps_left_to_do, settings_change_to_json  # noqa: PLC0415 - see above

    if options.json:
        print_json(settings_change_to_json(change, steps))
        return
    done, nothing = sentences
    if not change.is_needed:
        typer.echo(escape_message_to_one_line(f"nothing to do: {nothing} `{change.target.file}`"))
    elif not options.dry_run:
        typer.echo(escape_message_to_one_line(f"{done} `{change.target.file}`"))
    print_steps_left_to_do(steps)
