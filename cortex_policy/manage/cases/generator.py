"""Generate first cases for a grant: what it allows, what it just denies, its rate; each call is tried first."""

from itertools import islice

from cortex_policy.core.ecma_regex import MAX_SHARED_STEPS, SharedSteps
from cortex_policy.core.engine import find_denial_before_rate
from cortex_policy.core.model import (
    ALLOWED,
    HUMAN_APPROVAL,
    RATE_LIMITED,
    Grant,
    Request,
)
from cortex_policy.core.sliding_window import WINDOW_SECONDS
from cortex_policy.core.text import elide_middle
from cortex_policy.manage.cases.candidates import OUTSIDE_DIRECTORY, OUTSIDE_LINK, CandidateCase, make_candidate_cases
from cortex_policy.manage.cases.coverage import normalize_outermost_scopes
from cortex_policy.manage.cases.model import MAX_HITS, MAX_TIMES, NANOSECONDS, Case, CaseFile
from cortex_policy.manage.cases.temporary_file_tree import FileTree, Sandbox, open_temporary_file_tree
from cortex_policy.manage.signals import hold_signals
from cortex_policy.state.paths import resolve_path_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cortex_policy.core.model import Reason

MINUTE_NS = int(WINDOW_SECONDS) * NANOSECONDS
MAX_CANDIDATES = 2_000
_MAX_STEPS = MAX_SHARED_STEPS // 4  # the cases are run again, and then compared with what there is to show
# each scope has at least this many candidates, so that none of a later one is tried
_MAX_DIRECTORIES = MAX_CANDIDATES // 5
_MAX_LENGTH, _MAX_DEPTH = 1000, 40  # characters and parts of a directory
_MAX_PARTS = 2_000  # of all directories: each is made, and a call that is tried goes through some
_MAX_NAME_BYTES = 400  # bytes of the name of a case


def generate_case_file(grant: Grant, file: str, beside: CaseFile | None = None) -> CaseFile:
    """Return cases that all pass on a grant and cover as much of it as possible.

    Beside the cases of another file they have other names, and its tree as well.
    """
    tree = _build_tree(grant) if beside is None else _build_tree(grant).union(beside.tree)
    decided = []
    with hold_signals() as leave_if_received, open_temporary_file_tree(tree) as root, SharedSteps(_MAX_STEPS) as steps:
        for candidate in islice(make_candidate_cases(grant), MAX_CANDIDATES):
            leave_if_received()
            answer = _decide_candidate(grant, candidate, root)
            if steps.is_used_up:  # what is written is what was seen
                break
            if answer == candidate.expect:
                decided.append(candidate)
    return CaseFile(
        file,
        grant.id,
        tree=tree,
        cases=tuple(_add_clock(grant, decided, {case.name for case in beside.cases} if beside is not None else set())),
    )


def _decide_candidate(grant: Grant, candidate: CandidateCase, root: Sandbox) -> "Reason":
    request = Request(
        candidate.action,
        candidate.args,
        resolve_path_arguments(grant, root.origin, candidate.args, root.protected, root.path),
    )
    refused = find_denial_before_rate(grant, request)
    return ALLOWED if refused is None else refused.reason


def _build_tree(grant: Grant) -> FileTree:
    """Return a tree with a directory for each scope, and in it a link out of all scopes."""
    known = normalize_outermost_scopes(grant)
    if not known:
        return FileTree()
    outside = _unused_word(OUTSIDE_DIRECTORY, known)
    created, remaining = list[str](), _MAX_PARTS
    for prefix in filter(_is_creatable, known[:_MAX_DIRECTORIES]):
        remaining -= prefix.count("/") + 1
        if remaining < 0:
            break
        created.append(prefix)
    links = [(f"{prefix}/{OUTSIDE_LINK}", "../" * (prefix.count("/") + 1) + outside) for prefix in created]
    return FileTree((*created, outside), (), tuple(links))


def _is_creatable(prefix: str) -> bool:
    """Whether to create a directory for a scope in the tree: very long or deep ones are left out."""
    return "\0" not in prefix and len(prefix) <= _MAX_LENGTH and prefix.count("/") < _MAX_DEPTH


def _unused_word(word: str, used_words: "Iterable[str]") -> str:
    known = set(used_words)
    while word in known:
        word += "x"
    return word


def _add_clock(grant: Grant, candidates: "list[CandidateCase]", names: set[str]) -> "Iterator[Case]":
    """Turn calls into cases; the clock advances so that no earlier case uses up the budget of a later one."""
    first = next((candidate for candidate in candidates if candidate.expect is ALLOWED), None)
    required = (HUMAN_APPROVAL,) if grant.data_class == "sensitive" else ()
    used: dict[str, int] = {}
    for candidate in _distinct_calls(candidates):
        advance = 0
        if candidate.expect is ALLOWED:
            if used.get(candidate.action, 0) >= grant.rate.per_minute:
                advance, used = MINUTE_NS, {}
            used[candidate.action] = used.get(candidate.action, 0) + 1
        name, tool, obligations = _unique_name(candidate.name, names), None, None
        if candidate is first:
            tool, obligations = grant.tool, required
        yield Case(
            name, candidate.action, candidate.args, candidate.expect, 0, None, obligations, tool, advance_ns=advance
        )
    if first is not None and grant.rate.per_minute <= MAX_HITS:
        yield from _exhaust_budget(grant.rate.per_minute, first.action, names)


def _distinct_calls(candidates: "list[CandidateCase]") -> "Iterable[CandidateCase]":
    """Return each call once, with its first name."""
    calls: dict[str, CandidateCase] = {}
    for candidate in candidates:
        calls.setdefault(repr((candidate.action, candidate.args)), candidate)
    return calls.values()


def _exhaust_budget(limit: int, action: str, names: set[str]) -> "Iterator[Case]":
    """Yield cases that use up a budget and wait until it is restored."""
    times, cost = (limit, 1) if limit <= MAX_TIMES else (1, limit)
    name = _unique_name(f"the budget of {action} is used up", names)
    yield Case(name, action, {}, ALLOWED, remaining=0, times=times, cost=cost, advance_ns=MINUTE_NS)
    yield Case(_unique_name(f"one more {action} is too many", names), action, {}, RATE_LIMITED)
    yield Case(
        _unique_name("a second before a minute has passed, too", names),
        action,
        {},
        RATE_LIMITED,
        advance_ns=59 * NANOSECONDS,
    )
    yield Case(
        _unique_name("a minute later it is back", names),
        action,
        {},
        ALLOWED,
        remaining=limit - 1,
        advance_ns=NANOSECONDS,
    )


def _unique_name(name: str, names: set[str]) -> str:
    short = elide_middle(name, _MAX_NAME_BYTES)
    plain = "".join(letter if letter.isprintable() else f"U+{ord(letter):04X}" for letter in short)
    word, number = plain, 2
    while word in names:
        word, number = f"{plain} ({number})", number + 1
    names.add(word)
    return word
