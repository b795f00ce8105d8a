"""Decide one `check` call; both doors (`main` and Typer) come here, and nothing is printed here."""

import os
import time

from cortex_policy.core import Value
from cortex_policy.core.arguments import find_declared_types
from cortex_policy.core.decode import MAX_BYTES, MalformedError, decode_json
from cortex_policy.core.model import WAITING, CortexPolicyError, UsageError
from cortex_policy.core.path_arguments import ALWAYS, NEVER, find_path_condition_of_argument
from cortex_policy.state import read_up_to
from cortex_policy.state.enforcement import AuditedCall, load_grant_and_settings_for_call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from cortex_policy.core.model import Decision, Grant, Settings

    class Notice(Protocol):
        """What tells people that a call waits."""

        def show(self, decision: Decision, seconds_left: float) -> None:
            """Show the decision so far, and how long the call still waits."""

        def end(self) -> None:
            """Remove what is shown."""


_DIGITS = frozenset("0123456789")
_MAX_DIGITS = 18  # above every budget; Python refuses to parse much longer numbers
MAX_WAIT_SECONDS = 3600
MAX_POLL_SECONDS = 1.0  # an edited grant, a freed budget or a human's answer is noticed within this time


class Call(Value):
    """The words of one `check`, as both doors read them."""

    grant_id: str
    action: str
    paths: tuple[str, ...] = ()
    arg_words: tuple[str, ...] = ()
    args_json: str | None = None
    root: str | None = None
    wait_seconds: float = 0.0
    cost: int = 1
    peek: bool = False
    require_path: bool = False
    explain: bool = False
    json: bool = False
    quiet: bool = False
    command: str = "check"  # the name the user typed: `check`, `enforce` or `explain`


class CallOutcome(Value):
    """The result of a call: its decision, or the error that prevented one, and what was loaded by then."""

    call: Call
    grant: "Grant | None"
    decision: "Decision | None"
    error: CortexPolicyError | None
    duration_us: int
    args: "Mapping[str, object] | None" = None
    settings: "Settings | None" = None

    @property
    def exit_code(self) -> int:
        """Return the exit code, which is fixed before anything is printed."""
        if self.error is not None:
            return self.error.exit_code
        return self.decision.reason.exit_code if self.decision is not None else 70

    @property
    def is_silent(self) -> bool:
        """Return whether nothing is printed: the call is quiet, or an allowance that no person or program reads."""
        call = self.call
        return call.quiet or (self.exit_code == 0 and not (call.json or call.explain or os.isatty(1)))


class _GivenArgs(Value):
    """The arguments of a call before its grant is known: those with a type, and the words of `--arg` without one."""

    typed: "dict[str, object]"
    words: "dict[str, str]"

    def as_given(self) -> "dict[str, object]":
        """Return all arguments, the words as they are."""
        return {**self.typed, **self.words}

    def with_types_of(self, grant: "Grant") -> "dict[str, object]":
        """Return all arguments, each word with the type that the grant declares; raise UsageError."""
        return {**self.typed, **{name: _coerce_word(grant, name, word) for name, word in self.words.items()}}


def parse_number_option_or_none(option: str, text: str) -> float | int | None:
    """Return the number an option's text stands for, None if it is not a plain number or out of range."""
    whole, _, fraction = text.partition(".")
    if not whole or not _DIGITS.issuperset(whole + fraction):
        return None
    if option == "--cost":
        return _parse_cost(whole) if whole == text else None
    return float(text) if float(text) <= MAX_WAIT_SECONDS else None


def _parse_cost(digits: str) -> int | None:
    """Return the cost, None for zero; a cost above every budget need not be exact."""
    digits = digits.lstrip("0")
    if not digits:
        return None
    return int(digits) if len(digits) <= _MAX_DIGITS else 10**_MAX_DIGITS


def _load_grant_and_settings(call: Call) -> "tuple[Grant, Settings]":
    """Load the grant and the settings of a call; raise CortexPolicyError."""
    return load_grant_and_settings_for_call(call.grant_id, call.root, require_path=call.require_path)


def decide_outcome_with_wait(
    call: Call,
    notice: "Notice | None" = None,
    load: "Callable[[Call], tuple[Grant, Settings]]" = _load_grant_and_settings,
) -> CallOutcome:
    """Decide a call; wait for budget or an approval as long as the call asks for, and show that."""
    start, is_recorded, error = time.perf_counter_ns(), call.command != "explain", None
    audited = AuditedCall(call.grant_id, call.action, {}, call.cost, peek=call.peek, is_recorded=is_recorded)
    try:
        with audited:
            _decide_until_settled(call, audited, notice, load)
    except CortexPolicyError as raised:
        error = raised
    if notice is not None:
        notice.end()
    return make_outcome_of_decided_call(call, audited, error, start)


