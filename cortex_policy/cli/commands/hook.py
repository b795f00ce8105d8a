"""`hook`: put checks in front of an agent's tools, and look after them.

The line that an agent runs, `hook AGENT --root DIR`, does not come here: `main` answers it without Typer.
"""

import typer

from cortex_policy.cli.command_classes import CommandWithExamples, GroupWithExamples
from cortex_policy.cli.commands import hook_doctor, hook_edit, hook_init, hook_install, hook_serve, hook_status

hook_app: typer.Typer = typer.Typer(cls=GroupWithExamples, no_args_is_help=True)


@hook_app.callback()
def hook_group() -> None:
    """Check the tool calls of agents.

    The agents are claude, codex, gemini, cursor, copilot and vscode. An agent asks its hook before each tool call,
    and the hook denies what the grants do not allow.
    """


hook_app.command("init", cls=CommandWithExamples)(hook_init.init)
hook_app.command("install", cls=CommandWithExamples)(hook_install.install)
hook_app.command("uninstall", cls=CommandWithExamples)(hook_install.uninstall)
hook_app.command("edit", cls=CommandWithExamples)(hook_edit.edit)
hook_app.command("status", cls=CommandWithExamples)(hook_status.status)
hook_app.command("doctor", cls=CommandWithExamples)(hook_doctor.doctor)
hook_app.command("serve", cls=CommandWithExamples)(hook_serve.serve)
