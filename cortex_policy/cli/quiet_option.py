"""`-q` for commands whose standard output is only news of what they did."""

import os
from contextlib import redirect_stdout
from functools import wraps
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

from cortex_policy.cli.common_options import QuietOption

if TYPE_CHECKING:
    from collections.abc import Callable


def add_quiet_option(command: "Callable[..., None]") -> "Callable[..., None]":
    """Add `-q` to a command: errors are still printed, and who would have to be asked is not asked but refused."""

    @wraps(command)
    def run(*given: Any, quiet: bool, **named: Any) -> None:
        """Run the command; with `-q` its standard output goes nowhere and nobody is asked."""
        if not quiet:
            command(*given, **named)
            return
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            command(*given, **named)

    own = signature(command)
    option = Parameter("quiet", Parameter.KEYWORD_ONLY, default=False, annotation=QuietOption)
    run.__signature__ = own.replace(parameters=[*own.parameters.values(), option])  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, "quiet": QuietOption}
    return run
