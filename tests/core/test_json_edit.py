"""An edit changes the value it names and its separators, and no other byte."""

import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cortex_policy.core.decode import MalformedError, decode_json
from cortex_policy.core.json_edit import append_items, insert_member, remove_value, replace_value
from cortex_policy.core.json_tree import parse_tree, require_node
from cortex_policy.core.model import UsageError
from tests.support.json_documents import MANY, TOKEN, documents, pointers, same, values
from tests.support.work import counted

NEW = "a key that no document has"


def decoded(text: str) -> Any:
    """Return the value of a text that a grant could be."""
    return decode_json(text.encode())


def chosen(data: st.DataObject, text: str, kind: type) -> str:
    """Draw the pointer of one value of a kind."""
    found = [pointer for pointer, value in pointers(decoded(text)) if isinstance(value, kind)]
    assume(found)
    return data.draw(st.sampled_from(found))


def edited(text: str, pointer: str, step: Any, value: object) -> Any:
    """Return the decoded document with one part set the plain way."""
    document = decoded(text)
    container = dict(pointers(document))[pointer]
    if isinstance(container, list):
        container[step:] = [value]
    else:
        container[step] = value
    return document


def is_insertion(old: str, new: str, start: int, end: int) -> bool:
    """Whether a text differs from another by what stands between two offsets alone."""
    return new.startswith(old[:start]) and new[start:].endswith(old[end:]) and len(new) >= len(old) - end + start


@MANY
@given(documents, values, st.data())
def test_an_element_added_and_removed_leaves_the_same_bytes(text: str, value: object, data: st.DataObject) -> None:
    """In every layout; in between, nothing but the new element and its separators is there."""
    pointer = chosen(data, text, list)
    node = require_node(parse_tree(text), pointer)
    new = append_items(text, pointer, [value])
    assert same(decoded(new), edited(text, pointer, len(node.children), value))
    start, end = (node.children[-1].end,) * 2 if node.children else (node.start + 1, node.end - 1)
    assert is_insertion(text, new, start, end)
    assert remove_value(new, f"{pointer}/{len(node.children)}") == text


@MANY
@given(documents, values, st.data())
def test_a_member_inserted_and_removed_leaves_the_same_bytes(text: str, value: object, data: st.DataObject) -> None:
    """As with elements."""
    pointer = chosen(data, text, dict)
    node = require_node(parse_tree(text), pointer)
    new = insert_member(text, pointer, NEW, value)
    assert same(decoded(new), edited(text, pointer, NEW, value))
    start, end = (node.children[-1].end,) * 2 if node.children else (node.start + 1, node.end - 1)
    assert is_insertion(text, new, start, end)
    assert remove_value(new, f"{pointer}/{NEW}") == text


@MANY
@given(documents, values, st.data())
def test_a_value_set_leaves_all_others_as_they_are_spelled(text: str, value: object, data: st.DataObject) -> None:
    """And an old spelling that was canonical comes back with its value."""
    pointer = chosen(data, text, object)
    node = require_node(parse_tree(text), pointer)
    old = dict(pointers(decoded(text)))[pointer]
    new = replace_value(text, pointer, value)
    assert is_insertion(text, new, node.start, node.end)
    assert same(dict(pointers(decoded(new)))[pointer], value)
    if same(old, value):
        assert new == text
    elif not isinstance(old, dict | list) and text[node.start : node.end] == json.dumps(old, ensure_ascii=False):
        assert replace_value(new, pointer, old) == text


@MANY
@given(documents, st.data())
def test_a_part_removed_takes_one_separator_along(text: str, data: st.DataObject) -> None:
    """All other tokens stay as they are spelled, and so do the blanks elsewhere."""
    found = [pointer for pointer, _ in pointers(decoded(text)) if pointer]
    assume(found)
    pointer = data.draw(st.sampled_from(found))
    root = parse_tree(text)
    node, parent = require_node(root, pointer), require_node(root, pointer.rpartition("/")[0])
    new = remove_value(text, pointer)
    at = parent.children.index(node)
    start = parent.children[at - 1].end if at else parent.start + 1
    end = parent.children[at + 1].start_in_container if at + 1 < len(parent.children) else parent.end - 1
    assert is_insertion(text, new, start, end)
    kept = new[start : len(new) - len(text) + end]
    assert kept.strip() == ("," if 0 < at < len(parent.children) - 1 else "")
    assert set(kept) <= set(" \t\r\n,")
    assert same(decoded(new), without(decoded(text), pointer))
    gone = TOKEN.findall(text[node.start_in_container : node.end]) + [","] * (len(parent.children) > 1)
    assert sorted(TOKEN.findall(text)) == sorted(TOKEN.findall(new) + gone)


