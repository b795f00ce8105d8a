"""Options that several commands have together: a function takes them, and makes of them what each command needs."""

from functools import wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., None]


def fill_first_argument_by_calling(make: "Callable[..., object]") -> "Callable[[Command], Command]":
    """Return a decorator that gives a command the options of `make`, and its result as the first argument."""

    def decorate(command: "Command") -> "Command":
        """Return a command whose signature, which Typer reads, has the options of both."""
        shared, (_, *own) = signature(make).parameters, signature(command).parameters.values()
        parameters = [one.replace(kind=Parameter.KEYWORD_ONLY) for one in (*shared.values(), *own)]

        @wraps(command)
        def run(**given: Any) -> None:
            """Call `make` with its options, and the command with the result and the other options."""
            command(make(**{name: given.pop(name) for name in shared}), **given)

        run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {one.name: one.annotation for one in parameters}
        return run

    return decorate
