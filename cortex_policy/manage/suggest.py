"""The smallest changes that would have allowed denied calls: to look at, never applied."""

from cortex_policy.core import Value
from cortex_policy.core.closest_match import find_closest_word
from cortex_policy.core.files_run_later import FileRunLater, find_writable_files_run_later
from cortex_policy.core.json_edit import append_items, replace_value
from cortex_policy.core.json_tree import format_json_pointer
from cortex_policy.core.model import GrantError, UsageError
from cortex_policy.manage.audit.reader import decode_replayable_calls, pause_garbage_collector
from cortex_policy.manage.diff.grants import compare_grant_bytes
from cortex_policy.manage.diff.unified import format_unified_diff
from cortex_policy.manage.editing import set_fields
from cortex_policy.manage.editing.new_grant import format_new_grant
from cortex_policy.manage.replay.call_replayer import CallReplayer
from cortex_policy.manage.replay.decision_without_rate import FULL_ARGS_HINT
from cortex_policy.manage.replay.denials_by_missing_permissions import (
    MAX_TYPED,
    NO_GRANT,
    RATE_TOO_LOW,
    UNTYPABLE,
    DenialGrouper,
    DeniedGroup,
)
from cortex_policy.manage.replay.missing_permissions import MAX_SCOPES, widen_to_few_scopes
from cortex_policy.manage.replay.past_call import CallExample, reduce_past_call_to_example
from cortex_policy.manage.replay.replay import WARM_UP_SECONDS, UndecidedCalls, load_grants_of_root_or_dir_or_revision
from cortex_policy.state.enforcement import load_effective_settings
from cortex_policy.state.grants_errors import format_root_option, quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cortex_policy.manage.audit.reader import ReadCounts
    from cortex_policy.manage.diff.grants import GrantDiff
    from cortex_policy.manage.replay.call_replayer import GrantsById
    from cortex_policy.state import Root

MAX_SUGGESTIONS = 100
_MAX_TEXT_BYTES = 1 << 19  # bytes of grants that are written and compared before the last change
TOO_MANY_CHANGES = "there are more changes than are suggested at once; those for the most calls come first"
TOO_WIDE = "the paths of the calls lie in too many directories for a narrow scope"


class Suggestion(Value):
    """One change: what an operator types, what it would have allowed, and what it means beside that.

    Of the calls, some may still have been above the rate. Escalations are those that the grant does not have yet. The
    nearest is the grant, or the action, that may have been meant: '' if none reads alike.
    """

    change: "GrantDiff"
    command: str
    diff: str
    call_count: int
    above_rate: int
    example: CallExample
    escalations: "tuple[FileRunLater, ...]"
    nearest: str = ""


class Suggestions(Value):
    """What would have helped, the most calls first; what nothing here helps; and how many calls pass by now."""

    suggestions: tuple[Suggestion, ...]
    unfixable: tuple[UndecidedCalls, ...]
    denied: int
    allowed_now: int


def suggest_grant_changes(
    root: "Root", lines: "Iterable[bytes]", counts: "ReadCounts", since: float = float("-inf"), only: str | None = None
) -> Suggestions:
    """Return what would have allowed the calls that were denied since a time, of all grants or of one."""
    grants, settings = load_grants_of_root_or_dir_or_revision(root), load_effective_settings(root.path)
    grouper = DenialGrouper(CallReplayer(grants, settings, lambda *_: None), settings, only)
    with pause_garbage_collector():
        for at, data in decode_replayable_calls(lines, root.path, counts):
            if at >= since - WARM_UP_SECONDS:
                grouper.add_call(at, data, is_asked=at >= since)
    suggestions, remaining = _build_suggestions(root, list(grouper.groups.values()), grants)
    helpless = [
        UndecidedCalls(grant_id, why, "" if is_full else FULL_ARGS_HINT, count)
        for (grant_id, why, is_full), count in grouper.unfixable.items()
    ]  # fmt: skip
    helpless += [UndecidedCalls(grant_id, why, "", count) for (grant_id, why), count in remaining.items()]
    helpless.sort(key=lambda one: -one.count)
    return Suggestions(tuple(suggestions), tuple(helpless), grouper.denied, grouper.allowed_now)


