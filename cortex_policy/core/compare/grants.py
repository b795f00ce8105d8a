"""What a change of a grant means: whether it allows more than before, less, or the same.

The sets of allowed calls are compared, and a set counts as a subset only if that is proven: `same` and
`narrowed` are proofs, `widened` and `both` say that there is none. They hold under the default settings, and where
`require_path` or `undeclared_args` deny more: what counts as a path, or is declared, then lets a call pass.
"""

import json

from cortex_policy.core import Value
from cortex_policy.core.arguments import declaration_problem, declared_type
from cortex_policy.core.compare.declarations import (
    KEYWORDS,
    accepts_nothing,
    enumerates_objects,
    is_subset,
    is_subset_without_patterns,
    may_be_text,
)
from cortex_policy.core.decode import DATA_CLASSES
from cortex_policy.core.engine import normalize_scope
from cortex_policy.core.model import Grant
from cortex_policy.core.path_arguments import NO, PERHAPS, YES, path_likelihood
from cortex_policy.core.scope_prefix import normalized_scopes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SAME, NARROWED, WIDENED, BOTH = "same", "narrowed", "widened", "both"
MAX_SHOWN = 120  # characters of a value
_MAX_REPORTED = 20  # arguments of one change
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@+-")


class FieldComparison(Value):
    """What became of one field, by its name in the file; the sentence is empty where it was not touched."""

    field: str
    verdict: str
    sentence: str = ""


class GrantComparison(Value):
    """What a change means, field by field and in all."""

    verdict: str
    fields: tuple[FieldComparison, ...]


def compare_grants(old: Grant | None, new: Grant | None) -> GrantComparison:
    """Compare two grants by the calls that they allow; None is a grant that is absent or invalid, and allows none."""
    before, after = old is not None and bool(old.actions), new is not None and bool(new.actions)
    if old is not None and new is not None and before and after:
        fields = tuple(field(old, new) for field in _FIELDS)
        return GrantComparison(combine_verdicts(field.verdict for field in fields), fields)
    if after:
        return _whole_grant(WIDENED, f"new: {describe_grant(new)}")
    if before:
        return _whole_grant(NARROWED, f"allows nothing now; before: {describe_grant(old)}")
    return _whole_grant(SAME, "allows nothing, as before")


def combine_verdicts(verdicts: "Iterable[str]") -> str:
    """Return the verdict over several parts that each allow or deny."""
    found = set(verdicts)
    is_wider, is_narrower = bool(found & {WIDENED, BOTH}), bool(found & {NARROWED, BOTH})
    return _verdict(is_inside=not is_wider, is_covered=not is_narrower)


def widens(verdict: str) -> bool:
    """Whether a verdict says that something may be allowed that was not."""
    return verdict in {WIDENED, BOTH}


def describe_grant(grant: Grant | None) -> str:
    """Say in one line what a grant allows."""
    if grant is None or not grant.actions:
        return "nothing"
    where = f"below {_words(grant.fs_scope)}" if grant.fs_scope else "on any path"
    rate, args = _shorten(str(grant.rate.per_minute)), f", {len(grant.args)} arguments declared" if grant.args else ""
    return f"{_words((grant.tool,))} may {_words(grant.actions)} {where}, {rate} a minute, {grant.data_class}{args}"


def _whole_grant(verdict: str, sentence: str) -> GrantComparison:
    return GrantComparison(verdict, (FieldComparison("grant", verdict, sentence),))


def _verdict(*, is_inside: bool, is_covered: bool) -> str:
    if is_inside:
        return SAME if is_covered else NARROWED
    return WIDENED if is_covered else BOTH


def _tool(old: Grant, new: Grant) -> FieldComparison:
    if old.tool == new.tool:
        return FieldComparison("tool", SAME)
    # every call has its budget anew, or another tool's
    return FieldComparison("tool", WIDENED, f"{_words((old.tool,))} becomes {_words((new.tool,))}, with a fresh budget")


def _actions(old: Grant, new: Grant) -> FieldComparison:
    before, after = dict.fromkeys(old.actions), dict.fromkeys(new.actions)
    added = [action for action in after if action not in before]
    dropped = [action for action in before if action not in after]
    sentence = _join_changes(("adds", added), ("drops", dropped))
    if not sentence and old.actions != new.actions:
        sentence = "the same actions in other words"
    return FieldComparison("actions", _verdict(is_inside=not added, is_covered=not dropped), sentence)


