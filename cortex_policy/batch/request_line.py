"""One line of `check --batch`: a JSON object that asks for one decision."""

from cortex_policy.core.decode import MAX_BYTES, MalformedError, decode_json, to_whole_number
from cortex_policy.core.model import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MEMBERS = frozenset(("grant", "action", "args", "cost", "peek", "id"))
MAX_LINE_BYTES = MAX_BYTES
_MAX_COST = 10**18  # above every budget; a larger cost need not be exact


class RequestLine:
    """A call to decide; `has_id` tells an id that is null from none.

    This is a plain class, since a `Value` takes a microsecond more.
    """

    __slots__ = ("action", "args", "cost", "grant", "has_id", "id", "peek")

    def __init__(self, members: "dict[str, Any]") -> None:
        """Take members that were checked."""
        self.grant: str = members["grant"]
        self.action: str = members["action"]
        self.args: dict[str, Any] = members.get("args", {})
        self.cost: int = min(to_whole_number(members["cost"]) or 1, _MAX_COST) if "cost" in members else 1
        self.peek: bool = members.get("peek", False)
        self.has_id: bool = "id" in members
        self.id: object = members.get("id")


class BadRequestError(UsageError):
    """A line that is not a request; its id, if it has one, goes into the answer."""

    has_id: bool = False
    id: object = None


def parse_request_line(line: bytes) -> RequestLine:
    """Return the request of a line; raise BadRequestError with what is wrong with it."""
    try:
        members = decode_json(line, MAX_LINE_BYTES)
    except MalformedError as error:
        message = f"the line is not JSON: {error}"
        raise BadRequestError(message) from None
    if not isinstance(members, dict):
        message = "the line is not a JSON object"
        raise BadRequestError(message)
    why = _find_violation(members)
    if why:
        raise _add_request_id(BadRequestError(*why), members)
    return RequestLine(members)


def _find_violation(members: "dict[str, Any]") -> tuple[str, ...]:
    """Say what is wrong with the members of a request, and a hint; nothing if they are right."""
    if not members.keys() <= MEMBERS:
        from cortex_policy.core.closest_match import find_closest_word  # noqa: PLC0415 - only a wrong line needs it
        from cortex_policy.core.text import format_guess_hint  # noqa: PLC0415

        unknown = next(name for name in members if name not in MEMBERS)
        return f"unknown member `{unknown}`", format_guess_hint(find_closest_word(unknown, sorted(MEMBERS)))
    for name in ("grant", "action"):
        if not isinstance(members.get(name), str):
            return (f"`{name}` must be a string" if name in members else f"`{name}` is missing",)
    if not isinstance(members.get("args", {}), dict):
        return ("`args` must be an object",)
    if "cost" in members and (to_whole_number(members["cost"]) or 0) < 1:
        return ("`cost` must be an integer of at least 1",)
    return () if isinstance(members.get("peek", False), bool) else ("`peek` must be true or false",)


def _add_request_id(error: BadRequestError, members: "dict[str, Any]") -> BadRequestError:
    error.has_id, error.id = "id" in members, members.get("id")
    return error
