"""An entry is added to settings and removed again: every byte of others stays."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.decode import MalformedError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.hooks.handlers import list_handlers_of_all_events
from cortex_policy.manage.hooks.jsonc import parse_jsonc
from cortex_policy.manage.hooks.own_hook_handlers import is_own_hook_handler
from cortex_policy.manage.hooks.settings_edit import add_hook_entry_to_text, remove_hook_entries_from_text

HANDLER = {"type": "command", "command": "/bin/cortex-policy hook claude", "args": [], "timeout": 20}
ENTRY = {"matcher": "*", "hooks": [HANDLER]}
OTHER = {"matcher": "Bash", "hooks": [{"type": "command", "command": "x"}]}
EVENT = "PreToolUse"
BLANKS = st.sampled_from(["", "", " ", "\n", "\n  ", "\r\n\t", " /* , ] */ ", " // }\n", "\n  // {\n  "])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["", "//", "/*", ",]", '"', "\\", "é"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "b", "//"]), inner, max_size=2),
    max_leaves=6,
)
EVENTS = st.dictionaries(
    st.sampled_from([EVENT, "Stop"]), st.lists(st.just(OTHER) | st.just({"matcher": "Edit", "hooks": []}), max_size=2)
)
DOCUMENTS = st.builds(
    lambda values, hooks: {**values, **({} if hooks is None else {"hooks": hooks})},
    st.dictionaries(st.sampled_from(["model", "x"]), VALUES, max_size=2),
    st.none() | EVENTS,
)


def laid_out(draw: Any, value: object) -> str:
    """Return a value as JSON with any whitespace, comments, and commas before closing brackets."""
    blank = draw(BLANKS)
    if not isinstance(value, dict | list):
        return blank + json.dumps(value) + draw(BLANKS)
    pairs = value.items() if isinstance(value, dict) else [(None, part) for part in value]
    parts = [
        (draw(BLANKS) + json.dumps(key) + draw(BLANKS) + ":" if key is not None else "") + laid_out(draw, part)
        for key, part in pairs
    ]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    end = ("," if parts and draw(st.booleans()) else "") + draw(BLANKS)
    return blank + opening + ",".join(parts) + end + closing + draw(BLANKS)


@st.composite
def texts(draw: Any) -> tuple[str, dict[str, Any]]:
    """Draw settings and their text."""
    document = draw(DOCUMENTS)
    return draw(st.sampled_from(["", "\ufeff"])) + laid_out(draw, document), document


@given(texts())
def test_removing_what_was_added_gives_the_text_back(drawn: tuple[str, dict[str, Any]]) -> None:
    """Whatever the layout; and in between it is the same document with one more entry."""
    text, document = drawn
    after = add_hook_entry_to_text(text, EVENT, ENTRY, {})
    parsed = parse_jsonc(after)
    hooks = document.get("hooks", {})
    assert parsed.to_python(parsed.tree) == {**document, "hooks": {**hooks, EVENT: [*hooks.get(EVENT, []), ENTRY]}}
    assert remove_hook_entries_from_text(after, is_own_hook_handler, {}) == text


def test_an_entry_between_others_is_removed_with_one_comma() -> None:
    """Others were added behind it since."""
    first, ours, last = json.dumps(OTHER), json.dumps(ENTRY), json.dumps({**OTHER, "matcher": "Read"})
    assert remove_hook_entries_from_text(_list_of(first, ours, last), is_own_hook_handler, {}) == _list_of(first, last)
    assert remove_hook_entries_from_text(_list_of(ours, last), is_own_hook_handler, {}) == _list_of(last)
    assert remove_hook_entries_from_text(_list_of(first, ours), is_own_hook_handler, {}) == _list_of(first)


def _list_of(*entries: str) -> str:
    return '{"hooks": {"PreToolUse": [\n  ' + ",\n  ".join(entries) + "\n]}}"


def test_every_line_of_this_program_is_removed() -> None:
    """In each event, with a group and without, and beside handlers of others."""
    shared = {"matcher": "Bash", "hooks": [HANDLER, OTHER["hooks"][0], HANDLER]}
    text = json.dumps({"hooks": {EVENT: [ENTRY, shared], "preToolUse": [HANDLER]}}, indent=2)
    after = remove_hook_entries_from_text(text, is_own_hook_handler, {})
    assert after is not None
    assert [place.handler for place in list_handlers_of_all_events(parse_jsonc(after))] == OTHER["hooks"]


def test_a_file_that_was_made_for_the_hook_is_removed_again() -> None:
    """An empty one is empty again."""
    for text in (None, "", "\n\n", "\ufeff"):
        assert (
            remove_hook_entries_from_text(
                add_hook_entry_to_text(text, EVENT, ENTRY, {"version": 1}), is_own_hook_handler, {"version": 1}
            )
            == text
        )


@given(
    texts(),
    st.lists(
        st.tuples(
            st.integers(0, 300), st.sampled_from(['"', "\\", "{", "}", "[", "]", ",", ":", "/", "*", "\n", "x", ""])
        ),
        max_size=3,
    ),
)
def test_a_damaged_text_is_refused_or_given_back(
    drawn: tuple[str, dict[str, Any]], damages: list[tuple[int, str]]
) -> None:
    """Nothing in between, and no other error."""
    text, _ = drawn
    for offset, letter in damages:
        text = text[:offset] + letter + text[offset + 1 :]
    try:
        after = add_hook_entry_to_text(text, EVENT, ENTRY, {})
    except (NotDoneError, MalformedError):
        return
    assert remove_hook_entries_from_text(after, is_own_hook_handler, {}) == text
