"""The document model explains what the decoder refuses, and never anything else."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cortex_policy.core.decode import decode_grant, decode_json
from cortex_policy.core.json_tree import parse_tree, require_node
from cortex_policy.core.model import GrantError
from cortex_policy.schema.grant_document import GrantDocument, find_problems_of_refused_document, make_grant_json_schema
from tests.support.chance import chance
from tests.support.json_documents import grants, pointers

GRANT = {"tool": "t", "actions": ["a"], "rate": {"perMinute": 1}}
SCHEMA = Draft202012Validator(make_grant_json_schema())
# the schema of the original package, as people have it beside their grants
ORIGINAL = Draft202012Validator({
    "type": "object",
    "properties": {
        "tool": {"type": "string"}, "actions": {"type": "array", "items": {"type": "string"}},
        "args": {"type": "object", "additionalProperties": True},
        "dataClass": {"enum": ["public", "internal", "sensitive"]},
        "rate": {"type": "object", "properties": {"perMinute": {"type": "integer", "minimum": 1}}, "required": ["perMinute"]},
        "fsScope": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["tool", "actions", "rate"],
})  # fmt: skip

CASES: list[tuple[Any, list[tuple[str, str, str, str]]]] = [
    ({}, [
        ("shape-missing", "", "`tool` is missing", 'add "tool": "NAME"'),
        ("shape-missing", "", "`actions` is missing", 'add "actions": ["ACTION"]'),
        ("shape-missing", "", "`rate` is missing", 'add "rate": {"perMinute": 30}'),
    ]),
    (GRANT | {"rate": {}}, [("shape-missing", "/rate", "`rate.perMinute` is missing", 'add "perMinute": 30')]),
    (GRANT | {"rate": {"per_minute": 3}}, [("shape-missing", "/rate", "`rate.perMinute` is missing", "did you mean `perMinute`?")]),
    (
        GRANT | {"rate": {"perMinute": "30"}},
        [("shape-type", "/rate/perMinute", "`rate.perMinute` is the string `30`, and must be an integer of at least 1", "write 30 without quotes")],
    ),
    (GRANT | {"rate": {"perMinute": 0}}, [("shape-value", "/rate/perMinute", "`rate.perMinute` is 0", "")]),
    (GRANT | {"rate": {"perMinute": 2.5}}, [("shape-value", "/rate/perMinute", "is 2.5, and must be an integer", "")]),
    (GRANT | {"rate": {"perMinute": True}}, [("shape-type", "/rate/perMinute", "`rate.perMinute` is true", "")]),
    (GRANT | {"rate": {"perMinute": None}}, [("shape-type", "/rate/perMinute", "`rate.perMinute` is null", "")]),
    (GRANT | {"rate": {"perMinute": -(10**400)}}, [("shape-value", "/rate/perMinute", "is a giant number", "")]),
    (GRANT | {"rate": 30}, [("shape-type", "/rate", "`rate` is 30, and must be an object", 'write {"perMinute": 30}')]),
    (GRANT | {"tool": ""}, [("shape-value", "/tool", "`tool` is empty, and must be a string that is not empty", "")]),
    (GRANT | {"tool": {"a": 1}}, [("shape-type", "/tool", "`tool` is an object", "")]),
    (GRANT | {"actions": "tree"}, [("shape-type", "/actions", "`actions` is the string `tree`", 'write ["tree"]')]),
    (
        GRANT | {"actions": ["a", 1, [], None]},
        [("shape-type", f"/actions/{at}", f"`actions[{at}]` is {what}, and must be a string", "")
         for at, what in ((1, "1"), (2, "an array"), (3, "null"))],
    ),
    (GRANT | {"fsScope": {"a": "docs"}}, [("shape-type", "/fsScope", "`fsScope` is an object", "")]),
    (GRANT | {"args": []}, [("shape-type", "/args", "`args` is an array, and must be an object", "")]),
    (GRANT | {"dataClass": "Senstive"}, [("shape-value", "/dataClass", "`dataClass` is `Senstive`", "did you mean `sensitive`?")]),
    (GRANT | {"dataClass": None}, [("shape-value", "/dataClass", "`dataClass` is null", "")]),
    (GRANT | {"dataClass": ["public"]}, [("shape-value", "/dataClass", "`dataClass` is an array", "")]),
    ({"Tool": "t", "actions": [], "rate": {"perMinute": 1}}, [("shape-missing", "", "`tool` is missing", "`Tool` is another key")]),
    ({"$schema": "../schemas/policy.tools.schema.json", "fs": {}}, [("shape-missing", "", "is missing", "add")] * 3),
    ([], [("shape-other", "", "a grant is a JSON object, and this is an array", "cortex-policy schema")]),
    (None, [("shape-other", "", "and this is null", "")]),
    (1.5, [("shape-other", "", "and this is a number", "")]),
    ({"command": "npx", "args": ["-y"], "env": {}}, [("shape-other", "", "it has `command`, `args`, `env`", "")]),
    ({"version": 1, "agents": {}}, [("shape-other", "", "not a tool grant: it has `version`, `agents`", "cortex-policy new ID")]),
    ({"type": "object", "properties": {"tool": {}}}, [("shape-schema", "", "it is a JSON Schema", "")]),
    ({"$schema": "http://json-schema.org/draft-07/schema#"}, [("shape-schema", "", "it is a JSON Schema", "")]),
]  # fmt: skip


@pytest.mark.parametrize(("document", "expected"), CASES)
def test_every_error_of_a_document_is_reported_at_its_place(
    document: Any, expected: list[tuple[str, str, str, str]]
) -> None:
    """In our words, with what would do."""
    found = find_problems_of_refused_document(document)
    assert [(one.code, one.pointer) for one in found] == [(code, at) for code, at, _, _ in expected]
    for one, (_, _, message, hint) in zip(found, expected, strict=True):
        assert message in one.message
        assert hint in one.hint


STRANGE = [
    None,
    True,
    False,
    0,
    1,
    -1,
    30.0,
    3e1,
    0.5,
    1e300,
    10**30,
    "",
    "30",
    "t",
    [],
    ["a"],
    [1],
    {},
    {"perMinute": 2},
    [None],
]


def changed(document: Any, random: Random) -> Any:
    """Change one value of a document, or take it away."""
    text = json.loads(json.dumps(document))
    at, _ = random.choice(list(pointers(text)))
    if not at:
        return random.choice([*STRANGE, text])
    *above, last = [step.replace("~1", "/").replace("~0", "~") for step in at.split("/")[1:]]
    holder = text
    for step in above:
        holder = holder[int(step) if isinstance(holder, list) else step]
    place = int(last) if isinstance(holder, list) else last
    if random.random() < 0.2:
        del holder[place]
    else:
        holder[place] = random.choice(STRANGE)
    return text


def is_refused(document: Any) -> bool:
    """Whether the decoder refuses a document."""
    try:
        decode_grant(json.dumps(document).encode())
    except GrantError:
        return True
    return False


@chance(500)
@given(grants, st.randoms(use_true_random=False), st.integers(0, 3))
def test_model_decoder_and_schema_agree(document: Any, random: Random, changes: int) -> None:
    """On grants, and on what is made of them by chance; each place is one of the document."""
    for _ in range(changes):
        document = changed(document, random)
    text = json.dumps(document)
    value = decode_json(text.encode())
    if is_refused(document):
        found = find_problems_of_refused_document(value)
        assert found
        assert all(require_node(parse_tree(text), one.pointer) for one in found)
        assert not SCHEMA.is_valid(value)
    else:
        assert GrantDocument.model_validate(value).tool == value["tool"]
        assert SCHEMA.is_valid(value)
        assert ORIGINAL.is_valid(value)


@chance(500)
@given(grants, st.randoms(use_true_random=False))
def test_documents_that_the_schema_of_the_original_accepts_are_accepted(document: Any, random: Random) -> None:
    """All but a tool without a name."""
    document = changed(document, random)
    if ORIGINAL.is_valid(document) and document["tool"]:
        assert not is_refused(document)


def test_the_json_schema_is_valid() -> None:
    """By the draft it names, and editors show what each key is."""
    Draft202012Validator.check_schema(make_grant_json_schema())
    assert make_grant_json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert all("description" in part for part in make_grant_json_schema()["properties"].values())


def test_a_model_that_takes_what_the_decoder_refuses_is_a_bug() -> None:
    """It must not end as a grant without problems."""
    with pytest.raises(AssertionError):
        find_problems_of_refused_document(GRANT)