def _build_suggestions(
    root: "Root", groups: list[DeniedGroup], grants: "GrantsById"
) -> tuple[list[Suggestion], dict[tuple[str, str], int]]:
    """Return the changes for the most calls, and how many calls of a grant have none, by why."""
    suggestions, remaining, size = list[Suggestion](), dict[tuple[str, str], int](), 0
    for group in sorted(groups, key=lambda one: -one.call_count):
        known = grants.get(group.grant_id)
        text = known if isinstance(known, bytes) else None
        is_too_much = len(suggestions) == MAX_SUGGESTIONS or size > _MAX_TEXT_BYTES
        size += len(text or b"") * (1 + len(group.argument_changes))
        suggestion = TOO_MANY_CHANGES if is_too_much else _build_suggestion(root, group, text, grants)
        if isinstance(suggestion, str):
            remaining[group.grant_id, suggestion] = remaining.get((group.grant_id, suggestion), 0) + group.call_count
        else:
            suggestions.append(suggestion)
    return suggestions, remaining


def _build_suggestion(root: "Root", group: DeniedGroup, text: bytes | None, grants: "GrantsById") -> Suggestion | str:
    """Return the change that allows a group of denied calls, or a sentence that says why there is none."""
    scopes = widen_to_few_scopes(tuple(group.scopes))
    if len(scopes) > MAX_SCOPES:
        return TOO_WIDE
    values = [value for values in group.argument_changes.values() for value in values if isinstance(value, str)]
    words = (*group.actions, *scopes, *values)
    if not all(map(str.isprintable, words)) or sum(map(len, words)) > MAX_TYPED:
        return UNTYPABLE
    rate = group.peak if group.kind in (RATE_TOO_LOW, NO_GRANT) else None
    tool = group.grant_id if group.kind == NO_GRANT else None
    edit = set_fields.GrantEdit(rate, tool=tool, allow=tuple(group.actions), add_scopes=scopes)
    try:
        new = format_new_grant(edit) if text is None else _apply_edit_to_text(text.decode(), group, edit)
    except (UsageError, GrantError) as error:
        return error.detail
    change = compare_grant_bytes(group.grant_id, text, new.encode())
    if change.new.problem:
        return change.new.problem
    before = (
        set(find_writable_files_run_later(change.old.grant)) if change.old.grant is not None else set[FileRunLater]()
    )
    return Suggestion(
        change,
        _edit_command(root, group, edit),
        format_unified_diff(group.grant_id, text, new.encode()),
        group.within_rate,
        group.call_count - group.within_rate,
        reduce_past_call_to_example(group.first),
        tuple(one for one in change.escalations if one not in before),
        _nearest_action(group, change, grants),
    )


def _nearest_action(group: DeniedGroup, change: "GrantDiff", grants: "GrantsById") -> str:
    if group.kind == NO_GRANT:
        return find_closest_word(group.grant_id, list(grants))
    known = change.old.grant.actions if change.old.grant is not None else ()
    return next((closest for action in group.actions if (closest := find_closest_word(action, known))), "")


def _apply_edit_to_text(text: str, group: DeniedGroup, edit: set_fields.GrantEdit) -> str:
    new = set_fields.apply_edit(text, edit).text if edit != set_fields.GrantEdit() else text
    for (name, keyword), values in group.argument_changes.items():
        at = format_json_pointer("args", name, keyword)
        new = append_items(new, at, values) if keyword == "enum" else replace_value(new, at, values[0])
    return new


def _edit_command(root: "Root", group: DeniedGroup, edit: set_fields.GrantEdit) -> str:
    where = format_root_option(root)
    if group.argument_changes:
        return f"cortex-policy edit {group.grant_id}{where}"
    verb, scope = ("new", "scope") if group.kind == NO_GRANT else ("set", "add-scope")
    words = [("allow", action) for action in edit.allow]
    words += [("rate", str(edit.per_minute))] if edit.per_minute is not None else []
    words += [(scope, each) for each in edit.add_scopes]
    # a word that starts with a dash would be read as an option
    options = "".join(f" --{name}{'=' if word[:1] == '-' else ' '}{quoted(word)}" for name, word in words)
    return f"cortex-policy {verb} {group.grant_id}{options}{where}"
