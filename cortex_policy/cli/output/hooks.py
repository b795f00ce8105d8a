"""A change of an agent's settings as a diff, what is left to do after it, and which hooks are installed."""

from typing import TYPE_CHECKING

import typer

from cortex_policy.core.text import escape_message_to_one_line, escape_output
from cortex_policy.manage.diff.unified import format_readable_diff_lines

if TYPE_CHECKING:
    from cortex_policy.manage.hooks.install_checks import Step
    from cortex_policy.manage.hooks.installation import SettingsChange
    from cortex_policy.manage.hooks.status import AgentStatus


def print_settings_diff(change: "SettingsChange") -> None:
    """Print the lines that a change removes and adds."""
    for line in _diff_lines(change):
        typer.echo(escape_output(line))


def print_steps_left_to_do(steps: "list[Step]") -> None:
    """Print what is left to do for a person, with the command if there is one."""
    for step in steps:
        command = f": `{step.command}`" if step.command else ""
        typer.echo(escape_message_to_one_line(f"left to do: {step.sentence}{command}"))


def settings_change_to_json(change: "SettingsChange", steps: "list[Step]") -> dict[str, object]:
    """Return a change as JSON members, with its diff as one text and what a person has to do after it."""
    return {
        "changed": change.is_needed,
        "agent": change.target.agent,
        "level": change.target.level,
        "file": change.target.file,
        "diff": "\n".join(_diff_lines(change)),
        "left_to_do": [{"sentence": step.sentence, "command": step.command or None} for step in steps],
    }


def agent_status_to_rows(status: "AgentStatus") -> list[tuple[str, ...]]:
    """Return a row for each installed line of an agent, or one that says that there is none."""
    rows: list[tuple[str, ...]] = [
        (status.agent, hook.level, "current" if hook.is_current else "other", hook.line.root or "-", hook.file)
        for hook in status.hooks
    ]
    return rows or [(status.agent, "-", "none", "-", "-")]


def agent_status_to_json(status: "AgentStatus") -> dict[str, object]:
    """Return the status of an agent as JSON members."""
    hooks = [
        {
            "level": hook.level,
            "file": hook.file,
            "command": hook.line.command,
            "agent": hook.line.agent,
            "root": hook.line.root or None,
            "tag": hook.line.tag or None,
            "is_current": hook.is_current,
            "trust": hook.trust or None,
        }
        for hook in status.hooks
    ]
    return {"agent": status.agent, "hooks": hooks, "problems": list(status.problems), "notes": list(status.notes)}


def _diff_lines(change: "SettingsChange") -> list[str]:
    if not change.is_needed:
        return []
    return format_readable_diff_lines(change.target.file, change.file.data or b"", change.data or b"")
