"""Print why every check is denied, before what a command itself has to say."""

import sys
from typing import TYPE_CHECKING

import typer

from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.state.local_times import localize_times_if_terminal

if TYPE_CHECKING:
    from cortex_policy.manage.global_denials import GlobalDenials


def print_global_denial_sentences(denials: "GlobalDenials") -> None:
    """Print a sentence for each reason on stderr; its hint comes later, with the other hints."""
    for sentence in denials.sentences:
        typer.echo(escape_message_to_one_line(localize_times_if_terminal(sentence, sys.stderr)), err=True)