def _rate(old: Grant, new: Grant) -> FieldComparison:
    before, after = old.rate.per_minute, new.rate.per_minute
    verdict = _verdict(is_inside=after <= before, is_covered=before <= after)
    sentence = f"{_shorten(str(before))} becomes {_shorten(str(after))} a minute" if before != after else ""
    return FieldComparison("rate", verdict, sentence)


def _data_class(old: Grant, new: Grant) -> FieldComparison:
    # a higher class has the stricter duties
    before, after = DATA_CLASSES.index(old.data_class), DATA_CLASSES.index(new.data_class)
    verdict = _verdict(is_inside=after >= before, is_covered=before >= after)
    sentence = f"{old.data_class} becomes {new.data_class}" if before != after else ""
    return FieldComparison("dataClass", verdict, sentence)


def _fs_scope(old: Grant, new: Grant) -> FieldComparison:
    before, after = old.fs_scope, new.fs_scope
    added, dropped = _scopes_outside(after, before), _scopes_outside(before, after)
    # INVARIANT: no scope at all is any path; scopes that never match are no path
    is_inside, is_covered = not before or bool(after and not added), not after or bool(before and not dropped)
    return FieldComparison(
        "fsScope", _verdict(is_inside=is_inside, is_covered=is_covered), _scope_sentence(old, new, added, dropped)
    )


def _scopes_outside(scopes: tuple[str, ...], others: tuple[str, ...]) -> list[str]:
    """Return the scopes that can match and do not lie in others, as they are compared."""
    known, around = (
        dict.fromkeys(prefix for prefix in map(normalize_scope, scopes) if prefix is not None),
        normalized_scopes(others),
    )
    return [prefix for prefix in known if not around.covers(prefix)]


def _scope_sentence(old: Grant, new: Grant, added: list[str], dropped: list[str]) -> str:
    before, after = old.fs_scope, new.fs_scope
    if before == after:
        return ""
    if not after:
        return "drops the last scope: any path is allowed"
    if not any(normalize_scope(scope) for scope in after) and (dropped or not before):
        return f"{_words(after)} can never match: no path is allowed"
    if not before:
        return f"any path becomes {_words(after)}"
    left = normalized_scopes(after)
    gone = [prefix for prefix in dropped if not left.count_in(prefix)]
    cut = [prefix for prefix in dropped if left.count_in(prefix)]
    return (
        _join_changes(("adds", added), ("drops", gone), ("keeps only a part of", cut))
        or "the same paths in other words"
    )


def _args(old: Grant, new: Grant) -> FieldComparison:
    names = [name for name in {**old.args, **new.args} if _declaration_text(old, name) != _declaration_text(new, name)]
    changes, unproven = _argument_verdicts(old, new, names) if names else ({}, "")
    told = [
        f"{_words((name,))} {_declaration_sentence(old, new, name, changes[name])}"
        for name in _reported_arguments(changes)
    ]
    sentence = "; ".join([*told, *([f"{len(changes) - len(told)} more"] if len(told) < len(changes) else []), unproven])
    sentence = sentence.removesuffix("; ")
    if not sentence and list(old.args) != list(new.args):
        sentence = "the same arguments in another order"
    return FieldComparison("args", combine_verdicts(changes.values()), sentence)


def _reported_arguments(changes: dict[str, str]) -> list[str]:
    """Return the arguments that are told: of very many those first that may allow more."""
    if len(changes) <= _MAX_REPORTED:
        return list(changes)
    return sorted(changes, key=lambda name: not widens(changes[name]))[:_MAX_REPORTED]


def _argument_verdicts(old: Grant, new: Grant, names: list[str]) -> tuple[dict[str, str], str]:
    """Return the verdict over each argument, and what is to be said where not all could be looked at."""
    from cortex_policy.core.ecma_regex import (  # noqa: PLC0415 - only what compares declarations needs it
        MAX_SHARED_STEPS,
        SharedSteps,
    )

    verdicts, refused = dict[str, str](), 0
    with SharedSteps() as steps:
        for name in names:
            verdict = _argument_verdict(old, new, name)
            # INVARIANT: what was not looked at to its end is proven neither way
            verdicts[name] = verdict if steps.skipped_searches == refused else BOTH
            refused = steps.skipped_searches
    why = f"to compare its patterns takes more than {MAX_SHARED_STEPS:,} steps, so that not all is proven"
    return verdicts, why if refused else ""


