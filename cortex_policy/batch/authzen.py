"""AuthZEN 1.0 requests: an evaluation, or several with their three semantics (docs/requests.md#authzen).

A request is a question and consumes nothing, unless `context.consume` is true. The subject is required by the
standard, and decides nothing: a grant belongs to a tool, whoever calls.
"""

from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.core.model import GRANT_NOT_FOUND, UsageError
from cortex_policy.core.text import format_guess_hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    # grant, action, arguments, whether it is counted -> the members of `check --json`
    Ask = Callable[[str, str, dict[str, Any], bool], dict[str, Any]]
    AnswerCall = Callable[
        [str, str, dict[str, Any], bool], tuple[str, int]
    ]  # those as a line of JSON, and the exit code

RESOURCE_TYPE = "tool"
CONSUME = "consume"
EXECUTE_ALL = "execute_all"
STOP_AT = {"deny_on_first_deny": False, "permit_on_first_permit": True}  # the decision that ends the evaluations
_ACTION = ("action", "name")
_REQUIRED = (("subject", "type"), ("subject", "id"), ("resource", "type"), ("resource", "id"))
_BAD_REQUEST = 400


def answer_one_or_more_evaluations(document: object, ask: "Ask") -> "tuple[dict[str, Any], int]":
    """Return the answer to a request, and the first exit code that is not 0; raise UsageError if it is none.

    With `permit_on_first_permit` the code is 0 if one evaluation is permitted.
    """
    document = _checked_object(document)
    evaluations = document.get("evaluations", [])
    if not isinstance(evaluations, list):
        raise UsageError("`evaluations` must be an array")
    if not evaluations:  # as the standard says: the same as one evaluation
        return _evaluate_request(document, ask)
    stop_at = _decision_to_stop_at(document)
    answers: list[dict[str, Any]] = []
    codes: list[int] = []
    for one in evaluations:
        answer, code = _evaluate_item(document, one, ask)
        answers.append(answer)
        codes.append(code)
        if answer["decision"] is stop_at:
            break
    is_permitted = stop_at is True and codes[-1] == 0
    return {"evaluations": answers}, 0 if is_permitted else next(filter(None, codes), 0)


def answer_evaluation_as_json(document: object, answer_call: "AnswerCall") -> tuple[str, int]:
    """Return the answer to one evaluation as JSON, and its exit code; raise UsageError if the request is none."""
    request = _checked_object(document)
    call = _call_of(request)
    if call is None:
        answer, code = _other_resource(request)
        return format_ascii_json(answer), code
    line, code = answer_call(*call)
    decision, _, members = line.rstrip("\n").partition(", ")
    return f'{decision}, "context": {{{members}}}', code


def answer_action_search(
    document: object, list_actions: "Callable[[str], tuple[str, ...]]", ask: "Ask"
) -> "dict[str, Any]":
    """Return the actions of a grant that would be allowed with the same context; raise UsageError for no request.

    `list_actions` returns the actions of a grant, none if it cannot be loaded. A search consumes nothing.
    """
    request = _checked_object(document)
    for part, member in _REQUIRED:
        _check_text_member(request, part, member)
    args, _ = _arguments(request)
    resource = request["resource"]
    actions = list_actions(resource["id"]) if resource["type"] == RESOURCE_TYPE else ()
    allowed = [{"name": name} for name in actions if ask(resource["id"], name, dict(args), False)["decision"]]  # noqa: FBT003 - see `Ask`
    return {"results": allowed, "page": {"next_token": ""}}


def make_error_answer(error: UsageError) -> "tuple[dict[str, Any], int]":
    """Return the answer to what is not a request."""
    status = {"status": _BAD_REQUEST, "message": f"{error.detail}; {error.hint}" if error.hint else error.detail}
    return {"decision": False, "context": {"error": status}}, error.exit_code


def _decision_to_stop_at(document: "dict[str, Any]") -> bool | None:
    options = document.get("options", {})
    word = options.get("evaluations_semantic", EXECUTE_ALL) if isinstance(options, dict) else options
    if word != EXECUTE_ALL and not (isinstance(word, str) and word in STOP_AT):
        from cortex_policy.core.closest_match import find_closest_word  # noqa: PLC0415 - only a wrong request needs it

        known = (EXECUTE_ALL, *STOP_AT)
        guess = find_closest_word(word, known) if isinstance(word, str) else ""
        raise UsageError(f"`options.evaluations_semantic` must be one of {', '.join(known)}", format_guess_hint(guess))
    return STOP_AT.get(word)


def _evaluate_item(document: "dict[str, Any]", one: object, ask: "Ask") -> "tuple[dict[str, Any], int]":
    """Evaluate one item, whose members replace those of the whole request; an error is its own answer."""
    try:
        return _evaluate_request(document | one if isinstance(one, dict) else None, ask)
    except UsageError as error:
        return make_error_answer(error)


def _evaluate_request(request: "dict[str, Any] | None", ask: "Ask") -> "tuple[dict[str, Any], int]":
    if request is None:
        raise UsageError("an evaluation is not a JSON object")
    call = _call_of(request)
    if call is None:
        return _other_resource(request)
    members = ask(*call)
    decision = members.pop("decision")
    return {"decision": decision, "context": members}, members["exit_code"]


def _call_of(request: "dict[str, Any]") -> "tuple[str, str, dict[str, Any], bool] | None":
    """Return what a request asks, None if its resource is of a type that has no grants; raise UsageError."""
    for part, member in (*_REQUIRED, _ACTION):
        _check_text_member(request, part, member)
    args, is_counted = _arguments(request)
    resource = request["resource"]
    return (resource["id"], request["action"]["name"], args, is_counted) if resource["type"] == RESOURCE_TYPE else None


def _other_resource(request: "dict[str, Any]") -> "tuple[dict[str, Any], int]":
    message = f"resources are of the type `{RESOURCE_TYPE}`, not `{request['resource']['type']}`"
    reason, code = str(GRANT_NOT_FOUND), GRANT_NOT_FOUND.exit_code
    return {"decision": False, "context": {"reason": reason, "message": message, "exit_code": code}}, code


def _checked_object(document: object) -> "dict[str, Any]":
    if not isinstance(document, dict):
        raise UsageError("the request is not a JSON object")
    return document


def _arguments(request: "dict[str, Any]") -> "tuple[dict[str, Any], bool]":
    """Return the arguments of the call, and whether it is counted."""
    args = request.get("context", {})
    if not isinstance(args, dict):
        raise UsageError("`context` must be an object")
    for name in (*request, *(name for name in args if name != CONSUME)):
        if name.strip().casefold() == CONSUME:
            # INVARIANT: a call that its client wants to be counted is counted, or not allowed
            raise UsageError(f"`{name}` has no effect here", f"write `{CONSUME}`, and put it into `context`")
    is_counted = args.get(CONSUME, False)
    if not isinstance(is_counted, bool):
        raise UsageError(f"`context.{CONSUME}` must be true or false")
    return {name: value for name, value in args.items() if name != CONSUME}, is_counted


def _check_text_member(request: "dict[str, Any]", part: str, member: str) -> None:
    entity = request.get(part)
    if entity is None or (isinstance(entity, dict) and member not in entity):
        raise UsageError(f"`{part if entity is None else f'{part}.{member}'}` is missing")
    if not isinstance(entity, dict) or not isinstance(entity[member], str):
        where, kind = (f"{part}.{member}", "a string") if isinstance(entity, dict) else (part, "an object")
        raise UsageError(f"`{where}` must be {kind}")
