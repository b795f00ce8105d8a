"""Change fields in the text of a grant, and leave the rest of the text as it is."""

import json

from cortex_policy.core import Value
from cortex_policy.core.closest_match import find_closest_word
from cortex_policy.core.decode import DATA_CLASSES, decode_grant, decode_json
from cortex_policy.core.engine import strip_scope_slash_or_none
from cortex_policy.core.json_edit import append_items, insert_member, remove_items, remove_value, replace_value
from cortex_policy.core.json_text import format_canonical_json
from cortex_policy.core.json_tree import format_json_pointer
from cortex_policy.core.model import Grant, Rate, UsageError
from cortex_policy.core.scopes import suggest_scope_prefix
from cortex_policy.core.text import format_guess_hint, join_words_that_fit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Declarations = tuple[tuple[str, Mapping[str, object]], ...]


class GrantEdit(Value):
    """The fields to change, all in one write; None and empty change nothing."""

    per_minute: int | None = None
    data_class: str | None = None
    tool: str | None = None
    allow: tuple[str, ...] = ()
    revoke: tuple[str, ...] = ()
    add_scopes: tuple[str, ...] = ()
    remove_scopes: tuple[str, ...] = ()
    declare: "Declarations" = ()
    drop_args: tuple[str, ...] = ()


class AppliedEdit(Value):
    """The result of an edit: the new text, and the grant before and after."""

    text: str
    before: Grant
    after: Grant

    @property
    def is_unchanged(self) -> bool:
        """Whether the grant had these values already, so that there is nothing to write."""
        return _is_same_grant(self.before, self.after)


def apply_edit(text: str, edit: GrantEdit, grant_id: str = "") -> AppliedEdit:
    """Apply an edit to the text of a grant.

    Raise GrantError if the text does not decode, UsageError if the edit does not fit it. A value that the grant has
    already, by default or in another spelling, stays as it is. The text keeps its line endings: read it without
    translating them.
    """
    before = decode_grant(text.encode(), grant_id)
    _check_edit(edit)
    after = Grant(
        grant_id,
        before.tool if edit.tool is None else edit.tool,
        _edit_actions(before.actions, edit),
        before.rate if edit.per_minute is None else Rate(edit.per_minute),
        _edit_args(before.args, edit),
        before.data_class if edit.data_class is None else edit.data_class,
        _edit_scopes(before.fs_scope, edit),
    )
    new = _rewrite_changed_fields(text, before, after)
    if not _is_same_grant(decode_grant(new.encode(), grant_id), after):
        raise AssertionError("an edit went wrong: nothing was written")  # a bug in this program
    return AppliedEdit(new, before, after)


def _check_edit(edit: GrantEdit) -> None:
    if edit.per_minute is not None and edit.per_minute < 1:
        raise UsageError(
            "a rate is an integer of at least 1",
            "to allow no call of a grant, remove its actions; `cortex-policy stop` denies the calls of all grants",
        )
    if edit.tool == "":
        raise UsageError("the name of a tool is empty")
    if edit.data_class is not None and edit.data_class not in DATA_CLASSES:
        hint = f"{_did_you_mean(edit.data_class, DATA_CLASSES)}classes: {', '.join(DATA_CLASSES)}"
        raise UsageError(f"unknown data class `{edit.data_class}`", hint)
    if "" in edit.allow:
        raise UsageError("the name of an action is empty")
    for scope in edit.add_scopes:
        if strip_scope_slash_or_none(scope) is None:
            raise UsageError(f"the scope `{scope}` can never match", _scope_hint(scope))
    _check_given_once("action", edit.allow + edit.revoke, str)
    _check_given_once("scope", edit.add_scopes + edit.remove_scopes, _normalize_scope)
    _check_given_once("argument", (*(name for name, _ in edit.declare), *edit.drop_args), str)


def _check_given_once(what: str, words: tuple[str, ...], meaning: "Callable[[str], str]") -> None:
    seen: set[str] = set()
    for word in words:
        if meaning(word) in seen:
            raise UsageError(f"the {what} `{word}` is given twice")
        seen.add(meaning(word))


def _scope_hint(scope: str) -> str:
    prefix = suggest_scope_prefix(scope)
    if prefix is None:
        return "scopes are paths below the root; an empty fsScope allows any path"
    return f"scopes are plain path prefixes, relative to the root; {format_guess_hint(prefix)}"