def _declaration_text(grant: Grant, name: str) -> str:
    """Return a declaration as text: to Python `1`, `1.0` and `true` are equal."""
    return json.dumps(grant.args[name]) if name in grant.args else ""


def _argument_verdict(old: Grant, new: Grant, name: str) -> str:
    if accepts_nothing(new.args, name) or accepts_nothing(old.args, name):
        return _verdict(is_inside=accepts_nothing(new.args, name), is_covered=accepts_nothing(old.args, name))
    was_path, is_path = path_likelihood(old, name), path_likelihood(new, name)
    # an argument that is no path is under no scope, and may even name what governs grants
    is_inside = is_subset(new.args, old.args, name) and is_path >= was_path
    if is_inside and (_meets_require_path(old, new, name) or _becomes_declared(old, new, name)):
        return WIDENED
    proof = is_subset if is_inside else is_subset_without_patterns
    return _verdict(is_inside=is_inside, is_covered=proof(old.args, new.args, name) and was_path >= is_path)


def _meets_require_path(old: Grant, new: Grant, name: str) -> bool:
    """Whether calls that `require_path` denies may pass by an argument that counts as a path now."""
    return path_likelihood(old, name) == NO != path_likelihood(new, name) and may_be_text(new.args, name)


def _becomes_declared(old: Grant, new: Grant, name: str) -> bool:
    """Whether calls that `undeclared_args` denies may pass by an argument that is declared now, or listed whole."""
    if enumerates_objects(new.args, name) and not enumerates_objects(old.args, name):
        return True
    if name in old.args or name in ("path", "paths"):
        return False
    was_path = path_likelihood(old, name)
    is_judged = was_path == YES or (was_path == PERHAPS and declared_type(new.args, name) == ("string",))
    return not (old.fs_scope and is_judged)


def _declaration_sentence(old: Grant, new: Grant, name: str, verdict: str) -> str:
    before, after = old.args.get(name), new.args.get(name)
    if name in new.args and (why := declaration_problem(after, 0)):
        return f"{why}: no call may give it"
    path = _path_sentence(old, new, name)
    if not isinstance(before, dict) or not isinstance(after, dict):
        said = (
            f"is declared as {_shorten(_declaration_text(new, name))}" if name in new.args else "is no longer declared"
        )
        said += "; `undeclared_args` allows it now" if name in new.args and _becomes_declared(old, new, name) else ""
        return _join_parts(said, path)
    words = [
        _keyword_sentence(keyword, before, after)
        for keyword in {**before, **after}
        if keyword in KEYWORDS and _keyword_text(before, keyword) != _keyword_text(after, keyword)
    ]
    return _join_parts(*words, path) or (
        "means the same in other words" if verdict == SAME else "has a different declaration"
    )


def _keyword_sentence(keyword: str, before: dict[str, object], after: dict[str, object]) -> str:
    if keyword not in after:
        return f"drops `{keyword}` {_keyword_text(before, keyword)}"
    if keyword not in before:
        return f"takes `{keyword}` {_keyword_text(after, keyword)}"
    return f"has `{keyword}` {_keyword_text(after, keyword)} instead of {_keyword_text(before, keyword)}"


def _keyword_text(declaration: dict[str, object], keyword: str) -> str:
    return _shorten(json.dumps(declaration[keyword], ensure_ascii=False)) if keyword in declaration else ""


def _path_sentence(old: Grant, new: Grant, name: str) -> str:
    is_no_path = path_likelihood(old, name) == NO, path_likelihood(new, name) == NO
    if is_no_path == (False, True):
        return "is no longer a path: no scope limits it"
    if is_no_path == (True, False):
        return "counts as a path now" + ("; `require_path` is met by it" if may_be_text(new.args, name) else "")
    return ""


def _join_changes(*parts: "tuple[str, list[str]]") -> str:
    return "; ".join(f"{verb} {_words(words)}" for verb, words in parts if words)


def _join_parts(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _words(words: "Iterable[str]") -> str:
    """Name words, in quotes where they would not be seen to end."""
    shown = [word if word and _BARE.issuperset(word) else json.dumps(word, ensure_ascii=False) for word in words]
    return _shorten(", ".join(shown))


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


_FIELDS = (_tool, _actions, _rate, _args, _data_class, _fs_scope)
