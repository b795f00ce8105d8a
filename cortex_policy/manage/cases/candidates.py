"""The calls that first cases of a grant may have: each rule from both sides, with the decision to expect."""

from cortex_policy.core import Value
from cortex_policy.core.arguments import find_declaration_problem_text_or_empty
from cortex_policy.core.engine import strip_scope_slash_or_none
from cortex_policy.core.model import ACTION_NOT_ALLOWED, ALLOWED, ARGUMENT_NOT_ALLOWED, PATH_OUTSIDE_SCOPE, Grant
from cortex_policy.core.path_arguments import may_be_path_argument
from cortex_policy.manage.cases.boundary_values import is_declaration_satisfied_by
from cortex_policy.manage.cases.coverage import (
    normalize_outermost_scopes,
    sample_keyword_violations_of_argument,
    sample_valid_values_of_argument,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.core.model import Reason

OUTSIDE_DIRECTORY = "outside"  # a directory of the tree that no scope covers, and links lead to
OUTSIDE_LINK = "out-of-scope"  # a link in each directory of a scope that leads there
_OTHER_ACTIONS = ("write", "delete", "push", "exec")
_PATH_NAMES = ("path", "file", "source", "destination", "cwd")


class CandidateCase(Value):
    """A call that a case file should have, with the expected decision."""

    name: str
    action: str
    args: "dict[str, object]"
    expect: "Reason"


def make_candidate_cases(grant: Grant) -> "Iterator[CandidateCase]":
    """Yield calls of each action, of the first path argument, and of each declared argument."""
    yield from _action_candidates(grant)
    if not grant.actions:
        return
    action = grant.actions[0]
    path = _find_path_argument(grant)
    if path:
        yield from _path_candidates(grant, action, path)
    for name in grant.args:
        yield from _argument_candidates(grant, action, name)


def _action_candidates(grant: Grant) -> "Iterator[CandidateCase]":
    for action in dict.fromkeys(grant.actions):
        yield CandidateCase(f"{action or 'an empty action'} is allowed", action, {}, ALLOWED)
    similar = [f"{grant.actions[0]}x", grant.actions[0].upper()] if grant.actions else []
    for action in dict.fromkeys((*similar, *_OTHER_ACTIONS, "")):
        if action not in grant.actions:
            yield CandidateCase(f"{action or 'an empty action'} is not allowed", action, {}, ACTION_NOT_ALLOWED)


def _find_path_argument(grant: Grant) -> str:
    """Return the name of an argument that accepts any path."""
    declared = [name for name in grant.args if may_be_path_argument(grant, name)]
    probes = (OUTSIDE_DIRECTORY, *normalize_outermost_scopes(grant))
    for name in (*_PATH_NAMES, *declared):
        if may_be_path_argument(grant, name) and all(_satisfies_declaration(grant, name, probe) for probe in probes):
            return name
    return ""


def _satisfies_declaration(grant: Grant, name: str, value: str) -> bool:
    declaration = grant.args.get(name, {})
    return not find_declaration_problem_text_or_empty(declaration, 0) and is_declaration_satisfied_by(
        declaration, value
    )


def _path_candidates(grant: Grant, action: str, name: str) -> "Iterator[CandidateCase]":
    def candidate(label: str, path: str, expect: "Reason") -> CandidateCase:
        """Return a call with this path as its only argument."""
        return CandidateCase(label, action, {name: path}, expect)

    for prefix in normalize_outermost_scopes(grant):
        yield candidate(f"{prefix} is in scope", prefix, ALLOWED)
        yield candidate(f"what lies in {prefix} is in scope", f"{prefix}/new", ALLOWED)
        yield candidate(f"a name that only begins like {prefix} is not", f"{prefix}x", PATH_OUTSIDE_SCOPE)
        yield candidate(f"a `..` leads out of {prefix}", f"{prefix}/../{OUTSIDE_DIRECTORY}", PATH_OUTSIDE_SCOPE)
        yield candidate(f"a link leads out of {prefix}", f"{prefix}/{OUTSIDE_LINK}/new", PATH_OUTSIDE_SCOPE)
        around = prefix.rpartition("/")[0]
        if around:
            yield candidate(f"what is around {prefix} is not in scope", around, PATH_OUTSIDE_SCOPE)
    if not grant.fs_scope:
        yield candidate("any path is allowed", "any/path", ALLOWED)
        yield candidate("the top is allowed", ".", ALLOWED)
    for scope in dict.fromkeys(grant.fs_scope):
        if strip_scope_slash_or_none(scope) is None:
            yield candidate(f"the scope {scope} never matches", scope, PATH_OUTSIDE_SCOPE)
    yield candidate("a path in no scope is denied", OUTSIDE_DIRECTORY, PATH_OUTSIDE_SCOPE)
    yield candidate("what governs grants is denied", ".cortex/policy/tools", PATH_OUTSIDE_SCOPE)


def _argument_candidates(grant: Grant, action: str, name: str) -> "Iterator[CandidateCase]":
    for value in sample_valid_values_of_argument(grant, name):
        for expected, label in ((ALLOWED, "is allowed"), (PATH_OUTSIDE_SCOPE, "is outside of every scope")):
            yield CandidateCase(f"{name} {_short_json(value)} {label}", action, {name: value}, expected)
    for keyword, value in sample_keyword_violations_of_argument(grant, name):
        yield CandidateCase(
            f"{name} {_short_json(value)} violates its {keyword}", action, {name: value}, ARGUMENT_NOT_ALLOWED
        )
    yield CandidateCase(f"{name} cannot be given", action, {name: "text"}, ARGUMENT_NOT_ALLOWED)
    if may_be_path_argument(grant, name):
        for path in (".cortex/policy", OUTSIDE_DIRECTORY):
            for value in (path, [path]):
                yield CandidateCase(f"{name} {_short_json(value)} is a path", action, {name: value}, PATH_OUTSIDE_SCOPE)


def _short_json(value: object) -> str:
    """Return a value in short form for the name of a case."""
    import json  # noqa: PLC0415 - only who writes cases needs it

    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."  # noqa: PLR2004 - so that a name fits in a line