def _edit_actions(actions: tuple[str, ...], edit: GrantEdit) -> tuple[str, ...]:
    present, revoked = set(actions), set(edit.revoke)
    added = tuple(action for action in edit.allow if action not in present)
    for action in added:
        if "," in action and not any("," in known for known in actions):
            options = " ".join(f"--allow {word}" for word in action.split(",") if word)
            hint = f"name each action by itself, as in `{options}`; only `cortex-policy edit` allows a comma in a name"
            raise UsageError(f"`{action}` would be one action with a comma in its name", hint)
    for action in edit.revoke:
        if action not in present:
            raise UsageError(
                f"`{action}` is not allowed, so it cannot be revoked", _list_hint("actions", action, actions)
            )
    return tuple(action for action in actions + added if action not in revoked)


def _edit_scopes(scopes: tuple[str, ...], edit: GrantEdit) -> tuple[str, ...]:
    present = {_normalize_scope(scope) for scope in scopes}
    added = tuple(scope for scope in edit.add_scopes if _normalize_scope(scope) not in present)
    for scope in edit.remove_scopes:
        if _normalize_scope(scope) not in present:
            raise UsageError(f"unknown scope `{scope}`: it cannot be removed", _list_hint("scopes", scope, scopes))
    removed = {_normalize_scope(scope) for scope in edit.remove_scopes}
    return tuple(scope for scope in scopes + added if _normalize_scope(scope) not in removed)


def _edit_args(args: "Mapping[str, object]", edit: GrantEdit) -> "dict[str, object]":
    for name in edit.drop_args:
        if name not in args:
            hint = _list_hint("arguments", name, tuple(args))
            raise UsageError(f"`{name}` is not declared, so it cannot be removed", hint)
    return {name: args[name] for name in args if name not in edit.drop_args} | dict(edit.declare)


def _is_same_grant(left: Grant, right: Grant) -> bool:
    """Whether two grants are the same; to Python `1` and `true` are equal."""
    if left != right or json.dumps(left.args) == json.dumps(right.args):
        return left == right
    return format_canonical_json(dict(left.args)) == format_canonical_json(dict(right.args))


def _normalize_scope(scope: str) -> str:
    """Return the form in which scopes are compared: `docs` and `docs/` are the same scope."""
    return strip_scope_slash_or_none(scope) or scope


def _list_hint(what: str, word: str, known: tuple[str, ...]) -> str:
    return f"{_did_you_mean(word, known)}its {what}: {join_words_that_fit(known) or 'none'}"


def _did_you_mean(word: str, known: tuple[str, ...]) -> str:
    suggestion = format_guess_hint(find_closest_word(word, known))
    return f"{suggestion} " if suggestion else ""


def _rewrite_changed_fields(text: str, before: Grant, after: Grant) -> str:
    if after.tool != before.tool:
        text = replace_value(text, "/tool", after.tool)
    if after.rate != before.rate:
        text = replace_value(text, "/rate/perMinute", after.rate.per_minute)
    if after.data_class != before.data_class:
        text = _set_member(text, "dataClass", after.data_class)
    text = _update_list(text, "actions", before.actions, after.actions)
    text = _update_args(text, before.args, after.args)
    if after.fs_scope and not before.fs_scope and "fsScope" not in decode_json(text.encode()):
        return insert_member(text, "", "fsScope", list(after.fs_scope))
    return _update_list(text, "fsScope", before.fs_scope, after.fs_scope)


def _set_member(text: str, key: str, value: str) -> str:
    if key in decode_json(text.encode()):
        return replace_value(text, f"/{key}", value)
    return insert_member(text, "", key, value)


def _update_list(text: str, key: str, before: tuple[str, ...], after: tuple[str, ...]) -> str:
    """Append the new items, then remove the old: an array that is never empty keeps its style."""
    old_items, new_items = set(before), set(after)
    text = append_items(text, f"/{key}", [word for word in after if word not in old_items])
    return remove_items(text, f"/{key}", {index for index, word in enumerate(before) if word not in new_items})


def _update_args(text: str, before: "Mapping[str, object]", after: "Mapping[str, object]") -> str:
    if after and not before and "args" not in decode_json(text.encode()):
        return insert_member(text, "", "args", dict(after))
    for name, declaration in after.items():
        if name not in before:
            text = insert_member(text, "/args", name, declaration)
        elif declaration is not before[name] and format_canonical_json(declaration) != format_canonical_json(
            before[name]
        ):
            text = replace_value(text, format_json_pointer("args", name), declaration)
    for name in before:
        if name not in after:
            text = remove_value(text, format_json_pointer("args", name))
    return text
