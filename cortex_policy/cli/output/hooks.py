"""A change of an agent's settings as a diff, what is left to do after it, and both as JSON."""

from typing import TYPE_CHECKING

import typer

from cortex_policy.core.text import escape_output, message_line
from cortex_policy.manage.diff.unified import readable_diff

if TYPE_CHECKING:
    from cortex_policy.manage.hooks.install_checks import Step
    from cortex_policy.manage.hooks.installation import SettingsChange


def print_settings_diff(change: "SettingsChange") -> None:
    """Print the lines that a change removes and adds."""
    for line in _diff_lines(change):
        typer.echo(escape_output(line))


def print_steps(steps: "list[Step]") -> None:
    """Print what is left to do for a person, with the command if there is one."""
    for step in steps:
        command = f": `{step.command}`" if step.command else ""
        typer.echo(message_line(f"left to do: {step.sentence}{command}"))


def change_to_json(change: "SettingsChange", steps: "list[Step]") -> dict[str, object]:
    """Return a change as JSON members."""
    return {
        "changed": change.is_needed,
        "agent": change.target.agent,
        "level": change.target.level,
        "file": change.target.file,
        "diff": "\n".join(_diff_lines(change)),
        "left_to_do": [{"sentence": step.sentence, "command": step.command or None} for step in steps],
    }


def _diff_lines(change: "SettingsChange") -> list[str]:
    return readable_diff(change.file.data or b"", change.data or b"", change.target.file) if change.is_needed else []
