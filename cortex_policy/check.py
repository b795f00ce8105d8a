"""The room behind both doors: a Call becomes an Answer, whose exit code is fixed before anything is printed."""

import os
import time

from cortex_policy.core.arguments import declared_type
from cortex_policy.core.decode import MAX_BYTES, Malformed, decode_json
from cortex_policy.core.model import WAITING, CortexPolicyError, UsageError, Value
from cortex_policy.core.path_arguments import NO, YES, pathness
from cortex_policy.state.enforcement import Trail, admit
from cortex_policy.state.grants import read_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Never

    from cortex_policy.core.model import Decision, Grant, Settings

_DIGITS = frozenset("0123456789")
_MOST_DIGITS = 18  # no budget holds as much, and Python refuses to read the longest numbers
LONGEST_WAIT = 3600  # seconds
LONGEST_NAP = 1.0  # seconds; an edited grant, a freed budget or a human's answer is noticed within it


class Call(Value):
    """The words of one `check`, as both doors read them."""

    grant: str
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
    command: str = "check"  # or `explain`, which prints the same and consumes nothing


class Answer(Value):
    """How to leave: the exit code, and what to print."""

    exit_code: int
    out: str = ""
    err: str = ""


class Outcome(Value):
    """What came of a call: a decision, or the error that stood in its way; and what was known of it by then."""

    grant: "Grant | None"
    decision: "Decision | None"
    error: CortexPolicyError | None
    duration_us: int
    args: "dict[str, object] | None" = None
    settings: "Settings | None" = None


def _nap(decision: "Decision") -> float | None:
    """Return how long to wait before a call is decided again, None where waiting cures nothing."""
    if decision.retryable and decision.budget is not None:
        return decision.budget.retry_after_seconds or 0.0
    approval = decision.approval
    return LONGEST_NAP if approval is not None and approval.status == WAITING else None


class _Words(Value):
    """The arguments of a call before a grant gives them types."""

    given: "dict[str, object]"
    typed: "dict[str, str]"


def number(word: str, value: str) -> float | int | None:
    """Return what an option's digits stand for, None where they are none or out of its range."""
    whole, _, fraction = value.partition(".")
    if not whole or not _DIGITS.issuperset(whole + fraction):
        return None
    if word == "--cost":
        return _cost(whole) if whole == value else None
    return float(value) if float(value) <= LONGEST_WAIT else None


def _cost(digits: str) -> int | None:
    """Return the cost that digits stand for, None for zero; one that is above every budget need not be exact."""
    digits = digits.lstrip("0")
    if not digits:
        return None
    return int(digits) if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS


def answer(call: Call) -> Answer:
    """Decide a call and word the answer."""
    began = time.perf_counter_ns()
    grant, decision, error, args, settings = _decided(call)
    code = error.exit_code if error is not None else decision.reason.exit_code if decision is not None else 70
    if call.quiet or (code == 0 and not (call.json or call.explain or os.isatty(1))):
        return Answer(code)
    from cortex_policy.render import worded  # noqa: PLC0415 - a silent allow need not load it

    outcome = Outcome(grant, decision, error, (time.perf_counter_ns() - began) // 1000, args, settings)
    if call.explain:
        from cortex_policy.explanation import worded  # noqa: PLC0415 - few ask for it
    out, err = worded(call, outcome)
    return Answer(code, out, err)


def _decided(
    call: Call,
) -> "tuple[Grant | None, Decision | None, CortexPolicyError | None, dict[str, object] | None, Settings | None]":
    """Decide, and again after each sleep, as long as waiting can help: no lock is held meanwhile."""
    grant: Grant | None = None
    args: dict[str, object] | None = None
    settings: Settings | None = None
    try:
        words = _words(call)
        deadline = time.monotonic() + call.wait_seconds
        given = {**words.given, **words.typed}
        is_kept = call.command == "check"  # to explain is no answer to a caller
        with Trail(call.grant, call.action, given, call.cost, peek=call.peek, is_kept=is_kept) as trail:
            while True:
                grant, settings = admit(call.grant, call.root, require_path=call.require_path)
                args = {**words.given, **{name: _typed(grant, name, word) for name, word in words.typed.items()}}
                decision = trail.ask(grant, args, settings)
                left = deadline - time.monotonic() if call.wait_seconds else 0.0
                nap = _nap(decision)
                if nap is None or left <= 0:
                    break
                time.sleep(min(left, nap, LONGEST_NAP))
    except CortexPolicyError as error:
        return grant, None, error, args, settings
    return grant, decision, None, args, settings


def _words(call: Call) -> _Words:
    """Gather the arguments from `--path`, `--arg` and `--args`; raise UsageError for one that is named twice."""
    given: dict[str, object] = {}
    typed: dict[str, str] = {}
    taken = {"path"} if call.paths else set()
    if len(call.paths) == 1:
        given["path"] = call.paths[0]
    elif call.paths:
        _once("paths", taken)
        given["paths"] = list(call.paths)
    for word in call.arg_words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            message = f"`--arg {word}` is not of the form K=V"
            raise UsageError(message)
        _once(name, taken)
        typed[name] = value
    if call.args_json is not None:
        for name, member in _object(call.args_json).items():
            _once(name, taken)
            given[name] = member
    return _Words(given, typed)


def _once(name: str, taken: set[str]) -> None:
    if name in taken:
        message = f"argument `{name}` is given twice"
        raise UsageError(message)
    taken.add(name)


def _object(text: str) -> "dict[str, object]":
    try:
        data = read_all(0, MAX_BYTES + 1) if text == "-" else text.encode()
        value = decode_json(data)
    except (Malformed, UnicodeEncodeError, OSError) as error:
        why = "not UTF-8" if isinstance(error, UnicodeEncodeError) else error
        message = f"`--args` is not JSON: {why}"
        raise UsageError(message) from None
    if not isinstance(value, dict):
        message = "`--args` must be one JSON object"
        raise UsageError(message)
    return value


def _typed(grant: "Grant", name: str, word: str) -> object:
    """Give a word the type that the grant declares; undeclared, it is JSON if it parses as such, else a string."""
    sure, types = pathness(grant, name), declared_type(grant.args, name)
    if sure == YES or "string" in types:
        return word
    try:
        value: object = decode_json(word.encode())
    except (Malformed, UnicodeEncodeError) as error:
        if _is_loose_json(word):
            why = "not UTF-8" if isinstance(error, UnicodeEncodeError) else error
            message = f"`--arg {name}` is JSON to others, and not to us: {why}"
            raise UsageError(message, "mend it, or declare it a string in `args` of the grant") from None
        return word
    # INVARIANT: the caller opens a path as typed, so no reading of it may be judged in its place, or be absent
    is_path = sure != NO and not types and (value is None or isinstance(value, str))
    return word if is_path else value


def _is_loose_json(word: str) -> bool:
    """Whether another reader may find members, and so paths, in a word that is not JSON to us."""
    text = word.lstrip("\ufeff \t\n\r\v\f")
    if text[:1] not in ("{", "["):
        return False
    from json import loads  # noqa: PLC0415 - 8 ms, and only such a word needs it

    try:
        loads(text)
    except ValueError:
        return False
    except RecursionError:
        return True
    return True


def leave(result: Answer) -> "Never":
    """Print what can be printed and exit; no output, full, closed or broken, changes the code."""
    for descriptor, text in ((1, result.out), (2, result.err)):
        data = text.encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError:
            continue  # nobody is left to be told
    os._exit(result.exit_code)
