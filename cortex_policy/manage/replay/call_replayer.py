"""Decide past calls again, one after the other: each by the rules, and by the rate that they share."""

from marshal import dumps

from cortex_policy.core.audit_event import PATH_MEMBERS
from cortex_policy.core.decode import decode_grant
from cortex_policy.core.ecma_regex import MAX_SHARED_STEPS, SharedSteps
from cortex_policy.core.engine import find_matching_scope, find_path_syntax_problem_text_or_empty
from cortex_policy.core.model import GRANT_NOT_FOUND, Grant, GrantError, Reason, Settings
from cortex_policy.manage.replay.decision_without_rate import (
    UndecidedReason,
    UnknowableReason,
    find_denial_or_undecided_without_rate,
    has_full_args,
)
from cortex_policy.manage.replay.rate_replay import RateReplay
from cortex_policy.manage.replay.relevant_part_of_grant import GrantParts
from cortex_policy.state.ledger_ring import join_tool_and_action_by_colon

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from typing import Any

    from cortex_policy.manage.diff.git_revisions import TextOrError
    from cortex_policy.manage.replay.rate_replay import OnResult

    GrantsById = Mapping[str, TextOrError] | Mapping[str, Grant | GrantError]  # each grant by its id

_GRANT_NOT_FOUND = GrantError(GRANT_NOT_FOUND, "")
_PLAIN_PATH_MEMBERS = set(PATH_MEMBERS[:5])  # members of a path without an error
_SAME_FOR_ANY_TEXT = frozenset(("type", "format", "title", "description"))  # keywords that accept all strings, or none
TOO_SLOW = UnknowableReason(f"all calls up to this one need more than {MAX_SHARED_STEPS:,} steps to match patterns")
MAX_CACHED, _MAX_KEY_BYTES = 20_000, 2048  # answers in the cache, and bytes of a key


class CallReplayer:
    """Decides calls again, in the order of a log; calls `on_result` with each id and answer, somewhat later."""

    def __init__(
        self, grants: "GrantsById", settings: Settings, on_result: "OnResult", known_denials: "Container[Any]" = ()
    ) -> None:
        """Take the grants, the settings, and the function that gets each answer."""
        self._grants, self._settings, self._on_result = grants, settings, on_result
        self._windows = RateReplay(on_result, known_denials)
        self._loaded: dict[str, Grant | GrantError] = {}
        self._parts: dict[str, GrantParts] = {}
        self._known: dict[bytes, Reason | UndecidedReason | None] = {}
        self.steps: SharedSteps = SharedSteps()

    def add_call(
        self, at: float, data: "dict[str, Any]", call_id: object, answer: "Reason | UndecidedReason | None"
    ) -> None:
        """Add a call, with the answer of every rule but the rate."""
        windows = self._windows
        windows.answer_due_calls(at)
        if isinstance(answer, Reason):
            self._on_result(call_id, answer)
            return
        grant = self.load_grant_or_error(data["grant"])
        if isinstance(grant, Grant):
            key = join_tool_and_action_by_colon(grant.tool, data["action"])
            if answer is None:
                windows.add_call(at, key, grant.rate.per_minute, data, call_id)
                return
            windows.add_possible_call(at, key, data)
        if answer is not None:
            self._on_result(call_id, answer)

    def answer_all_waiting(self) -> None:
        """Answer what is still open at the end of a log."""
        self._windows.answer_all_waiting()

    def load_grant_or_error(self, grant_id: str) -> "Grant | GrantError":
        """Return a grant, decoded once, or the error of loading it."""
        loaded = self._loaded.get(grant_id)
        if loaded is None:
            text = self._grants.get(grant_id)
            if text is None:
                return _GRANT_NOT_FOUND  # never cached: a log may name any number of grants
            loaded = self._loaded[grant_id] = _decode_grant_or_error(text, grant_id)
        return loaded

    def relevant_part(self, data: "dict[str, Any]", grant: Grant) -> Grant:
        """Return the part of a grant that matters to a call."""
        name = data["grant"]
        if name not in self._parts:
            self._parts[name] = GrantParts(grant)
        return self._parts[name].relevant_part(data)

    def decide_without_rate(self, data: "dict[str, Any]") -> "Reason | UndecidedReason | None":
        """Decide a call by every rule but the rate; equal calls are answered from the cache."""
        key = make_decision_key_or_none(data)
        if key is None:
            return self._decide_within_steps(self._relevant_grant(data), data)
        if key not in self._known:
            self._cache_answer(key, self._decide_like_others(data))
        return self._known[key]

    def _decide_like_others(self, data: "dict[str, Any]") -> "Reason | UndecidedReason | None":
        """Decide a call; calls whose paths the grant treats alike are answered from the cache."""
        grant = self._relevant_grant(data)
        plain = _answers_by_path(grant, data) if isinstance(grant, Grant) and "paths" in data else None
        key = make_decision_key_or_none(data, plain) if plain is not None else None
        if key is None:
            return self._decide_within_steps(grant, data)
        if key not in self._known:
            self._cache_answer(key, self._decide_within_steps(grant, data))
        return self._known[key]

    def _decide_within_steps(
        self, grant: "Grant | GrantError", data: "dict[str, Any]"
    ) -> "Reason | UndecidedReason | None":
        with self.steps as steps:
            before = steps.skipped_searches
            answer = find_denial_or_undecided_without_rate(grant, data, self._settings)
            return answer if steps.skipped_searches == before else TOO_SLOW

    def _relevant_grant(self, data: "dict[str, Any]") -> "Grant | GrantError":
        grant = self.load_grant_or_error(data["grant"])
        return self.relevant_part(data, grant) if isinstance(grant, Grant) else grant

    def _cache_answer(self, key: bytes, answer: "Reason | UndecidedReason | None") -> None:
        if len(self._known) >= MAX_CACHED:
            self._known.clear()
        self._known[key] = answer


def make_decision_key_or_none(data: "dict[str, Any]", plain: "dict[str, Any] | None" = None) -> bytes | None:
    """Return a key that is equal for calls that every rule but the rate answers alike; None if it would be too long.

    `plain` replaces paths by what their answers depend on.
    """
    # INVARIANT: the key holds all that an answer depends on; marshal version 2 writes equal values as equal bytes
    if plain is not None:
        arguments: Any = data["args"] | plain, None, None
    else:
        arguments = (data["args"], data.get("paths")) if has_full_args(data) else list(data["args"])
    try:
        key = dumps((data["grant"], data["action"], data["reason"].exit_code, arguments), 2)
    except ValueError:  # nested deeper than marshal allows
        return None
    return key if len(key) <= _MAX_KEY_BYTES else None


def _answers_by_path(grant: Grant, data: "dict[str, Any]") -> "dict[str, Any] | None":
    """Return for each path of a call what its answer depends on; None if that is the path itself.

    It is less if the path has one spelling, is the whole argument, and its declaration checks only the type.
    """
    answers: dict[str, Any] = {}
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
        answers[name] = [find_matching_scope(grant.fs_scope, given), find_path_syntax_problem_text_or_empty(given)]
    return answers


def _decode_grant_or_error(text: "TextOrError | Grant", grant_id: str) -> "Grant | GrantError":
    """Return the grant that a text decodes to, or the error."""
    if not isinstance(text, bytes):
        return text
    try:
        return decode_grant(text, grant_id)
    except GrantError as error:
        return error
