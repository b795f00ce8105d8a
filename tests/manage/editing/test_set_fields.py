"""A wanted change becomes a text that decodes to exactly that, or a message that says what does not fit."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.decode import decode_grant
from cortex_policy.core.json_tree import parse_tree, require_node
from cortex_policy.core.model import GrantError, UsageError
from cortex_policy.manage.editing import set_fields
from cortex_policy.manage.editing.set_fields import GrantEdit, apply_edit
from tests.support.checkout import DOCUMENTS
from tests.support.json_documents import MANY, TOKEN, grant_texts

VALID = sorted((DOCUMENTS / "valid").glob("*.json"))
GIT = """{
  "tool": "git-map",
  "actions": ["tree", "search"],
  "rate": {"perMinute": 30.0},
  "fsScope": ["docs/", "docs", "packages", "a//b"]
}
"""
MINIMAL = '{"tool": "t", "actions": [], "rate": {"perMinute": 1}}'


def test_all_options_of_an_edit_change_one_text() -> None:
    """Every option at once; what is not named stays as it stands."""
    wanted = GrantEdit(60, "public", "git", ("blame",), ("tree",), ("src",), ("packages",))
    edit = apply_edit(GIT, wanted, "git")
    assert edit.text == (
        '{\n  "tool": "git",\n  "actions": ["search", "blame"],\n  "rate": {"perMinute": 60},\n'
        '  "fsScope": ["docs/", "docs", "a//b", "src"],\n  "dataClass": "public"\n}\n'
    )
    assert edit.before == decode_grant(GIT.encode(), "git")
    assert edit.after == decode_grant(edit.text.encode(), "git")
    assert not edit.is_unchanged


def test_missing_keys_are_inserted() -> None:
    """`fsScope` and `dataClass` are no required keys."""
    edit = apply_edit(MINIMAL, GrantEdit(data_class="sensitive", add_scopes=("docs", "src"), allow=("a",)))
    assert edit.text == (
        '{"tool": "t", "actions": ["a"], "rate": {"perMinute": 1}, "dataClass": "sensitive", "fsScope": ["docs", "src"]}'
    )


def test_a_class_that_is_there_is_set_in_its_place() -> None:
    """No second key, and no other place."""
    text = MINIMAL.replace('"actions"', '"dataClass" : "internal", "actions"')
    assert apply_edit(text, GrantEdit(data_class="public")).text == text.replace("internal", "public")


LINES = {"type": "integer", "minimum": 1}


def test_an_argument_is_declared_in_the_layout_around_it() -> None:
    """As a new key, beside others, in the place of its old declaration; dropped, nothing of it is left."""
    declared = apply_edit(MINIMAL, GrantEdit(declare=(("lines", LINES),)))
    assert declared.text == MINIMAL[:-1] + ', "args": {"lines": {"type": "integer", "minimum": 1}}}'
    text = '{\n  "args": {\n    "a": {"type": "string"},\n    "b/c": {}\n  },\n' + GIT[2:]
    more = apply_edit(text, GrantEdit(declare=(("lines", LINES),))).text
    lines = '"lines": {\n      "type": "integer",\n      "minimum": 1\n    }'
    assert more == text.replace('"b/c": {}', f'"b/c": {{}},\n    {lines}')
    assert apply_edit(more, GrantEdit(drop_args=("lines",))).text == text
    other = apply_edit(text, GrantEdit(declare=(("b/c", {"const": True}),), drop_args=("a",)))
    assert other.text == text.replace('"a": {"type": "string"},\n    ', "").replace(
        "{}", '{\n      "const": true\n    }'
    )
    assert other.after.args == {"b/c": {"const": True}}


@pytest.mark.parametrize(("before", "after", "is_unchanged"), [
    ({"minimum": 1, "type": "integer"}, LINES, True), ({"type": "integer", "minimum": 1.0}, LINES, True),
    ({"const": 1}, {"const": True}, False), ({"enum": [0]}, {"enum": [False]}, False), ({"title": "a"}, {"title": "b"}, False),
])  # fmt: skip
def test_an_argument_that_is_declared_so_already_is_left_alone(
    before: dict[str, object], after: dict[str, object], is_unchanged: bool
) -> None:
    """In any order and spelling; but `1` is not `true`, as it is to Python."""
    text = MINIMAL[:-1] + f', "args": {{"x": {json.dumps(before)}}}}}'
    edit = apply_edit(text, GrantEdit(declare=(("x", after),)))
    assert edit.is_unchanged == is_unchanged
    assert (edit.text == text) == is_unchanged


@pytest.mark.parametrize(
    "wanted", [GrantEdit(), GrantEdit(per_minute=30), GrantEdit(tool="git-map"), GrantEdit(data_class="internal")]
)
def test_values_that_are_set_already_are_left_alone(wanted: GrantEdit) -> None:
    """By a default, or in another spelling."""
    edit = apply_edit(GIT, wanted)
    assert edit.is_unchanged
    assert edit.text == GIT


def test_an_array_that_gets_all_new_words_keeps_its_style() -> None:
    """It is never empty in between."""
    text = '{\n\t"tool": "t",\n\t"rate": {"perMinute": 1},\n\t"actions": [\n\t\t"a",\n\t\t"b"\n\t]\n}'
    edit = apply_edit(text, GrantEdit(allow=("c",), revoke=("a", "b")))
    assert edit.text == text.replace('"a",\n\t\t"b"', '"c"')


def test_every_repetition_of_a_word_is_removed() -> None:
    """An action revoked is not allowed by its second mention, nor a path by another spelling of its scope."""
    assert apply_edit(MINIMAL.replace("[]", '["a", "b", "a"]'), GrantEdit(revoke=("a",))).after.actions == ("b",)
    assert apply_edit(GIT, GrantEdit(remove_scopes=("docs",))).after.fs_scope == ("packages", "a//b")


def test_the_last_scope_may_go() -> None:
    """The grant is wider then; to ask is the caller's part."""
    text = MINIMAL.replace("}}", '}, "fsScope": ["docs"]}')
    assert apply_edit(text, GrantEdit(remove_scopes=("docs/",))).text == text.replace('"docs"', "")