def without(document: Any, pointer: str) -> Any:
    """Remove a part of a document the plain way."""
    parent, step = pointer.rpartition("/")[::2]
    container = dict(pointers(document))[parent]
    del container[int(step) if isinstance(container, list) else step.replace("~1", "/").replace("~0", "~")]
    return document


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('{"a": []}', '{"a": ["x"]}'),
        ('{"a":[],"b":[1]}', '{"a":["x"],"b":[1]}'),
        ('{"b": [ 1 ], "a": []}', '{"b": [ 1 ], "a": [ "x" ]}'),
        ('{"a": [1]}', '{"a": [1, "x"]}'),
        ('{"a":[1]}', '{"a":[1,"x"]}'),
        ('{"a": [ 1 ],"b": 2}', '{"a": [ 1,"x" ],"b": 2}'),
        ('{"a": [1,  2]}', '{"a": [1,  2,  "x"]}'),
        ('{"a": [1, 2,\n 3, 4]}', '{"a": [1, 2,\n 3, 4, "x"]}'),
        ('{\n\t"a": [\n\t\t1\n\t]\n}', '{\n\t"a": [\n\t\t1,\n\t\t"x"\n\t]\n}'),
        ('{\r\n  "a": [\r\n    1\r\n  ]\r\n}\r\n', '{\r\n  "a": [\r\n    1,\r\n    "x"\r\n  ]\r\n}\r\n'),
        ('{\n "a": [\n\n  1\n ]\n}', '{\n "a": [\n\n  1,\n  "x"\n ]\n}'),
        ('{\n  "b": [\n    1\n  ],\n  "a": []\n}', '{\n  "b": [\n    1\n  ],\n  "a": [\n    "x"\n  ]\n}'),
        ('{"b": [\n1\n], "a": []}', '{"b": [\n1\n], "a": [\n  "x"\n]}'),
        ('{"a": [\n1\n, 2\n]}', '{"a": [\n1\n, 2\n, "x"\n]}'),
        ('{"a": [\n  ]}', '{"a": [\n  "x"]}'),
    ],
)
def test_an_element_looks_like_its_siblings(old: str, new: str) -> None:
    """Indent, separators and line endings are theirs, or the document's where it has none."""
    assert append_items(old, "/a", ["x"]) == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{}", '{"k": ["x", {"y": 1}]}'),
        ('{"a":1}', '{"a":1,"k":["x",{"y":1}]}'),
        ('{ "a" : 1 }', '{ "a" : 1, "k" : ["x", {"y" : 1}] }'),
        ('{\n  "a": 1\n}\n', '{\n  "a": 1,\n  "k": ["x", {"y": 1}]\n}\n'),
        ('{\n\t"a":\n\t1, "b":\t2}', '{\n\t"a":\n\t1, "b":\t2, "k":\t["x", {"y":\t1}]}'),
        (
            '{\n  "a": {\n    "b": 1\n  },\n  "c": [\n    1\n  ]\n}',
            '{\n  "a": {\n    "b": 1\n  },\n  "c": [\n    1\n  ],\n  "k": [\n    "x",\n    {\n      "y": 1\n    }\n  ]\n}',
        ),
    ],
)
def test_a_member_looks_like_its_siblings(old: str, new: str) -> None:
    """What it holds is laid out as other values of its kind."""
    assert insert_member(old, "", "k", ["x", {"y": 1}]) == new


