"""Decide the calls of an MCP server's tools, by the rules of hooks.toml and the grants (docs/mcp.md)."""

import os
from time import perf_counter_ns

from cortex_policy.check import Call, CallOutcome
from cortex_policy.core import Value
from cortex_policy.core.decode import DECIDED_BY_RULES
from cortex_policy.core.hooks import MAX_NAME_LENGTH, InputError
from cortex_policy.core.hooks.denial_outputs import escape_reason_for_model
from cortex_policy.core.hooks.grant_denial import format_error_denial
from cortex_policy.core.hooks.payload import ToolCall
from cortex_policy.core.hooks.ruling import ToolOutcome
from cortex_policy.core.hooks.ruling_denial import format_rules_denial
from cortex_policy.core.model import ACTION_NOT_ALLOWED, ALLOWED, CortexPolicyError, Decision, UsageError
from cortex_policy.core.text import escape_message_to_one_line, escape_unprintable
from cortex_policy.hook_decision import decide_tool_call
from cortex_policy.mcp.arguments import copy_arguments, escape_surrogates_in_members
from cortex_policy.mcp.hidden_tools import find_hidden_tools
from cortex_policy.mcp.non_json_texts_in_schema import UNKNOWN_TEXTS, TextArguments
from cortex_policy.render import outcome_to_json
from cortex_policy.state import read_working_directory_or_none
from cortex_policy.state.enforcement import AuditedCall, load_effective_settings
from cortex_policy.state.grants import find_named_or_only_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import TypeGuard

_HEX = frozenset("0123456789abcdefABCDEF")


class ToolDecision(Value):
    """Whether a tool may run.

    `text` says why not, in words for a model, and is '' if it may. `members` are those of `check --json`, and `rule`,
    the number of the rule that decided, None where none did. `arguments` are those that were decided: the tool gets
    these objects, and no others.
    """

    allowed: bool
    text: str
    members: "dict[str, object]"
    arguments: "dict[str, object]"