def test_a_scope_that_never_matches_may_go() -> None:
    """Nobody can add it again, but it is there to be removed."""
    assert apply_edit(GIT, GrantEdit(remove_scopes=("a//b",))).after.fs_scope == ("docs/", "docs", "packages")


@pytest.mark.parametrize(
    "wanted",
    [
        GrantEdit(allow=("tree",)),
        GrantEdit(add_scopes=("packages/",)),
        GrantEdit(add_scopes=("docs",)),
        GrantEdit(per_minute=30),
        GrantEdit(per_minute=30, allow=("tree", "search"), add_scopes=("docs",)),
    ],
)
def test_an_edit_applied_twice_changes_nothing(wanted: GrantEdit) -> None:
    """A script may run twice."""
    applied = apply_edit(GIT, wanted, "git")
    assert applied.is_unchanged
    assert applied.text == GIT


def test_a_comma_in_a_name_is_taken_where_names_have_commas() -> None:
    """Elsewhere it is a list that was meant."""
    text = GIT.replace('"search"', '"a,b"')
    assert apply_edit(text, GrantEdit(allow=("a,b", "c,d")), "git").after.actions[-2:] == ("a,b", "c,d")


@pytest.mark.parametrize(
    ("wanted", "why", "hint"),
    [
        (
            GrantEdit(per_minute=0),
            "a rate is an integer of at least 1",
            "to allow no call of a grant, remove its actions",
        ),
        (GrantEdit(tool=""), "the name of a tool is empty", ""),
        (GrantEdit(allow=("",)), "the name of an action is empty", ""),
        (GrantEdit(data_class="intern"), "unknown data class `intern`", "did you mean `internal`? classes: public"),
        (GrantEdit(data_class="x"), "unknown data class `x`", "classes: public, internal, sensitive"),
        (GrantEdit(allow=("a,b",)), "`a,b` would be one action", "by itself, as in `--allow a --allow b`"),
        (GrantEdit(allow=("x", "x")), "the action `x` is given twice", ""),
        (GrantEdit(allow=("x",), revoke=("x",)), "the action `x` is given twice", ""),
        (GrantEdit(revoke=("serch",)), "`serch` is not allowed", "did you mean `search`? its actions: tree, search"),
        (GrantEdit(add_scopes=("src", "src/")), "the scope `src/` is given twice", ""),
        (
            GrantEdit(remove_scopes=("package",)),
            "unknown scope `package`",
            "did you mean `packages`? its scopes: docs/",
        ),
        (GrantEdit(add_scopes=("apps/*/tmp",)), "the scope `apps/*/tmp` can never match", "did you mean `apps`?"),
        (GrantEdit(add_scopes=("../x",)), "the scope `../x` can never match", "an empty fsScope allows any path"),
        (GrantEdit(drop_args=("lines",)), "`lines` is not declared, so it cannot be removed", "its arguments: none"),
        (GrantEdit(declare=(("x", {}), ("x", {}))), "the argument `x` is given twice", ""),
        (GrantEdit(declare=(("x", {}),), drop_args=("x",)), "the argument `x` is given twice", ""),
        (GrantEdit(declare=(("\udcff", {}),)), "a lone surrogate cannot be written", ""),
        (GrantEdit(tool="\udcff"), "a lone surrogate cannot be written", ""),
    ],
)
def test_edits_that_do_not_fit_are_refused(wanted: GrantEdit, why: str, hint: str) -> None:
    """With what was meant, where that can be guessed."""
    with pytest.raises(UsageError) as caught:
        apply_edit(GIT, wanted)
    assert why in caught.value.detail
    assert hint in caught.value.hint


