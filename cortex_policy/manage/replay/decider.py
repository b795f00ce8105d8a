"""Past calls decided again one after the other: each by the rules, and by the rate that all of them share."""

from marshal import dumps

from cortex_policy.core.audit_event import PATH_MEMBERS
from cortex_policy.core.decode import decode
from cortex_policy.core.ecma_regex import MAX_SHARED_STEPS, SharedSteps
from cortex_policy.core.engine import matching_scope, path_syntax_error
from cortex_policy.core.model import GRANT_NOT_FOUND, Grant, GrantError, Reason, Settings, budget_key
from cortex_policy.manage.replay.rate import RateReplay
from cortex_policy.manage.replay.relevant_grant import GrantParts
from cortex_policy.manage.replay.rules import Undecidable, Unknown, decide_recorded, has_full_args

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from typing import Any

    from cortex_policy.manage.diff.git_revisions import TextOrError
    from cortex_policy.manage.replay.rate import OnResult

    Policy = Mapping[str, TextOrError] | Mapping[str, Grant | GrantError]  # each grant by its id

_GRANT_NOT_FOUND = GrantError(GRANT_NOT_FOUND, "")
_PLAIN_PATH_MEMBERS = set(PATH_MEMBERS[:5])  # members of a path without a fault
_SAME_FOR_ANY_TEXT = frozenset(("type", "format", "title", "description"))  # keywords that all texts meet, or none
TOO_SLOW = Undecidable(f"up to it the calls take more than {MAX_SHARED_STEPS:,} steps in patterns")
MAX_CACHED, _MAX_KEY_BYTES = 20_000, 2048  # answers that are remembered, and bytes of what names one


class CallReplayer:
    """Decides calls again, in the order of a log; `on_result` is told each call_id with its answer, somewhat later."""

    def __init__(
        self, policy: "Policy", settings: Settings, on_result: "OnResult", known_denials: "Container[Any]" = ()
    ) -> None:
        """Take the grants, what is set, and what is told of each answer."""
        self._policy, self._settings, self._on_result = policy, settings, on_result
        self._windows = RateReplay(on_result, known_denials)
        self._loaded: dict[str, Grant | GrantError] = {}
        self._parts: dict[str, GrantParts] = {}
        self._known: dict[bytes, Reason | Unknown | None] = {}
        self.steps: SharedSteps = SharedSteps()

    def add(self, at: float, data: "dict[str, Any]", call_id: object, answer: "Reason | Unknown | None") -> None:
        """Take one call that every rule but the rate has answered so."""
        windows = self._windows
        windows.advance(at)
        if isinstance(answer, Reason):
            self._on_result(call_id, answer)
            return
        grant = self.grant(data["grant"])
        if isinstance(grant, Grant):
            key = budget_key(grant.tool, data["action"])
            if answer is None:
                windows.add(at, key, grant.rate.per_minute, data, call_id)
                return
            windows.add_possible(at, key, data)
        if answer is not None:
            self._on_result(call_id, answer)

    def finish(self) -> None:
        """OnResult what is still open at the end of a log."""
        self._windows.finish()

    def grant(self, grant_id: str) -> "Grant | GrantError":
        """Return a grant, or why there is none."""
        found = self._loaded.get(grant_id)
        if found is None:
            text = self._policy.get(grant_id)
            if text is None:
                return _GRANT_NOT_FOUND  # never remembered: a log may name any number of them
            found = self._loaded[grant_id] = decode_or_error(text, grant_id)
        return found

    def part_for(self, data: "dict[str, Any]", grant: Grant) -> Grant:
        """Return what a call meets of its grant."""
        name = data["grant"]
        if name not in self._parts:
            self._parts[name] = GrantParts(grant)
        return self._parts[name].part_for(data)

    def decide_by_rules(self, data: "dict[str, Any]") -> "Reason | Unknown | None":
        """Decide a call by every rule but the rate, at once where the same was asked before."""
        key = decision_key(data)
        if key is None:
            return self._decide_within_steps(self._relevant_grant(data), data)
        if key not in self._known:
            self._cache_answer(key, self._decide_like_others(data))
        return self._known[key]

    def _decide_like_others(self, data: "dict[str, Any]") -> "Reason | Unknown | None":
        """Decide a call, at once where one was asked before whose paths are treated alike."""
        grant = self._relevant_grant(data)
        plain = _answers_by_path(grant, data) if isinstance(grant, Grant) and "paths" in data else None
        key = decision_key(data, plain) if plain is not None else None
        if key is None:
            return self._decide_within_steps(grant, data)
        if key not in self._known:
            self._cache_answer(key, self._decide_within_steps(grant, data))
        return self._known[key]

    def _decide_within_steps(self, grant: "Grant | GrantError", data: "dict[str, Any]") -> "Reason | Unknown | None":
        with self.steps as steps:
            before = steps.skipped_searches
            answer = decide_recorded(grant, data, self._settings)
            return answer if steps.skipped_searches == before else TOO_SLOW

    def _relevant_grant(self, data: "dict[str, Any]") -> "Grant | GrantError":
        grant = self.grant(data["grant"])
        return self.part_for(data, grant) if isinstance(grant, Grant) else grant

    def _cache_answer(self, key: bytes, answer: "Reason | Unknown | None") -> None:
        if len(self._known) >= MAX_CACHED:
            self._known.clear()
        self._known[key] = answer


def decision_key(data: "dict[str, Any]", plain: "dict[str, Any] | None" = None) -> bytes | None:
    """Return what is equal for calls that every rule but the rate answers alike; None where that is too long.

    Plain paths stand for those that their grant treats alike.
    """
    # INVARIANT: whatever an answer depends on is in here; version 2 tells equal values by equal bytes
    if plain is not None:
        said: Any = data["args"] | plain, None, None
    else:
        said = (data["args"], data.get("paths")) if has_full_args(data) else list(data["args"])
    try:
        key = dumps((data["grant"], data["action"], data["reason"].exit_code, said), 2)
    except ValueError:  # nested deeper than it goes
        return None
    return key if len(key) <= _MAX_KEY_BYTES else None


def _answers_by_path(grant: Grant, data: "dict[str, Any]") -> "dict[str, Any] | None":
    """Return for each path of a call what its answer depends on, where that is less than the path itself.

    It is where it has one spelling, stands right in an argument, and no declaration looks at more than its type.
    """
    found: dict[str, Any] = {}
    args, paths = data["args"], data["paths"]
    for place in paths if has_full_args(data) and isinstance(paths, list) else (None,):
        if not isinstance(place, dict) or place.keys() != _PLAIN_PATH_MEMBERS:
            return None
        name, given, *spellings, resolved = map(place.get, PATH_MEMBERS[:5])
        if not isinstance(name, str) or not isinstance(resolved, str) or args.get(name) != given:
            return None
        if not isinstance(given, str) or spellings != [given, given]:
            return None
        declaration = grant.args.get(name, {})
        if not isinstance(declaration, dict) or not _SAME_FOR_ANY_TEXT.issuperset(declaration):
            return None
        found[name] = [matching_scope(grant.fs_scope, given), path_syntax_error(given)]
    return found


def decode_or_error(text: "TextOrError | Grant", grant_id: str) -> "Grant | GrantError":
    """Return the grant that a text is, or why it is none."""
    if not isinstance(text, bytes):
        return text
    try:
        return decode(text, grant_id)
    except GrantError as error:
        return error
