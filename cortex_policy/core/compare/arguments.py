"""What a change of the declarations of arguments means."""

import json

from cortex_policy.core import shorten_message
from cortex_policy.core.arguments import find_declaration_problem_text_or_empty, find_declared_types
from cortex_policy.core.compare.declarations import (
    KEYWORDS,
    accepts_nothing,
    allows_strings_at_any_depth,
    enumerates_objects,
    is_subset,
    is_subset_ignoring_patterns,
)
from cortex_policy.core.compare.verdicts import (
    BOTH,
    SAME,
    WIDENED,
    FieldComparison,
    combine_verdicts,
    join_nonempty,
    make_verdict_from_subsets,
    quote_and_join_words,
    shorten_value_text,
    widens,
)
from cortex_policy.core.model import Grant
from cortex_policy.core.path_arguments import ALWAYS, IF_TEXT, NEVER, find_path_condition_of_argument

_MAX_REPORTED = 20  # arguments of one change


def compare_args_field(old: Grant, new: Grant) -> FieldComparison:
    """Compare the declarations of two grants, argument by argument."""
    names = _names_with_changes(old, new)
    changes, unproven = _compare_each_argument(old, new, names) if names else ({}, "")
    reported = [
        f"{quote_and_join_words((name,))} {_declaration_change_text(old, new, name, changes[name])}"
        for name in _names_to_report(changes)
    ]
    sentence = "; ".join(
        [*reported, *([f"{len(changes) - len(reported)} more"] if len(reported) < len(changes) else []), unproven]
    )
    sentence = sentence.removesuffix("; ")
    if not sentence and list(old.args) != list(new.args):
        sentence = "the same arguments in another order"
    return FieldComparison("args", combine_verdicts(changes.values()), shorten_message(sentence))


def _names_with_changes(old: Grant, new: Grant) -> list[str]:
    """Return the arguments whose declarations differ as text: to Python `1`, `1.0` and `true` are equal."""
    if json.dumps(old.args) == json.dumps(new.args):
        return []
    return [name for name in {**old.args, **new.args} if _declaration_text(old, name) != _declaration_text(new, name)]


def _names_to_report(changes: dict[str, str]) -> list[str]:
    """Return the arguments to report; of very many, first those that may allow more."""
    if len(changes) <= _MAX_REPORTED:
        return list(changes)
    return sorted(changes, key=lambda name: not widens(changes[name]))[:_MAX_REPORTED]


def _compare_each_argument(old: Grant, new: Grant, names: list[str]) -> tuple[dict[str, str], str]:
    """Return the verdict over each argument, and what is to be said where not all could be looked at."""
    from cortex_policy.core.ecma_regex import (  # noqa: PLC0415 - only what compares declarations needs it
        MAX_SHARED_STEPS,
        SharedSteps,
    )

    verdicts, refused = dict[str, str](), 0
    with SharedSteps() as steps:
        for name in names:
            verdict = _compare_argument(old, new, name)
            # INVARIANT: what was not looked at to its end is proven neither way
            verdicts[name] = verdict if steps.skipped_searches == refused else BOTH
            refused = steps.skipped_searches
    why = f"comparing its patterns takes more than {MAX_SHARED_STEPS:,} steps, so that not everything is proven"
    return verdicts, why if refused else ""


def _declaration_text(grant: Grant, name: str) -> str:
    """Return a declaration as JSON, '' if the grant does not declare the argument."""
    return json.dumps(grant.args[name]) if name in grant.args else ""


def _compare_argument(old: Grant, new: Grant, name: str) -> str:
    if accepts_nothing(new.args, name) or accepts_nothing(old.args, name):
        return make_verdict_from_subsets(
            is_inside=accepts_nothing(new.args, name), is_covered=accepts_nothing(old.args, name)
        )
    was_path, is_path = find_path_condition_of_argument(old, name), find_path_condition_of_argument(new, name)
    # an argument that is not a path is under no scope, and may even name what governs grants
    is_inside = is_subset(new.args, old.args, name) and is_path >= was_path
    if is_inside and (_meets_require_path(old, new, name) or _becomes_declared(old, new, name)):
        return WIDENED
    proof = is_subset if is_inside else is_subset_ignoring_patterns
    return make_verdict_from_subsets(
        is_inside=is_inside, is_covered=proof(old.args, new.args, name) and was_path >= is_path
    )


def _meets_require_path(old: Grant, new: Grant, name: str) -> bool:
    """Whether calls that `require_path` denies may pass by an argument that counts as a path now."""
    return find_path_condition_of_argument(old, name) == NEVER != find_path_condition_of_argument(
        new, name
    ) and allows_strings_at_any_depth(new.args, name)


def _becomes_declared(old: Grant, new: Grant, name: str) -> bool:
    """Whether calls that `undeclared_args` denies may pass by an argument that is declared now, or listed whole."""
    if enumerates_objects(new.args, name) and not enumerates_objects(old.args, name):
        return True
    if name in old.args or name in ("path", "paths"):
        return False
    was_path = find_path_condition_of_argument(old, name)
    is_judged = was_path == ALWAYS or (was_path == IF_TEXT and find_declared_types(new.args, name) == ("string",))
    return not (old.fs_scope and is_judged)


def _declaration_change_text(old: Grant, new: Grant, name: str, verdict: str) -> str:
    before, after = old.args.get(name), new.args.get(name)
    if name in new.args and (why := find_declaration_problem_text_or_empty(after, 0)):
        return f"{why}: no call may give it"
    path = _path_sentence(old, new, name)
    if not isinstance(before, dict) or not isinstance(after, dict):
        text = shorten_value_text(_declaration_text(new, name))
        sentence = f"is declared as {text}" if name in new.args else "is no longer declared"
        sentence += (
            "; `undeclared_args` allows it now" if name in new.args and _becomes_declared(old, new, name) else ""
        )
        return join_nonempty(sentence, path)
    words = [
        _keyword_change_text(keyword, before, after)
        for keyword in {**before, **after}
        if keyword in KEYWORDS and _keyword_text(before, keyword) != _keyword_text(after, keyword)
    ]
    return join_nonempty(*words, path) or (
        "means the same in other words" if verdict == SAME else "has a different declaration"
    )


def _keyword_change_text(keyword: str, before: dict[str, object], after: dict[str, object]) -> str:
    if keyword not in after:
        return f"drops `{keyword}` {_keyword_text(before, keyword)}"
    if keyword not in before:
        return f"takes `{keyword}` {_keyword_text(after, keyword)}"
    return f"has `{keyword}` {_keyword_text(after, keyword)} instead of {_keyword_text(before, keyword)}"


def _keyword_text(declaration: dict[str, object], keyword: str) -> str:
    return shorten_value_text(json.dumps(declaration[keyword], ensure_ascii=False)) if keyword in declaration else ""


def _path_sentence(old: Grant, new: Grant, name: str) -> str:
    is_no_path = (
        find_path_condition_of_argument(old, name) == NEVER,
        find_path_condition_of_argument(new, name) == NEVER,
    )
    if is_no_path == (False, True):
        return "is no longer a path: no scope limits it"
    if is_no_path == (True, False):
        return "counts as a path now" + (
            "; it satisfies `require_path`" if allows_strings_at_any_depth(new.args, name) else ""
        )
    return ""
