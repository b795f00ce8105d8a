"""What a change of a grant means: whether it allows more than before, less, or the same.

The sets of allowed calls are compared, and a set counts as a subset only if that is proven: `same` and
`narrowed` are proofs, `widened` and `both` say that there is none. They hold under the given settings, and also where
`require_path` or `undeclared_args` deny more: what counts as a path, or is declared, then lets a call pass. Only the
first scope of a grant needs the setting: with `undeclared_args = "deny"` it makes undeclared paths pass.
"""

from cortex_policy.core import Value
from cortex_policy.core.compare.arguments import compare_args_field
from cortex_policy.core.compare.verdicts import (
    NARROWED,
    SAME,
    WIDENED,
    FieldComparison,
    combine_verdicts,
    join_verbs_with_quoted_words,
    make_verdict_from_subsets,
    quote_and_join_words,
    shorten_value_text,
)
from cortex_policy.core.decode import DATA_CLASSES
from cortex_policy.core.engine import DEFAULTS, strip_scope_slash_or_none
from cortex_policy.core.model import Grant, Settings
from cortex_policy.core.scopes import index_scopes
from cortex_policy.core.text import format_count_with_noun


class GrantComparison(Value):
    """What a change means, field by field and in all."""

    verdict: str
    fields: tuple[FieldComparison, ...]


def compare_grants(old: Grant | None, new: Grant | None, settings: Settings = DEFAULTS) -> GrantComparison:
    """Compare two grants by the calls that they allow; None is a grant that is absent or invalid, and allows none."""
    before, after = old is not None and bool(old.actions), new is not None and bool(new.actions)
    if old is not None and new is not None and before and after:
        fields = (*(field(old, new) for field in _FIELDS), _compare_fs_scope(old, new, settings))
        return GrantComparison(combine_verdicts(field.verdict for field in fields), fields)
    if after:
        return _comparison_of_whole_grant(WIDENED, f"new: {format_grant_summary(new)}")
    if before:
        return _comparison_of_whole_grant(NARROWED, f"allows nothing now; before: {format_grant_summary(old)}")
    return _comparison_of_whole_grant(SAME, "allows nothing, as before")


def format_grant_summary(grant: Grant | None) -> str:
    """Say in one line what a grant allows."""
    if grant is None or not grant.actions:
        return "nothing"
    tool, actions = quote_and_join_words((grant.tool,)), quote_and_join_words(grant.actions)
    where = f"below {quote_and_join_words(grant.fs_scope)}" if grant.fs_scope else "on any path"
    rate = shorten_value_text(str(grant.rate.per_minute))
    args = f", {format_count_with_noun(len(grant.args), 'declared argument')}" if grant.args else ""
    return f"{tool} may {actions} {where}, {rate} a minute, {grant.data_class}{args}"


def _comparison_of_whole_grant(verdict: str, sentence: str) -> GrantComparison:
    return GrantComparison(verdict, (FieldComparison("grant", verdict, sentence),))


def _compare_tool(old: Grant, new: Grant) -> FieldComparison:
    if old.tool == new.tool:
        return FieldComparison("tool", SAME)
    before, after = quote_and_join_words((old.tool,)), quote_and_join_words((new.tool,))
    # every call gets a new budget, or another tool's
    return FieldComparison("tool", WIDENED, f"{before} becomes {after}, with a fresh budget")


def _compare_actions(old: Grant, new: Grant) -> FieldComparison:
    before, after = dict.fromkeys(old.actions), dict.fromkeys(new.actions)
    added = [action for action in after if action not in before]
    dropped = [action for action in before if action not in after]
    sentence = join_verbs_with_quoted_words(("adds", added), ("drops", dropped))
    if not sentence and old.actions != new.actions:
        sentence = "the same actions, written differently"
    return FieldComparison("actions", make_verdict_from_subsets(is_inside=not added, is_covered=not dropped), sentence)


def _compare_rate(old: Grant, new: Grant) -> FieldComparison:
    before, after = old.rate.per_minute, new.rate.per_minute
    verdict = make_verdict_from_subsets(is_inside=after <= before, is_covered=before <= after)
    sentence = (
        f"{shorten_value_text(str(before))} becomes {shorten_value_text(str(after))} a minute"
        if before != after
        else ""
    )
    return FieldComparison("rate", verdict, sentence)


def _compare_data_class(old: Grant, new: Grant) -> FieldComparison:
    # a higher class has the stricter duties
    before, after = DATA_CLASSES.index(old.data_class), DATA_CLASSES.index(new.data_class)
    verdict = make_verdict_from_subsets(is_inside=after >= before, is_covered=before >= after)
    sentence = f"{old.data_class} becomes {new.data_class}" if before != after else ""
    return FieldComparison("dataClass", verdict, sentence)


def _compare_fs_scope(old: Grant, new: Grant, settings: Settings) -> FieldComparison:
    before, after = old.fs_scope, new.fs_scope
    added, dropped = _scopes_outside(after, before), _scopes_outside(before, after)
    # INVARIANT: no scope at all is any path; scopes that never match are no paths
    is_inside, is_covered = not before or bool(after and not added), not after or bool(before and not dropped)
    sentence = _scope_text(old, new, added, dropped)
    if after and not before and settings.undeclared_args != "allow":
        is_inside, sentence = False, f"{sentence}; `undeclared_args` allows undeclared paths there now"
    return FieldComparison("fsScope", make_verdict_from_subsets(is_inside=is_inside, is_covered=is_covered), sentence)


def _scopes_outside(scopes: tuple[str, ...], others: tuple[str, ...]) -> list[str]:
    """Return the scopes that can match and do not lie in others, as they are compared."""
    known, around = (
        dict.fromkeys(prefix for prefix in map(strip_scope_slash_or_none, scopes) if prefix is not None),
        index_scopes(others),
    )
    return [prefix for prefix in known if not around.covers(prefix)]


def _scope_text(old: Grant, new: Grant, added: list[str], dropped: list[str]) -> str:
    before, after = old.fs_scope, new.fs_scope
    if before == after:
        return ""
    if not after:
        return "drops the last scope: any path is allowed"
    if not any(strip_scope_slash_or_none(scope) for scope in after) and (dropped or not before):
        return f"{quote_and_join_words(after)} can never match: no path is allowed"
    if not before:
        return f"any path becomes {quote_and_join_words(after)}"
    left = index_scopes(after)
    gone = [prefix for prefix in dropped if not left.count_below(prefix)]
    cut = [prefix for prefix in dropped if left.count_below(prefix)]
    return (
        join_verbs_with_quoted_words(("adds", added), ("drops", gone), ("keeps only a part of", cut))
        or "the same paths in other words"
    )


_FIELDS = (_compare_tool, _compare_actions, _compare_rate, compare_args_field, _compare_data_class)
