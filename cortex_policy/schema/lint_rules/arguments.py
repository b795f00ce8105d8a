"""Rules about declared arguments: what `check` denies because it cannot enforce it, and patterns that are slow."""

from functools import lru_cache
from itertools import islice

from cortex_policy.core.arguments import find_declaration_problem_text_or_empty
from cortex_policy.core.ecma_regex import MAX_STEPS, PatternError, compile_pattern
from cortex_policy.core.json_tree import format_json_pointer
from cortex_policy.schema.backtracking import TooMuchWorkError, WorkLimit
from cortex_policy.schema.declaration_keywords import find_keyword_hint
from cortex_policy.schema.problems import MAX_PROBLEMS, UnlocatedProblem
from cortex_policy.schema.slow_patterns import (
    MAX_VALUE_LENGTH,
    MAX_WAYS,
    exceeds_step_limit_on_repeated_letter,
    find_value_slow_to_backtrack,
    is_certainly_unmatchable,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from cortex_policy.core.ecma_regex_parser import Pattern
    from cortex_policy.schema.lint_rules.lint_subject import LintSubject

_MAX_WORK = 4_000_000  # for a grant: some seconds
_MAX_SHOWN = 24  # characters of a value


def find_always_denied_arguments(subject: "LintSubject") -> "Iterator[UnlocatedProblem]":
    """Find declarations that deny every call with the argument: as many as are reported, since each is guessed at."""
    return islice(_unenforceable_declarations(subject), MAX_PROBLEMS)


def _unenforceable_declarations(subject: "LintSubject") -> "Iterator[UnlocatedProblem]":
    if subject.grant.args.get("type") == "object" and isinstance(subject.grant.args.get("properties"), dict):
        message = "`args` is the JSON Schema of an object, and must name each argument itself"
        yield UnlocatedProblem("arg-keyword", message, "write what `properties` holds straight into `args`", "/args")
        return
    for name, declaration in subject.grant.args.items():
        if find_declaration_problem_text_or_empty(declaration, 0):
            yield from _declaration_problems(name, declaration, ("args", name))


def find_slow_or_unmatchable_patterns(subject: "LintSubject") -> "Iterator[UnlocatedProblem]":
    """Find patterns that are slow, in other readers of the grant or here, and patterns that nothing matches."""
    work = WorkLimit(_MAX_WORK)
    for name, declaration in subject.grant.args.items():
        for steps, declared in _find_patterns(declaration, ("args", name)):
            problem, moves = _check_pattern(*declared)
            if problem:
                yield UnlocatedProblem(
                    "arg-pattern", f"`{name}` has a pattern {problem[0]}", problem[1], format_json_pointer(*steps)
                )
            try:
                work.spend(moves)
            except TooMuchWorkError:
                message = f"the patterns after that of `{name}` were not searched for slow ones: that takes too long"
                yield UnlocatedProblem(
                    "arg-pattern", message, "use fewer patterns in one grant", format_json_pointer(*steps)
                )
                return


def _declaration_problems(name: str, declaration: object, steps: tuple[str, ...]) -> "Iterator[UnlocatedProblem]":
    if not isinstance(declaration, dict):
        message = f"`{name}` has a declaration that is not an object, so every call with it is denied"
        yield UnlocatedProblem(
            "arg-keyword", message, 'declare it as in {"type": "string"}', format_json_pointer(*steps)
        )
        return
    for keyword, value in declaration.items():
        if keyword == "items":
            yield from _declaration_problems(name, value, (*steps, keyword))
        elif problem := find_declaration_problem_text_or_empty({keyword: value}, 0):
            message = f"`{name}` {problem}, so every call with it is denied"
            yield UnlocatedProblem(
                "arg-keyword", message, find_keyword_hint(keyword), format_json_pointer(*steps, keyword)
            )


def _find_patterns(declaration: object, steps: tuple[str, ...]) -> "Iterator[tuple[tuple[str, ...], tuple[str, int]]]":
    """Yield the way to each pattern, the pattern, and how long a value is at most that it is to match."""
    if isinstance(declaration, dict):
        pattern, longest = declaration.get("pattern"), declaration.get("maxLength", MAX_VALUE_LENGTH)
        if isinstance(pattern, str) and not find_declaration_problem_text_or_empty({"maxLength": longest}, 0):
            yield (*steps, "pattern"), (pattern, int(min(longest, MAX_VALUE_LENGTH)))
        yield from _find_patterns(declaration.get("items"), (*steps, "items"))


@lru_cache(200)
def _check_pattern(pattern: str, longest: int) -> tuple[tuple[str, str] | None, int]:
    """Return a problem of a pattern and a hint, None if none is known; and the work of the search."""
    work = WorkLimit(_MAX_WORK // 4)
    try:
        return _pattern_problem(compile_pattern(pattern).pattern, longest, work), work.max_moves - work.left
    except PatternError:  # reported as not enforceable
        return None, 0
    except TooMuchWorkError:
        return None, work.max_moves


def _pattern_problem(parsed: "Pattern", longest: int, work: WorkLimit) -> tuple[str, str] | None:
    if is_certainly_unmatchable(parsed, work):
        return "that no value matches", "every value of the argument is denied; if you want this, write `enum: []`"
    if exceeds_step_limit_on_repeated_letter(parsed, longest, work):
        what = f"that needs more than {MAX_STEPS:,} steps for a value of {longest:,} characters, which is then denied"
        return what, "use fewer repetitions and alternatives, or give a `maxLength`"
    if value := find_value_slow_to_backtrack(parsed, work):
        shown = f"`{value[:_MAX_SHOWN]}{'...' if len(value) > _MAX_SHOWN else ''}`"
        what = (
            f"that is slow in engines that backtrack: over {MAX_WAYS:,} ways for {len(value):,} characters, as {shown}"
        )
        return (
            what,
            "let each part match in one way only, and begin with `^`; else other programs that read the grant may hang",
        )
    return None
