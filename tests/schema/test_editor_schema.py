"""The schema for editors takes what loads, and refuses what `validate` reports of keys and declarations."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cortex_policy.core.arguments import find_declaration_problem_text_or_empty
from cortex_policy.manage.editor_schema import read_packaged_schema
from cortex_policy.schema.declaration_keywords import DECLARATION_KEYWORDS
from cortex_policy.schema.grant_document import make_grant_json_schema
from cortex_policy.schema.lint import decode_and_lint_grant
from cortex_policy.schema.lint_rules.grant_keys import GRANT_KEYS, UNENFORCED_KEYS
from cortex_policy.schema.rule_catalog import ERROR, find_rule
from tests.support.chance import chance

VALID = sorted((Path(__file__).parents[1] / "documents" / "valid").glob("*.json"))
GRANT: dict[str, Any] = {"tool": "t", "actions": ["a"], "rate": {"perMinute": 1}}
SCHEMA = Draft202012Validator(json.loads(read_packaged_schema()))


def codes(document: dict[str, Any]) -> set[str]:
    """Return the codes that `validate` finds in a document."""
    return {one.code for one in decode_and_lint_grant(json.dumps(document).encode())[1]}


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_a_grant_without_errors_is_taken(file: Path) -> None:
    """Whatever else it holds."""
    document = json.loads(file.read_bytes())
    found = codes(document)
    assert SCHEMA.is_valid(document) or any(
        find_rule(code).severity == ERROR or code.startswith("key-") for code in found
    )


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-1, 2), st.floats(allow_nan=False, allow_infinity=False), st.just("path"),
    st.just("string"), st.lists(st.sampled_from(["string", "null", "x", 1]), max_size=2),
)  # fmt: skip
DECLARATIONS = st.recursive(
    st.one_of(st.integers(0, 1), st.just({})),
    lambda inner: st.dictionaries(
        st.sampled_from([*(one.name for one in DECLARATION_KEYWORDS if one.name != "items"), "title", "$ref"]), VALUES, max_size=3,
    ).flatmap(lambda known: st.one_of(st.just(known), inner.map(lambda items: {**known, "items": items}))),
    max_leaves=3,
)  # fmt: skip


@chance(500)
@given(DECLARATIONS)
def test_the_editor_schema_refuses_declarations_that_cannot_be_enforced(declaration: object) -> None:
    """Exactly these, but it compiles no pattern."""
    problem = find_declaration_problem_text_or_empty(declaration, 0)
    assert SCHEMA.is_valid({**GRANT, "args": {"x": declaration}}) == (
        not problem or "which cannot be enforced: " in problem
    )


@pytest.mark.parametrize("key", [
    "fsscope", "fs_scope", "FSScope", "scope", "paths", "dataclass", "data-class", "Tool", "enabled", "expires_at", "deny", "Deny_List",
])  # fmt: skip
def test_a_key_that_is_spelled_wrong_or_restricts_nothing_is_refused(key: str) -> None:
    """Each is a warning of `validate`; other keys are kept."""
    document = {**GRANT, key: []}
    assert not SCHEMA.is_valid(document)
    assert Draft202012Validator(make_grant_json_schema()).is_valid(document)
    assert codes(document) & {"key-unknown", "key-idle"}


@chance(500)
@given(
    st.sampled_from([*GRANT_KEYS, *UNENFORCED_KEYS, "owner", "$comment", "rules", "egress"]),
    st.randoms(use_true_random=False),
    st.booleans(),
)
def test_the_editor_schema_accepts_every_key_that_validate_accepts(word: str, random: Any, is_rate: bool) -> None:
    """Nor a key of a rate."""
    key = "".join(random.choice([letter, letter.upper(), letter + random.choice(["", "_", "-"])]) for letter in word)
    document = (
        {**GRANT, "rate": {"perMinute": 1, key: 1}}
        if is_rate
        else {**GRANT, key: 1}
        if key not in GRANT_KEYS
        else GRANT
    )
    assert SCHEMA.is_valid(document) or codes(document) & {"key-unknown", "key-idle"}


def test_every_key_is_described() -> None:
    """An editor shows it."""
    Draft202012Validator.check_schema(SCHEMA.schema)
    schema = SCHEMA.schema
    for part in (schema, *schema["$defs"].values()):
        assert all("description" in one for one in part["properties"].values())
