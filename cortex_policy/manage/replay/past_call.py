"""What is kept of a past call: a log may hold thousands with arguments of a mebibyte."""

import json
from marshal import dumps
from typing import NamedTuple

from cortex_policy.core import Value, shorten_message
from cortex_policy.manage.replay.decision_without_rate import has_full_args

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cortex_policy.core.model import Reason

_MAX_KEPT = 2_048  # bytes of arguments
_MAX_SHOWN = 300  # characters of the arguments of an example


class PastCall(NamedTuple):
    """A call of a log; large arguments are reduced to their names, or left out (None)."""

    grant: str
    reason: "Reason"
    has_full_args: bool
    action: str
    args: object
    time: str


class CallExample(Value):
    """One call of a group, as recorded in its event."""

    action: str
    args: object
    time: str


def reduce_event_to_past_call(data: "dict[str, Any]") -> PastCall:
    """Return what is kept of an event."""
    args = data["args"]
    if not _is_kept(args):
        args = list(args)
        args = args if _is_kept(args) else None
    action, grant = shorten_message(data["action"]), shorten_message(data["grant"])
    return PastCall(grant, data["reason"], has_full_args(data), action, args, data["time"])


def reduce_past_call_to_example(call: PastCall) -> CallExample:
    """Return a call as an example; large arguments are reduced to their names, or left out."""
    args = call.args
    if isinstance(args, dict) and len(json.dumps(args)) > _MAX_SHOWN:
        args = list(args)
    return CallExample(call.action, args if len(json.dumps(args)) <= _MAX_SHOWN else None, call.time)


def _is_kept(args: "Any") -> bool:
    try:
        return len(dumps(args, 2)) <= _MAX_KEPT
    except ValueError:  # nested deeper than marshal allows
        return False
