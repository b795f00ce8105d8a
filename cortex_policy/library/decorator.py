"""Functions that are asked for before they run: `@guarded("git", "tree", path="path")`."""

import asyncio
import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar, cast

from cortex_policy.core.model import UsageError
from cortex_policy.library.functions import enforce, load_grant

if TYPE_CHECKING:
    from collections.abc import Callable

    from cortex_policy.library.store import PolicyStore

Function = TypeVar("Function", bound="Callable[..., Any]")


def enforced(
    grant_id: str, action: str, /, *, store: "PolicyStore | None" = None, **arguments: str
) -> "Callable[[Function], Function]":
    """Enforce a grant before each call of a function; the body does not run where that raises.

    Each further name is an argument of the grant, its value the parameter of the function that gives it, however the
    caller passes that, or its default. A coroutine function is asked for when it is awaited, without holding up the
    event loop. Without a store the grant is read at each call. Raises UsageError where it decorates what has no such
    parameter, or is no function that it could guard.
    """

    async def ask_beside(args: dict[str, object]) -> None:
        if store is not None:
            await store.enforce_async(grant_id, action, args)
        else:
            await asyncio.to_thread(ask, args)

    def ask(args: dict[str, object]) -> None:
        if store is not None:
            store.enforce(grant_id, action, args)
        else:
            enforce(load_grant(grant_id), action, args)

    def decorate(function: Function) -> Function:
        signature = _signature(function, tuple(arguments.values()))

        @functools.wraps(function)
        async def awaited(*words: Any, **named: Any) -> Any:
            await ask_beside(_given(signature, arguments, words, named))
            return await function(*words, **named)

        @functools.wraps(function)
        def called(*words: Any, **named: Any) -> Any:
            ask(_given(signature, arguments, words, named))
            return function(*words, **named)

        return cast("Function", awaited if inspect.iscoroutinefunction(function) else called)

    return decorate


def _given(
    signature: inspect.Signature, arguments: dict[str, str], words: tuple[Any, ...], named: dict[str, Any]
) -> dict[str, object]:
    bound = signature.bind(*words, **named)
    bound.apply_defaults()
    return {argument: bound.arguments[parameter] for argument, parameter in arguments.items()}


def _signature(function: "Callable[..., Any]", parameters: tuple[str, ...]) -> inspect.Signature:
    """Return the signature; raise UsageError for a parameter that it does not have, and for what cannot be guarded."""
    name = getattr(function, "__qualname__", repr(function))
    if inspect.isasyncgenfunction(inspect.unwrap(function)):
        message = f"`{name}` is an asynchronous generator, whose body no call begins"
        raise UsageError(message, "guard the function that iterates over it")
    if not inspect.isroutine(function):
        message = f"`{name}` is no function; a class or an object cannot be guarded"
        raise UsageError(message, "guard its methods")
    signature = inspect.signature(function)
    collects = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    known = [word for word, parameter in signature.parameters.items() if parameter.kind not in collects]
    for parameter in parameters:
        if parameter not in known:
            message = f"`{name}` has no parameter `{parameter}`"
            raise UsageError(message, f"it has {', '.join(f'`{word}`' for word in known) or 'none'}")
    return signature
