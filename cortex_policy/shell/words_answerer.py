"""Answer the words of a `check` as the program would: the exit code, and what it prints."""

from cortex_policy.batch.decider import BatchDecider
from cortex_policy.check import Call, CallOutcome, decide_outcome_with_wait
from cortex_policy.core.model import CortexPolicyError, Settings
from cortex_policy.library.root_path_lookup import UnresolvedRoot
from cortex_policy.render import RenderedCall, render_outcome_even_if_silent, render_outcome_unless_silent
from cortex_policy.state.enforcement import check_host_stop
from cortex_policy.state.grants import check_grant_id, find_named_or_only_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from cortex_policy.core.model import Decision, Grant
    from cortex_policy.library.grant_cache import CachedGrant

    ParseWords = Callable[[list[str], str], Call | None]

_MAX_ROOTS = 8  # that are kept ready
_STDIN = "-"
_COMMANDS = ("check", "enforce")
_PLAIN_WORDS = 5
_SPECIAL = ("", "-")  # what other words begin with
_ALLOWED = RenderedCall(0)


class WordsAnswerer:
    """Answers the checks of one shell, with its grants kept in memory."""

    def __init__(self, parse_words: "ParseWords") -> None:
        """Take what parses the words after `check`."""
        self._parse_words = parse_words
        self._deciders: dict[tuple[str, bool], BatchDecider] = {}
        self._here: BatchDecider | None = None  # of the root above the working directory

    def forget(self) -> None:
        """Read everything again, since the environment has changed."""
        self._deciders.clear()
        self._here = None

    def answer(self, words: list[str], *, is_terminal: bool, is_same_place: bool = False) -> RenderedCall | None:
        """Return the answer to a command line, None if the program must answer it: nothing was counted then.

        `is_same_place`: the working directory and the roots above it have not changed since the last answer.
        """
        if not is_same_place:
            self._here = None
        if words[0] not in _COMMANDS:  # the shell may compare without case
            return None
        plain = None if is_terminal else self._answer_plain(words)
        if plain is not None:
            return plain
        call = self._parse_words(words[1:], words[0])
        if call is None or call.wait_seconds or call.explain or call.args_json == _STDIN:
            return None
        is_read = is_terminal and not call.quiet
        outcome = None if is_read else self._decide_ordinary(call)
        if outcome is None:
            outcome = decide_outcome_with_wait(call, load=self._load_for_call)
        return render_outcome_even_if_silent(outcome) if is_read else render_outcome_unless_silent(outcome)

    def _answer_plain(self, words: list[str]) -> RenderedCall | None:
        """Answer the most usual words, `check GRANT ACTION --path PATH`; None for others, and as `_decide_ordinary`."""
        if len(words) != _PLAIN_WORDS:
            return None
        command, grant, action, option, path = words
        if option != "--path" or grant[:1] in _SPECIAL or action[:1] in _SPECIAL or path[:1] in _SPECIAL:
            return None
        taken = self._try_decide(None, grant, action, {"path": path})
        if taken is None:
            return None
        if taken[1]:
            return _ALLOWED
        call = Call(grant, action, (path,), command=command)
        return render_outcome_unless_silent(CallOutcome(call, taken[0].grant, taken[1], None, 0))

    def _decide_ordinary(self, call: "Call") -> CallOutcome | None:
        """Decide and count a call that needs nothing but its rate; None if it must be decided in full, uncounted."""
        if call.json or call.peek or call.require_path or call.cost != 1 or call.args_json or call.arg_words:
            return None
        args = {"path": call.paths[0]} if len(call.paths) == 1 else {"paths": list(call.paths)} if call.paths else {}
        taken = self._try_decide(call.root, call.grant_id, call.action, args)
        return None if taken is None else CallOutcome(call, taken[0].grant, taken[1], None, 0)

    def _try_decide(
        self, root: str | None, grant: str, action: str, args: "dict[str, Any]"
    ) -> "tuple[CachedGrant, Decision] | None":
        try:
            return self._decider_for_root(root).try_decide_call_without_usage(grant, action, args)
        except CortexPolicyError:  # the full decision says why
            return None

    def _load_for_call(self, call: "Call") -> "tuple[Grant, Settings]":
        check_grant_id(call.grant_id)
        check_host_stop()
        grant, settings = self._decider_for_root(call.root).load_grant_for_call(call.grant_id)
        if call.require_path:
            settings = Settings(**{**vars(settings), "require_path": True})
        return grant, settings

    def _decider_for_root(self, named: str | None) -> BatchDecider:
        """Find the root of a call as it is at this moment, and return what decides there."""
        if named is None and self._here is not None:
            return self._here
        found = find_named_or_only_root(named)
        decider = self._deciders.get((found.path, found.is_explicit))
        if decider is None:
            if len(self._deciders) >= _MAX_ROOTS:
                self._deciders.clear()
            decider = BatchDecider(UnresolvedRoot(found.path, is_explicit=found.is_explicit))
            self._deciders[found.path, found.is_explicit] = decider
        if not found.is_explicit:
            self._here = decider
        return decider
