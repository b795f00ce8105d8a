"""The answer to a request as one line of JSON: the members of `check --json`, and the id of the request.

What the lines of allowed calls share is written once; a test holds each of them to `format_outcome_json_line`.
"""

from cortex_policy.check import Call, CallOutcome
from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.core.model import Budget, Decision
from cortex_policy.core.text import escape_job_commands_in_ascii_json
from cortex_policy.render import format_outcome_json_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.library.grant_cache import CachedGrant

    _Template = tuple[CachedGrant, Decision, str, str, str]  # what it was made of, and the text between the numbers

_MAX_TEMPLATES = 1024
# numbers that no answer has, to find where the real ones go; in quotes none of them could follow its name
_USED, _REMAINING, _SECONDS, _DURATION, _CONSUMED = -1, -2, -3.0, -4, -5
_RATE = f'"used": {_USED}, "remaining": {_REMAINING}, "retry_after_seconds": {_SECONDS}, "consumed": {_CONSUMED}'


def format_outcome_line(outcome: CallOutcome, id_member: str) -> str:
    """Return the line of any outcome; `id_member` is what `format_id_member` returns."""
    line = format_outcome_json_line(outcome)
    return f"{line[:-1]}{id_member}}}\n"


def format_id_member(value: object) -> str:
    """Return the member `id` of an answer, with the comma before it."""
    # most are small integers, which are JSON as they are
    return (
        f', "id": {value}'
        if type(value) is int
        else escape_job_commands_in_ascii_json(f', "id": {format_ascii_json(value)}')
    )


class AnswerLines:
    """Writes the answers to allowed calls."""

    def __init__(self) -> None:
        """Start without templates."""
        self._templates: dict[tuple[int, int, str], _Template] = {}

    def format_allowed_line(
        self,
        entry: "CachedGrant",
        action: str,
        decision: Decision,
        use: tuple[int, float],
        microseconds: int,
        id_member: str,
        consumed: int = 1,
    ) -> str:
        """Return the line of an allowed call; `use` is what is used, and the seconds until one more fits."""
        template = self._templates.get((id(entry), id(decision), action))
        if template is None:
            template = self._make_template(entry, action, decision)
        _, _, start, middle, end = template
        used, seconds = use
        left = max(0, entry.grant.rate.per_minute - used)
        return (
            f'{start}"used": {used}, "remaining": {left}, "retry_after_seconds":'
            f' {seconds}, "consumed": {consumed}{middle}{microseconds}{end}{id_member}}}\n'
        )

    def _make_template(self, entry: "CachedGrant", action: str, decision: Decision) -> "_Template":
        limit = entry.grant.rate.per_minute
        budget = Budget(limit, _USED, _REMAINING, _SECONDS, _CONSUMED)
        shown = Decision(decision.reason, decision.detail, decision.obligations, budget, decision.paths)
        call = Call(entry.grant.id, action, json=True)
        line = format_outcome_json_line(CallOutcome(call, entry.grant, shown, None, _DURATION))
        start, _, rest = line.partition(_RATE)
        middle, _, end = rest.rpartition(str(_DURATION))
        if len(self._templates) >= _MAX_TEMPLATES:
            self._templates.clear()
        # INVARIANT: the objects are kept, so that no other one gets their ids
        template = self._templates[id(entry), id(decision), action] = entry, decision, start, middle, end[:-1]
        return template
