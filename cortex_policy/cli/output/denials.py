"""Print why every check is denied, before what a command itself has to say."""

import sys
from typing import TYPE_CHECKING

import typer

from cortex_policy.cli.output.printing import stop_to_json
from cortex_policy.core.text import message_line
from cortex_policy.state.local_times import localize_times

if TYPE_CHECKING:
    from cortex_policy.core.model import CortexPolicyError
    from cortex_policy.manage.global_denials import GlobalDenials


def print_denials(denials: "GlobalDenials") -> None:
    """Print a sentence for each reason on stderr; its hint comes later, with the other hints."""
    for sentence in denials.sentences:
        typer.echo(message_line(localize_times(sentence, sys.stderr)), err=True)


def denials_to_json(denials: "GlobalDenials") -> dict[str, object]:
    """Return the members in which every command tells programs why all checks are denied."""
    return {
        "settings": _settings_error_to_json(denials.settings_error),
        "stopped": stop_to_json(denials.stops[0] if denials.stops else None),
        "denied": [error_to_json(error) for error in denials.errors],
    }


def error_to_json(error: "CortexPolicyError") -> dict[str, object]:
    """Return an error that every check answers as JSON members."""
    return {
        "reason": str(error.reason),
        "exit_code": error.exit_code,
        "problem": error.detail or str(error),
        "hint": error.hint or None,
    }


def _settings_error_to_json(error: "CortexPolicyError | None") -> dict[str, object] | None:
    return None if error is None else {"problem": error.detail, "hint": error.hint or None}
