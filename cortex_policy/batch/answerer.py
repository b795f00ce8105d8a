"""One request in, one answer out: what `check --batch` and all other ways to ask have in common."""

from time import perf_counter_ns

from cortex_policy.batch.answer_line import AnswerLines, format_id_member, format_outcome_line
from cortex_policy.batch.authzen import CONSUME
from cortex_policy.batch.decider import BatchDecider
from cortex_policy.batch.request_line import BadRequestError, RequestLine, parse_request_line
from cortex_policy.check import Call, CallOutcome, decide_outcome_with_wait
from cortex_policy.core.decode import decode_json
from cortex_policy.core.model import CortexPolicyError, UsageError
from cortex_policy.library.root_path_lookup import UnresolvedRoot, find_root_keeping_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cortex_policy.core.model import Grant
    from cortex_policy.library.grant_cache import StoreStats

_NANOSECONDS = 1000


class Answerer:
    """Answers requests for the grants of one root, in the order in which they come."""

    def __init__(self, root: str | None = None, *, require_path: bool = False) -> None:
        """Look for the root at the first request, and again as long as there is none."""
        self._root, self._require_path = root, require_path
        self._decider: BatchDecider | None = None
        self._lines = AnswerLines()

    def find_root(self) -> UnresolvedRoot:
        """Find the root now, and return its name; raise GrantError (25, 26) if there is none."""
        if self._decider is None:
            self._decider = BatchDecider(find_root_keeping_links(self._root))
        return self._decider.root

    def answer_line(self, line: bytes) -> tuple[str, int]:
        """Return the answer to a request, a line of JSON, and the exit code that `check` would have."""
        start = perf_counter_ns()
        try:
            request = parse_request_line(line)
        except BadRequestError as error:
            outcome = CallOutcome(Call("", "", json=True), None, None, error, 0)
            return format_outcome_line(outcome, format_id_member(error.id) if error.has_id else ""), error.exit_code
        id_member = format_id_member(request.id) if request.has_id else ""
        return self._try_fast_answer(request, id_member, start) or self._answer_in_full(request, id_member)

    def answer_members(self, grant: str, action: str, args: "dict[str, Any]", is_counted: bool) -> "dict[str, Any]":  # noqa: FBT001 - as AuthZEN asks
        """Return the members of the answer to a call, as `answer_call` does."""
        text, _ = self.answer_call(grant, action, args, is_counted)
        members: dict[str, Any] = decode_json(text.encode())
        return members

    def answer_call(self, grant: str, action: str, args: "dict[str, Any]", is_counted: bool) -> tuple[str, int]:  # noqa: FBT001 - see above
        """Return the answer to a call that need not be counted, a line of JSON, and the exit code.

        An argument that a request cannot carry, since the word has a meaning there, is never taken for absent.
        """
        start = perf_counter_ns()
        request = RequestLine({"grant": grant, "action": action, "args": args, "peek": not is_counted})
        answer = self._try_fast_answer(request, "", start, CONSUME)
        if answer is not None:
            return answer
        loaded = self._load(grant)
        if loaded is not None and CONSUME in loaded.args:
            message = f"the grant declares an argument `{CONSUME}`, which a request cannot carry"
            raise UsageError(message)
        return self._answer_in_full(request, "")

    def list_actions(self, grant: str) -> tuple[str, ...]:
        """Return the actions of a grant, none if it cannot be loaded."""
        loaded = self._load(grant)
        return loaded.actions if loaded is not None else ()

    @property
    def has_server(self) -> bool:
        """Whether a server counts the budgets, so that a decision may wait for the network."""
        return self._decider is not None and self._decider.has_server

    def stats(self) -> "StoreStats | None":
        """Return what was done so far, None before the root was found."""
        return self._decider.stats() if self._decider is not None else None

    def _load(self, grant: str) -> "Grant | None":
        try:
            self._decider = self._decider or BatchDecider(find_root_keeping_links(self._root))
            return self._decider.load(grant)
        except CortexPolicyError:  # a decision says why
            return None

    def _try_fast_answer(
        self, request: RequestLine, id_member: str, start: int, reserved: str = ""
    ) -> tuple[str, int] | None:
        """Answer a call that the kept grants allow; None if it must be decided in full."""
        decider = self._decider
        if decider is None or request.cost != 1 or self._require_path:
            return None
        try:
            decide = decider.try_peek_call if request.peek else decider.try_decide_call
            taken = decide(request.grant, request.action, request.args, reserved)
        except CortexPolicyError as error:
            outcome = CallOutcome(_to_call(request), None, None, error, (perf_counter_ns() - start) // _NANOSECONDS)
            return format_outcome_line(outcome, id_member), outcome.exit_code
        if taken is None:
            return None
        entry, decision, used, seconds = taken
        microseconds = (perf_counter_ns() - start) // _NANOSECONDS
        if decision:
            return self._lines.format_allowed_line(
                entry, request.action, decision, (used, seconds), microseconds, id_member, 0 if request.peek else 1
            ), 0
        outcome = CallOutcome(_to_call(request), entry.grant, decision, None, microseconds)
        return format_outcome_line(outcome, id_member), outcome.exit_code

    def _answer_in_full(self, request: RequestLine, id_member: str) -> tuple[str, int]:
        call = _to_call(request, self._root, require_path=self._require_path)
        try:
            decider = self._decider = self._decider or BatchDecider(find_root_keeping_links(self._root))
        except CortexPolicyError:  # no root: `check` says which rule denies, and records it
            outcome = decide_outcome_with_wait(call)
        else:
            outcome = decider.decide_call(call, request.args)
        return format_outcome_line(outcome, id_member), outcome.exit_code


def _to_call(request: RequestLine, root: str | None = None, *, require_path: bool = False) -> Call:
    return Call(
        request.grant, request.action, root=root, cost=request.cost, peek=request.peek, require_path=require_path,
        json=True,
    )  # fmt: skip
