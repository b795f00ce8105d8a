"""Decide the call of a tool that an agent has sent: by the rules of hooks.toml, then by each grant (docs/hooks.md)."""

import os

from cortex_policy.core.decode import MalformedError, decode_json
from cortex_policy.core.engine import first_denial
from cortex_policy.core.hooks import PayloadError
from cortex_policy.core.hooks.payload import MAX_BYTES, agent_of, read_tool_call
from cortex_policy.core.hooks.questions import rule_on
from cortex_policy.core.json_text import canonical_json
from cortex_policy.core.model import (
    ALLOWED,
    GRANT_INVALID,
    GRANT_NOT_FOUND,
    PATH_OUTSIDE_SCOPE,
    RATE_LIMITED,
    CortexPolicyError,
    Decision,
    GrantError,
    Request,
    Settings,
)
from cortex_policy.core.path_arguments import path_arguments
from cortex_policy.state import home_directory, sha256
from cortex_policy.state.deliveries import Delivery
from cortex_policy.state.enforcement import AuditedCall, check_host_stop, decide_and_consume, load_for_call_in_root
from cortex_policy.state.grants import find_root
from cortex_policy.state.hooks_file import load_hook_rules
from cortex_policy.state.ledger import Ledger
from cortex_policy.state.paths import UnresolvablePathError, protected_paths, resolve_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cortex_policy.core.hooks.payload import ToolCall
    from cortex_policy.core.hooks.questions import GrantQuestion
    from cortex_policy.core.hooks.rules import HookRules
    from cortex_policy.core.model import Grant
    from cortex_policy.hook_words import HookWords
    from cortex_policy.state import Root


def decide_payload(words: "HookWords", data: bytes, tell_agent: "Callable[[str], object]") -> str:
    """Return why a call is denied, in words for a model; '' if the policy has no objection.

    `tell_agent` gets the agent that the payload is of, '' for none.
    """
    try:
        document = decode_json(data, MAX_BYTES, allow_surrogates=True)
        tell_agent(agent_of(document, words.agent))
        call = read_tool_call(document, words.agent)
    except MalformedError as error:
        return f"denied: what the agent sent is not JSON as the policy reads it: {error}"
    except PayloadError as error:
        return f"denied: the agent sent what the policy cannot read: {error}"
    try:
        return _decide_call(words, call)
    except CortexPolicyError as error:
        from cortex_policy.core.hooks.reasons import error_reason  # noqa: PLC0415 - only a denial needs it

        return error_reason(error)


def _decide_call(words: "HookWords", call: "ToolCall") -> str:
    check_host_stop()
    root = find_root(words.root)
    try:
        rules = load_hook_rules(root)
    except GrantError as error:
        return _rules_error_reason(call, error)
    home = home_directory()
    ruling = rule_on(call, rules, home)
    denial = ruling.denial or _guard_denial(ruling.paths, call, rules, home)
    if denial or not ruling.questions:
        return denial
    try:
        os.chdir(call.cwd)  # relative paths of the call, and the audit log, start there
    except OSError as error:
        return f"the working directory of the call cannot be entered: {os.strerror(error.errno or 0).lower()}"
    return _GrantQuestions(root, call, words.tag, ruling.questions).first_denial()


def _rules_error_reason(call: "ToolCall", error: GrantError) -> str:
    from cortex_policy.core.hooks.reasons import error_reason  # noqa: PLC0415 - only a denial needs these
    from cortex_policy.core.hooks.ruling_reason import ruling_reason  # noqa: PLC0415

    whys = {GRANT_NOT_FOUND: "do not exist", GRANT_INVALID: "are not valid"}
    why = whys.get(error.reason)
    if why is None:
        return error_reason(error)
    return ruling_reason(call.tool, f"the rules for the tools of agents {why}", is_final=True)


def _guard_denial(paths: tuple[str, ...], call: "ToolCall", rules: "HookRules", home: str) -> str:
    """Return why one of these paths may not be touched once its links are followed, '' if all may."""
    if not paths:
        return ""
    from cortex_policy.core.hooks.guarded_files import guard_denial  # noqa: PLC0415 - only if the call names a path
    from cortex_policy.state.final_paths import final_paths  # noqa: PLC0415 - as above

    for path in paths:
        try:
            denials = [guard_denial(end, call, rules, home) for end in final_paths(path)]
        except UnresolvablePathError as error:
            return f"`{path}` cannot be resolved: {error}"
        if why := next(filter(None, denials), ""):
            return why
    return ""