class ToolGuard:
    """Decides the calls of one server's tools; for any thread, and for many at once.

    Paths start at the working directory that the process has when the guard is made.
    """

    def __init__(self, server: str, root: str = "") -> None:
        """Take the name that rules have for the server, and the root; '' finds it as `check` does.

        Raises UsageError for a name that no rule can have, and GrantError if there is no root.
        """
        if not _is_name(server):
            raise UsageError(f"`{server}` cannot be the name of a server: it is empty, too long or holds a `/`")
        directory = read_working_directory_or_none()
        if directory is None:
            raise UsageError("the working directory of the server is gone")
        self.server = server
        self._root, self._directory = find_named_or_only_root(root or None).path, directory

    def decide(
        self, tool: str, arguments: "Mapping[str, object]", texts: TextArguments = UNKNOWN_TEXTS
    ) -> ToolDecision:
        """Decide the call of a tool, and take its hits. Nothing that fails allows it.

        `texts` says which texts in the arguments the tool may read as JSON.
        """
        start = perf_counter_ns()
        try:
            given = copy_arguments(arguments)
            outcome = self._decide(tool, given, texts)
            return _to_tool_decision(f"{self.server}/{tool}", given, outcome, (perf_counter_ns() - start) // 1000)
        except InputError as error:
            return self.deny(tool, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the tool must not run
            return make_failure_decision(error)

    def hidden_tools(self, names: "Iterable[str]") -> frozenset[str]:
        """Return which of these tools are never allowed, whatever their arguments; all if that cannot be found out."""
        tools = frozenset(names)
        readable = {tool: self._tool_call(tool, {}) for tool in tools if _is_tool_name(tool)}
        try:
            return tools - readable.keys() | find_hidden_tools(self._root, readable)
        except Exception:  # noqa: BLE001 - what cannot be decided is not offered
            return tools

    def _decide(self, tool: str, arguments: "dict[str, object]", texts: TextArguments) -> ToolOutcome:
        if not _is_tool_name(tool):
            raise InputError("no rule can have this as the name of a tool", is_final=True)
        # INVARIANT: no tag, so no delivery: whatever a client sends twice is two calls
        return decide_tool_call(self._tool_call(tool, arguments, texts), self._root, None, _check_directory)

    def _tool_call(self, tool: str, arguments: "dict[str, object]", texts: TextArguments = UNKNOWN_TEXTS) -> ToolCall:
        return ToolCall(
            agent="", session="", call_id="", tool=f"{self.server}/{tool}", mcp=((self.server, tool),),
            inputs=arguments, cwd=self._directory, subagent=None, timestamp="",
            plain_texts=texts.plain, has_nested_json=texts.has_nested_json,
        )  # fmt: skip

    def deny(self, tool: object, error: InputError) -> ToolDecision:
        """Deny a call that no rule is applied to, and write it to the audit log."""
        name = f"{self.server}/{escape_unprintable(str(tool)[:MAX_NAME_LENGTH])}"
        decision = Decision(ACTION_NOT_ALLOWED, str(error))
        try:
            with AuditedCall(DECIDED_BY_RULES, name, {}, 1, peek=False) as audited:
                audited.set_root_and_open_log(self._root, {}, load_effective_settings(self._root))
                audited.decision = decision
            text = format_rules_denial(name, str(error), is_final=error.is_final)
            return _to_tool_decision(name, {}, ToolOutcome(text, decision=decision), 0)
        except Exception as failure:  # noqa: BLE001 - as in `decide`
            return make_failure_decision(failure)


def make_failure_decision(error: Exception) -> ToolDecision:
    """Return the denial of a call that could not be decided."""
    if isinstance(error, CortexPolicyError):
        outcome = ToolOutcome(format_error_denial(error), error=error)
    else:
        what = type(error).__name__
        _log_failure(f"{what}: {error}")
        outcome = ToolOutcome(f"denied: the call could not be decided ({what}). Do not try again; tell the user.")
    return _to_tool_decision("", {}, outcome, 0)


def _log_failure(why: str) -> None:
    """Tell the operator of the server, without a place in the code: the client gets no details."""
    import logging  # noqa: PLC0415 - 5 ms, and only a bug or a lack of memory needs it

    logging.getLogger("cortex_policy.mcp").error(
        "brAInwav cortex-policy: the call of a tool could not be decided: %s", escape_message_to_one_line(why)
    )


def _to_tool_decision(
    name: str, arguments: "dict[str, object]", outcome: ToolOutcome, microseconds: int
) -> ToolDecision:
    check = outcome.check
    call = Call(DECIDED_BY_RULES, name, json=True) if check is None else Call(check.grant, check.action, json=True)
    answer = CallOutcome(call, outcome.grant, outcome.decision, outcome.error, microseconds)
    members = escape_surrogates_in_members(
        {**outcome_to_json(answer), "rule": check.rule if check is not None else None}
    )
    # INVARIANT: both must say so; a call without a decision is not allowed
    is_allowed = not outcome.text and outcome.decision is not None and outcome.decision.reason is ALLOWED
    text = "" if is_allowed else escape_reason_for_model(outcome.text)
    return ToolDecision(is_allowed, text, members, arguments)


def _is_tool_name(name: object) -> bool:
    """Whether a name stands for one tool, whatever the server is.

    Servers with fastmcp know some tools by a hash as well, for which a rule does not see what is called.
    """
    return _is_name(name) and name == name.strip() and not _is_hashed(name)


def _is_hashed(name: str) -> bool:
    """Whether a name is `__HASH_NAME`, as fastmcp has it."""
    return name.startswith("__") and name[14:15] == "_" and _HEX.issuperset(name[2:14])


def _is_name(name: object) -> "TypeGuard[str]":
    """Whether a rule can name this: a server or a tool."""
    return type(name) is str and 0 < len(name) <= MAX_NAME_LENGTH and "/" not in name and name.isprintable()


def _check_directory(path: str) -> str:
    """Return why relative paths cannot be judged from a directory: the process has left it."""
    return (
        ""
        if os.path.isdir(path) and read_working_directory_or_none() == path
        else "its server has left its working directory"
    )