def test_without_a_close_word_the_hint_lists_none() -> None:
    """A grant without actions has none to propose."""
    with pytest.raises(UsageError) as caught:
        apply_edit(MINIMAL, GrantEdit(revoke=("a",)))
    assert caught.value.hint == "its actions: none"


def test_a_text_that_is_not_a_grant_is_not_edited() -> None:
    """Its own problem comes first."""
    with pytest.raises(GrantError, match="`rate` is missing"):
        apply_edit("{}", GrantEdit(per_minute=5))


def test_an_edit_that_went_wrong_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """It raises what ends as 70; no text leaves."""
    monkeypatch.setattr(set_fields, "replace_value", lambda text, *_: text)
    with pytest.raises(AssertionError):
        apply_edit(GIT, GrantEdit(per_minute=5))


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_an_example_is_the_same_after_an_edit_and_its_reverse(file: Path) -> None:
    """The same bytes; a rate that was not spelled canonically comes back as its number."""
    text = file.read_bytes().decode()
    grant = decode_grant(text.encode())
    allowed = apply_edit(text, GrantEdit(allow=("x",))).text
    assert apply_edit(allowed, GrantEdit(revoke=("x",))).text == text
    raised = apply_edit(text, GrantEdit(per_minute=grant.rate.per_minute + 1)).text
    back = apply_edit(raised, GrantEdit(per_minute=grant.rate.per_minute)).text
    assert TOKEN.sub(lambda token: canonical(token[0]), back) == TOKEN.sub(lambda token: canonical(token[0]), text)
    assert (back == text) == (file.stem not in {"a-rate-of-30.0", "a-rate-of-3e1"})


def canonical(token: str) -> str:
    """Return a number's plainest spelling, and any other token as it is."""
    try:
        return str(int(float(token)))
    except ValueError:
        return token


NAMES = st.lists(st.sampled_from(["x1", "x2", "x3/y"]), max_size=3, unique=True).map(tuple)


@MANY
@given(grant_texts, st.integers(1, 99), NAMES, NAMES, st.data())
def test_a_change_and_its_reverse_leave_the_same_grant(
    text: str, rate: int, allow: tuple[str, ...], scopes: tuple[str, ...], data: st.DataObject
) -> None:
    """In every layout; where nothing was inserted and the rate was canonical, the same bytes too."""
    before = decode_grant(text.encode())
    # one without a name, or with a comma in it, could not be allowed again
    named = [action for action in before.actions if action and "," not in action]
    revoke = data.draw(st.lists(st.sampled_from(named), unique=True)) if named else []
    edit = apply_edit(text, GrantEdit(rate, allow=allow, revoke=tuple(revoke), add_scopes=scopes))
    assert edit.after == decode_grant(edit.text.encode())
    back = apply_edit(
        edit.text, GrantEdit(before.rate.per_minute, allow=tuple(revoke), revoke=allow, remove_scopes=scopes)
    )
    assert sorted(set(back.after.actions)) == sorted(set(before.actions))
    assert (back.after.rate, back.after.fs_scope, back.after.args) == (before.rate, before.fs_scope, before.args)
    node = require_node(parse_tree(text), "/rate/perMinute")
    is_canonical = rate == before.rate.per_minute or text[node.start : node.end] == str(before.rate.per_minute)
    if not revoke and "fsScope" in json.loads(text) and is_canonical:
        assert back.text == text