@pytest.mark.parametrize(
    ("old", "pointer", "new"),
    [
        ('{"a": [1, 2, 3]}', "/a/0", '{"a": [2, 3]}'),
        ('{"a": [1, 2, 3]}', "/a/1", '{"a": [1, 3]}'),
        ('{"a": [1, 2, 3]}', "/a/2", '{"a": [1, 2]}'),
        ('{"a": [\n  1\n]}', "/a/0", '{"a": []}'),
        ('{"a": [ 1 ]}', "/a/0", '{"a": []}'),
        ('{\n  "a": 1,\n  "b": 2\n}', "/a", '{\n  "b": 2\n}'),
        ('{\n  "a": 1,\n  "b": 2\n}', "/b", '{\n  "a": 1\n}'),
    ],
)
def test_a_part_leaves_no_trace(old: str, pointer: str, new: str) -> None:
    """No empty line, and no blanks in brackets that are empty now."""
    assert remove_value(old, pointer) == new


def test_a_spelling_stays_where_its_value_does() -> None:
    """A value that stands there already is none to write; another type of number is."""
    text = r'{"a": 3e1, "b": "\u00e4"}'
    assert replace_value(text, "/a", 30.0) == text
    assert replace_value(text, "/b", "ä") == text
    assert replace_value(text, "/a", 30) == r'{"a": 30, "b": "\u00e4"}'


def test_strings_are_escaped_where_json_asks_for_it() -> None:
    """And stand as they are elsewhere."""
    assert append_items("[]", "", ['ä"\\\n🔧']) == r'["ä\"\\\n🔧"]'


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("\ud800", "lone surrogate"),
        ({"\udc00": 1}, "lone surrogate"),
        (float("nan"), "cannot be written"),
        (float("inf"), "cannot be written"),
        ([10**5000], "cannot be written"),
        ([[[]]], "does not fit: nested deeper"),
        ("x" * (1 << 20), "larger than"),
    ],
)
def test_values_that_no_grant_may_hold_are_not_written(value: object, why: str) -> None:
    """With the cause."""
    text = "[" * 62 + "0" + "]" * 62
    with pytest.raises(UsageError, match=why):
        replace_value(text, "/0" * 62, value)


def test_an_edit_needs_what_it_names() -> None:
    """A pointer to nothing, to another kind, or to the whole."""
    for text, edit in (
        ("there is nothing", lambda: remove_value('{"a": 1}', "/b")),
        ("is not an array", lambda: append_items('{"a": 1}', "/a", [1])),
        ("is not an object", lambda: insert_member("[]", "", "a", 1)),
        ("is there already", lambda: insert_member('{"a": 1}', "", "a", 2)),
        ("whole document", lambda: remove_value("[]", "")),
    ):
        with pytest.raises(UsageError, match=text):
            edit()


@pytest.mark.parametrize("text", ["[1,]", '{"a": 1, "a": 2}', "[NaN]", r'["\ud800"]', "[1e999]"])
def test_an_edit_needs_a_text_that_decodes(text: str) -> None:
    """What a grant may not hold is not edited around."""
    with pytest.raises(MalformedError):
        append_items(text, "", [1])


@MANY
@given(documents, st.lists(values, min_size=1, max_size=5), st.data())
def test_elements_appended_at_once_are_laid_out_as_one_after_the_other(
    text: str, added: list[object], data: st.DataObject
) -> None:
    """To the byte."""
    pointer = chosen(data, text, list)
    one_by_one = text
    for value in added:
        one_by_one = append_items(one_by_one, pointer, [value])
    assert append_items(text, pointer, added) == one_by_one


def test_objects_on_one_line_with_the_end_of_another_keep_their_indent() -> None:
    """The line of an element may begin with the end of the one before it."""
    text = '{"rules":{\n    "docs":null,"a/b":null\n  },"actions":\n[]}'
    for _ in range(4):
        text = append_items(text, "/actions", [{"docs": None}])
    assert text.endswith(""""actions":
[{
      "docs":null
  },{
    "docs":null
},{
    "docs":null
},{
    "docs":null
}]}""")


def test_a_thousand_elements_take_three_looks_at_the_text() -> None:
    """Each look at a grant of 1 MiB takes a second."""
    with counted(parse_tree) as work:
        new = append_items('{"a": []}', "/a", [f"x{number}" for number in range(1_000)])
    assert len(decoded(new)["a"]) == 1_000
    assert work["parse_tree"] == 3
