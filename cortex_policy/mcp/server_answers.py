"""The answers of `mcp serve`: those of `check --peek`, `list` and `explain`, as members and as a text for the model.

Nothing is counted, no approval is used, and nothing is kept from one question to the next.
"""

import os
from contextlib import suppress

from cortex_policy.check import Call, CallOutcome, decide_outcome_with_wait
from cortex_policy.core import Value
from cortex_policy.core.approvals import escape_surrogates
from cortex_policy.core.decode import MAX_BYTES, MalformedError, decode_json, to_whole_number
from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.core.model import CortexPolicyError, UsageError
from cortex_policy.core.text import elide_middle, escape_message_to_one_line, format_count_with_noun
from cortex_policy.manage.explain import CallExplanation, explain_outcome
from cortex_policy.manage.global_denials import find_global_denials
from cortex_policy.manage.listing import grant_list_to_json, read_all_grant_rows
from cortex_policy.mcp.server_files import format_grant_description
from cortex_policy.mcp.server_tool_descriptions import EXPLAIN, LIST, check_tool_input
from cortex_policy.render import format_outcome_json_line, render_outcome_even_if_silent
from cortex_policy.render_explanation import format_explanation, format_explanation_json_line
from cortex_policy.state.enforcement import check_host_stop, load_grant_without_host_stop_check
from cortex_policy.state.grants import check_grant_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cortex_policy.core.model import Grant, Settings
    from cortex_policy.library.root_path_lookup import UnresolvedRoot
    from cortex_policy.manage.global_denials import GlobalDenials
    from cortex_policy.manage.listing import GrantRow

_MAX_COST = 10**18  # above every budget; a larger cost need not be exact
_MAX_ANSWER_BYTES = 1 << 26  # of our own: arguments come back escaped, and as paths
_MAX_ROWS = 200  # grants in the text; the members have all
_MAX_ROW_BYTES = 400


class ToolAnswer(Value):
    """What a tool returns. `members` is None if the input was wrong, or nothing can be listed."""

    text: str
    members: "dict[str, Any] | None"
    is_error: bool = False


def answer_tool_call(name: "UnresolvedRoot", tool: str, given: "dict[str, Any]") -> ToolAnswer:
    """Answer one question to the grants of a root; an error is an answer, too."""
    try:
        check_tool_input(tool, given)
        if tool == LIST:
            return _list_grants(name)
        call = _call_of(name, tool, given)
    except CortexPolicyError as error:
        return make_error_tool_answer(error)
    with suppress(OSError):  # without a root, the decision says so
        os.chdir(name.path)  # relative paths of calls start there, whichever directory has this name now
    outcome = decide_outcome_with_wait(call, load=lambda call: _load(name, call))
    if isinstance(outcome.error, UsageError):
        return make_error_tool_answer(outcome.error)
    return _explanation_answer(outcome) if tool == EXPLAIN else _check_answer(outcome)


def make_error_tool_answer(error: CortexPolicyError) -> ToolAnswer:
    """Return the answer to a question that is none, or that cannot be answered."""
    return ToolAnswer(format_error(error), None, is_error=True)


def format_error(error: CortexPolicyError) -> str:
    """Return an error and its hint for a model."""
    message = error.detail if isinstance(error, UsageError) else str(error)
    return "\n".join(
        [
            escape_message_to_one_line(message),
            *([escape_message_to_one_line(f"hint: {error.hint}")] if error.hint else []),
        ]
    )


def _call_of(name: "UnresolvedRoot", tool: str, given: "dict[str, Any]") -> Call:
    args = format_ascii_json(given.get("args", {}))
    try:
        decode_json(args.encode("ascii"), MAX_BYTES)
    except MalformedError as error:
        raise UsageError(f"`args` cannot be used: {error}", "leave out what the tool does not need") from None
    cost = min(to_whole_number(given.get("cost", 1)) or 1, _MAX_COST)
    root = name.path if name.is_explicit else None
    command = "explain" if tool == EXPLAIN else "check"
    return Call(given["grant"], given["action"], args_json=args, root=root, cost=cost, peek=True, command=command)


def _load(name: "UnresolvedRoot", call: Call) -> "tuple[Grant, Settings]":
    check_grant_id(call.grant_id)
    check_host_stop()
    return load_grant_without_host_stop_check(name.resolve(), call.grant_id)


def _check_answer(outcome: CallOutcome) -> ToolAnswer:
    rendered = render_outcome_even_if_silent(outcome)
    return ToolAnswer(
        _verdict_first(outcome, rendered.out or rendered.err), _decode_members(format_outcome_json_line(outcome))
    )


def _explanation_answer(outcome: CallOutcome) -> ToolAnswer:
    explained = explain_outcome(outcome)
    members = _decode_members(format_explanation_json_line(outcome, explained))
    # `run by you` would tell a model to change its own grant
    shown = CallExplanation(explained.explanation, explained.file, None, explained.note)
    return ToolAnswer(_verdict_first(outcome, format_explanation(outcome, shown)), members)


def _verdict_first(outcome: CallOutcome, text: str) -> str:
    """Return a text that begins with `allowed` or `denied`: where a client has no members, a program reads the text."""
    return text.rstrip("\n") if outcome.exit_code == 0 else f"denied: {text}".rstrip("\n")


def _list_grants(name: "UnresolvedRoot") -> ToolAnswer:
    root = name.resolve()
    denials, rows = find_global_denials(root), read_all_grant_rows(root)
    return ToolAnswer(_list_text(denials, rows), _decode_members(format_ascii_json(grant_list_to_json(denials, rows))))


def _list_text(denials: "GlobalDenials", rows: "tuple[GrantRow, ...]") -> str:
    lines = [*denials.sentences, *map(_row_text, rows[:_MAX_ROWS])]
    if len(rows) > _MAX_ROWS:
        lines.append(f"and {format_count_with_noun(len(rows) - _MAX_ROWS, 'grant')} more")
    if not rows:
        lines.append(f"there are no grants in {denials.root.tools_path}, so every call is denied")
    return "\n".join(map(escape_message_to_one_line, lines))


def _row_text(row: "GrantRow") -> str:
    grant = row.grant
    head = f"{row.id} ({row.state})"
    if grant is None or row.problem:
        return elide_middle(f"{head}: every call is denied: {row.problem}", _MAX_ROW_BYTES)
    return f"{head}: {format_grant_description(grant)}"


def _decode_members(line: str) -> "dict[str, Any]":
    members = decode_json(line.encode("ascii"), _MAX_ANSWER_BYTES, allow_surrogates=True)
    plain: dict[str, Any] = _without_surrogates(members)
    return plain


def _without_surrogates(value: "Any") -> "Any":
    """Return a value without lone surrogates, which names of files may hold and no message can carry."""
    if isinstance(value, str):
        return escape_surrogates(value)
    if isinstance(value, list):
        return [_without_surrogates(part) for part in value]
    if isinstance(value, dict):
        return {escape_surrogates(name): _without_surrogates(part) for name, part in value.items()}
    return value
