"""A decorator that enforces a grant before a function runs: `@enforced("git", "tree", path="path")`."""

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
    """Enforce a grant before each call of a function; if that raises, the body does not run.

    Each further keyword is an argument of the grant, its value the parameter of the function that provides it, as the
    caller passes it or by default. The call of a coroutine function is decided when it is awaited, without blocking the
    event loop. Without a store the grant is read at each call. Raises UsageError if the function has no such parameter,
    or cannot be decorated.
    """

    def enforce_call(args: dict[str, object]) -> None:
        """Enforce one call; raise AccessDenied, GrantError or StateError before the body runs."""
        if store is not None:
            store.enforce(grant_id, action, args)
        else:
            enforce(load_grant(grant_id), action, args)

    async def enforce_call_async(args: dict[str, object]) -> None:
        """Enforce one call in a thread, so that the event loop goes on."""
        if store is not None:
            await store.enforce_async(grant_id, action, args)
        else:
            await asyncio.to_thread(enforce_call, args)

    def decorate(function: Function) -> Function:
        """Return a function that enforces first: a coroutine function if the given one is."""
        signature = _signature_of(function, tuple(arguments.values()))

        @functools.wraps(function)
        async def async_wrapper(*args: Any, **keywords: Any) -> Any:
            """Enforce the grant, then await the function."""
            await enforce_call_async(_arguments_for_grant(signature, arguments, args, keywords))
            return await function(*args, **keywords)

        @functools.wraps(function)
        def wrapper(*args: Any, **keywords: Any) -> Any:
            """Enforce the grant, then call the function."""
            enforce_call(_arguments_for_grant(signature, arguments, args, keywords))
            return function(*args, **keywords)

        return cast("Function", async_wrapper if inspect.iscoroutinefunction(function) else wrapper)

    return decorate


def _arguments_for_grant(
    signature: inspect.Signature, arguments: dict[str, str], args: tuple[Any, ...], keywords: dict[str, Any]
) -> dict[str, object]:
    bound = signature.bind(*args, **keywords)
    bound.apply_defaults()
    return {argument: bound.arguments[parameter] for argument, parameter in arguments.items()}


def _signature_of(function: "Callable[..., Any]", parameters: tuple[str, ...]) -> inspect.Signature:
    """Return the signature; raise UsageError if a parameter is missing, or the function cannot be decorated."""
    name = getattr(function, "__qualname__", repr(function))
    if inspect.isasyncgenfunction(inspect.unwrap(function)):
        message = f"`{name}` is an asynchronous generator: a call does not start its body"
        raise UsageError(message, "decorate the function that iterates over it")
    if not inspect.isroutine(function):
        message = f"`{name}` is not a function"
        raise UsageError(message, "decorate the methods of a class instead")
    signature = inspect.signature(function)
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    names = [word for word, parameter in signature.parameters.items() if parameter.kind not in variadic]
    for parameter in parameters:
        if parameter not in names:
            message = f"`{name}` has no parameter `{parameter}`"
            raise UsageError(message, f"it has {', '.join(f'`{word}`' for word in names) or 'none'}")
    return signature