class _GrantQuestions:
    """What the grants are asked about one call: all must allow it, and one hit is taken."""

    def __init__(self, root: "Root", call: "ToolCall", tag: str, questions: "tuple[GrantQuestion, ...]") -> None:
        self._root, self._call = root, call
        text = canonical_json([call.session, call.call_id, call.tool, call.inputs])
        self._delivery = Delivery(sha256(text.encode("ascii")).digest(), tag)
        self._counted = next((question for question in questions if question.consumes), None)
        others = [question for question in questions if question is not self._counted]
        # INVARIANT: the hit comes last, so that none is taken for a call that another grant denies
        self._questions = others if self._counted is None else [*others, self._counted]

    def first_denial(self) -> str:
        """Ask until one denies, and return why; '' if all allow."""
        return next(filter(None, map(self._ask, self._questions)), "")

    def _ask(self, question: "GrantQuestion") -> str:
        is_peek = question is not self._counted
        with AuditedCall(question.grant, question.action, question.args, 1, peek=is_peek) as audited:
            grant, settings = load_for_call_in_root(self._root, question.grant)
            if grant.fs_scope and not question.no_path:
                settings = Settings(**{**vars(settings), "require_path": True})
            audited.begin(grant, _with_path_values(grant, question), settings)
            audited.decision = self._decide(question, grant, audited)
        if audited.decision:
            return ""
        from cortex_policy.core.hooks.reasons import decision_reason  # noqa: PLC0415 - only a denial needs it

        return decision_reason(question, grant, audited.decision)

    def _decide(self, question: "GrantQuestion", grant: "Grant", audited: AuditedCall) -> Decision:
        denial = self._path_denial(question, grant, audited.args, audited.settings)
        if denial is not None:
            return denial
        decision = decide_and_consume(
            grant, question.action, audited.args, peek=audited.peek, settings=audited.settings,
            budgets=None if audited.peek else self._ledger(grant, audited.settings),
        )  # fmt: skip
        if audited.peek and decision.reason is RATE_LIMITED and self._is_repeat():
            return Decision(ALLOWED, "", (), decision.budget, decision.paths)  # its own hit may fill this budget
        return decision

    def _ledger(self, grant: "Grant", settings: Settings) -> Ledger:
        if grant.origin is None:
            message = "a grant of a root has an origin"
            raise RuntimeError(message)
        return Ledger(grant.origin.root_identity, settings.state_dir or "", self._delivery)

    def _is_repeat(self) -> bool:
        """Whether the hit of this call was taken at an earlier delivery."""
        if self._counted is None:
            return False
        grant, settings = load_for_call_in_root(self._root, self._counted.grant)
        return self._ledger(grant, settings).peek(grant.tool, self._counted.action, grant.rate.per_minute).repeat

    def _path_denial(
        self, question: "GrantQuestion", grant: "Grant", args: "Mapping[str, object]", settings: Settings
    ) -> Decision | None:
        """Deny paths outside of the root, and those that are denied from another directory of the call."""
        directories = dict.fromkeys([self._call.cwd, *question.directories])
        if grant.origin is None or (len(directories) == 1 and not question.within_root):
            return None
        for directory in directories:
            paths = resolve_paths(grant, grant.origin, args, protected_paths(grant.origin, settings), directory)
            request = Request(question.action, args, paths, approved=True)
            if question.within_root and (given := _path_outside_root(grant, request)) is not None:
                return Decision(
                    PATH_OUTSIDE_SCOPE,
                    f"{given} lies outside of the project, or leads out of it",
                    paths=tuple((path, None) for path in paths),
                )
            denial = first_denial(grant, request, settings) if directory != self._call.cwd else None
            if denial is not None:
                return denial
        return None


def _path_outside_root(grant: "Grant", request: Request) -> str | None:
    """Return the first path that is not below the root, as text and resolved; None if all are."""
    path_by_key = {(path.argument, path.given): path for path in request.paths}
    for argument, given, is_path in path_arguments(grant, request.args):
        path = path_by_key.get((argument, given)) if given is not None else None
        if is_path and (path is None or path.normalized is None or path.resolved_inside is None):
            return f"argument `{argument}`" if given is None else f"`{given}`"
    return None


def _with_path_values(grant: "Grant", question: "GrantQuestion") -> "dict[str, object]":
    """Return the arguments with the other paths of the call, under a name that makes them paths for every grant."""
    if not question.path_values:
        return question.args
    name = "paths"  # INVARIANT: a name that the path rule knows with underscores too, and that the grant exempts not
    while name in question.args or name in grant.args:
        name = f"_{name}"
    return {**question.args, name: [path for _, path in question.path_values]}
