"""What this program answers to a vector: the `expect` of each kind but `paths`, `load` and `rate`."""

from collections.abc import Callable
from typing import Any

from cortex_policy.check import _coerce_word
from cortex_policy.core import shorten_message
from cortex_policy.core.arguments import find_first_argument_violation_text
from cortex_policy.core.decode import decode_grant, is_grant_id
from cortex_policy.core.denial_hint import make_denial_hint
from cortex_policy.core.ecma_regex import PatternError, PatternLimitError, Regex
from cortex_policy.core.engine import decide, decide_rate, find_denial_before_rate
from cortex_policy.core.model import (
    Budget,
    Decision,
    Grant,
    GrantError,
    Rate,
    Request,
    ResolvedPath,
    Settings,
    UsageError,
)
from cortex_policy.core.path_arguments import find_path_arguments
from scripts.vectors.decode_errors import describe_error
from scripts.vectors.load_answers import answer_load
from scripts.vectors.path_answers import answer_paths
from scripts.vectors.rate_answers import answer_rate
from scripts.vectors.texts import Vector, canonical, document, document_bytes, expand_bytes, expand_text

_MAX_CANONICAL = 2_000  # characters of arguments that a vector holds


def answer(vector: Vector) -> Vector:
    """Return what this program answers to a vector."""
    return _ANSWERS[vector["kind"]](vector)


def _answer_decode(vector: Vector) -> Vector:
    data = expand_bytes(vector["bytes"])
    try:
        grant = decode_grant(data)
    except GrantError as error:
        return {"error": describe_error(error.detail, data)}
    args = canonical(grant.args)
    return {
        "grant": {
            "tool": grant.tool,
            "actions": list(grant.actions),
            "per_minute": str(grant.rate.per_minute),
            **({"args": args} if len(args) <= _MAX_CANONICAL else {}),
            "data_class": grant.data_class,
            "fs_scope": list(grant.fs_scope),
        }
    }


def _answer_ids(vector: Vector) -> Vector:
    return {"is_id": is_grant_id(expand_text(vector["word"]))}


def _answer_arguments(vector: Vector) -> Vector:
    declarations = document(vector, "declarations")
    grant = Grant("g", "t", (), Rate(1), declarations)
    args = document(vector, "args")
    words = vector.get("words")
    if words is None:
        return {"violation": shorten_message(find_first_argument_violation_text(declarations, args))}
    try:
        typed = {name: _coerce_word(grant, name, expand_text(word)) for name, word in words.items()}
    except UsageError:
        return {"usage": True}
    violation = find_first_argument_violation_text(declarations, {**args, **typed})
    return {"args": canonical(typed), "violation": shorten_message(violation)}


def _answer_patterns(vector: Vector) -> Vector:
    try:
        regex = Regex(expand_text(vector["pattern"]))
    except PatternError as error:
        return {"refused": str(error)}
    return {"matches": [_search(regex, expand_text(value)) for value in vector["values"]]}


def _search(regex: Regex, value: str) -> bool | str:
    try:
        return regex.search(value)
    except PatternLimitError as error:
        return str(error)


def _answer_path_arguments(vector: Vector) -> Vector:
    grant = Grant("g", "t", (), Rate(1), document(vector, "declarations"))
    return {"paths": [list(found) for found in find_path_arguments(grant, document(vector, "args"))]}


def request_of(vector: Vector) -> Request:
    """Return the request of a vector of the kind `decide`."""
    paths = tuple(ResolvedPath(**members) for members in vector.get("paths", ()))
    args = document(vector, "args")
    return Request(vector["action"], args, paths, vector.get("cost", 1), vector.get("approved", False))


def _answer_decide(vector: Vector) -> Vector:
    data = document_bytes(vector, "grant")
    try:
        grant = decode_grant(data, vector["grant_id"])
    except GrantError as error:
        message = {"message": error.message} if "message" in describe_error(error.detail, data) else {}
        return {"allowed": False, "reason": str(error.reason), "exit_code": error.exit_code, **message}
    decision = _decide(grant, vector)
    hint = "" if decision else shorten_message(make_denial_hint(grant, vector["action"], decision, None))
    return {
        "allowed": decision.allowed,
        "reason": str(decision.reason),
        "exit_code": decision.reason.exit_code,
        "message": decision.message,
        "hint": hint,
        "obligations": list(decision.obligations),
        "retryable": decision.retryable,
        "scopes": [scope for _, scope in decision.paths],
        "budget": _budget(decision.budget),
    }


def _decide(grant: Grant, vector: Vector) -> Decision:
    request, settings = request_of(vector), Settings(**vector.get("settings", {}))
    given = vector.get("budget")
    if given is None:
        return decide(grant, request, vector.get("hits", ()), vector.get("now", 0), settings)
    # never `denial or ...`: a denial is false
    denial = find_denial_before_rate(grant, request, settings)
    return decide_rate(grant, request, Budget(**given)) if denial is None else denial


def _budget(budget: Budget | None) -> Vector | None:
    if budget is None:
        return None
    return {name: getattr(budget, name) for name in ("limit", "used", "remaining", "retry_after_seconds", "consumed")}


_ANSWERS: dict[str, Callable[[Vector], dict[str, Any]]] = {
    "decode": _answer_decode,
    "ids": _answer_ids,
    "arguments": _answer_arguments,
    "patterns": _answer_patterns,
    "path_arguments": _answer_path_arguments,
    "paths": answer_paths,
    "decide": _answer_decide,
    "rate": answer_rate,
    "load": answer_load,
}