def make_outcome_of_decided_call(
    call: Call, audited: AuditedCall, error: CortexPolicyError | None, start: int
) -> CallOutcome:
    """Return the result of a call that was decided, or failed; it began at `start` of `perf_counter_ns`."""
    decision = audited.decision if error is None else None  # it does not count if the log could not be written
    duration_us = (time.perf_counter_ns() - start) // 1000
    return CallOutcome(call, audited.grant, decision, error, duration_us, audited.args, audited.settings)


def _decide_until_settled(
    call: Call, audited: AuditedCall, notice: "Notice | None", load: "Callable[[Call], tuple[Grant, Settings]]"
) -> None:
    """Decide, and decide again after each sleep while waiting can help; no lock is held during a sleep."""
    given = _parse_args(call)
    audited.args = given.as_given()
    deadline = time.monotonic() + call.wait_seconds
    while True:
        audited.grant, settings = load(call)
        decision = audited.decide_and_log(audited.grant, given.with_types_of(audited.grant), settings)
        seconds_left = deadline - time.monotonic() if call.wait_seconds else 0.0
        delay = _seconds_until_retry(decision)
        if delay is None or seconds_left <= 0:
            return
        if notice is not None:
            notice.show(decision, seconds_left)
        time.sleep(min(seconds_left, delay, MAX_POLL_SECONDS))


def _seconds_until_retry(decision: "Decision") -> float | None:
    """Return the seconds until the call is decided again, None if waiting cannot help."""
    if decision.retryable and decision.budget is not None:
        return decision.budget.retry_after_seconds or 0.0
    approval = decision.approval
    return MAX_POLL_SECONDS if approval is not None and approval.status == WAITING else None


def _parse_args(call: Call) -> _GivenArgs:
    """Collect the arguments of `--path`, `--arg` and `--args`; raise UsageError if a name is given twice."""
    typed: dict[str, object] = {}
    words: dict[str, str] = {}
    names = {"path"} if call.paths else set()
    if len(call.paths) == 1:
        typed["path"] = call.paths[0]
    elif call.paths:
        _raise_if_duplicate("paths", names)
        typed["paths"] = list(call.paths)
    for word in call.arg_words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            message = f"`--arg {word}` is not of the form K=V"
            raise UsageError(message)
        _raise_if_duplicate(name, names)
        words[name] = value
    if call.args_json is not None:
        for name, member in _parse_json_object(call.args_json).items():
            _raise_if_duplicate(name, names)
            typed[name] = member
    return _GivenArgs(typed, words)


def _raise_if_duplicate(name: str, names: set[str]) -> None:
    if name in names:
        message = f"argument `{name}` is given twice"
        raise UsageError(message)
    names.add(name)


def _parse_json_object(text: str) -> "dict[str, object]":
    try:
        data = read_up_to(0, MAX_BYTES + 1) if text == "-" else text.encode()
        value = decode_json(data)
    except (MalformedError, UnicodeEncodeError, OSError) as error:
        why = "not UTF-8" if isinstance(error, UnicodeEncodeError) else error
        message = f"`--args` is not JSON: {why}"
        raise UsageError(message) from None
    if not isinstance(value, dict):
        message = "`--args` must be one JSON object"
        raise UsageError(message)
    return value


def _coerce_word(grant: "Grant", name: str, word: str) -> object:
    """Give a word the type its grant declares; without a declaration it is JSON if it parses as JSON, else a string."""
    condition, types = find_path_condition_of_argument(grant, name), find_declared_types(grant.args, name)
    if condition == ALWAYS or "string" in types:
        return word
    try:
        value: object = decode_json(word.encode())
    except (MalformedError, UnicodeEncodeError) as error:
        if _is_json_to_lax_parser(word):
            why = "not UTF-8" if isinstance(error, UnicodeEncodeError) else error
            message = f"the value of `--arg {name}` is not valid JSON, but some programs would read it as JSON: {why}"
            hint = f"correct the value; if it is a text, declare `{name}` as a string in `args` of the grant"
            raise UsageError(message, hint) from None
        return word
    # INVARIANT: the caller opens the path as typed, so the rules must check that text and no parsed form of it
    is_path = condition != NEVER and not types and (value is None or isinstance(value, str))
    return word if is_path else value


def _is_json_to_lax_parser(word: str) -> bool:
    """Return whether another JSON parser may find members, and so paths, in a word that ours rejects."""
    text = word.lstrip("\ufeff \t\n\r\v\f")
    if text[:1] not in ("{", "["):
        return False
    from json import loads  # noqa: PLC0415 - 8 ms, and only such a word needs it

    try:
        loads(text)
    except (ValueError, RecursionError) as error:
        return isinstance(error, RecursionError)
    return True
