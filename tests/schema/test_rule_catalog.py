"""The table of rules says what the rules find."""

import json

import pytest

from cortex_policy.core.model import UsageError
from cortex_policy.schema.hook_rules import decode_and_lint_hook_rules
from cortex_policy.schema.lint import decode_and_lint_grant
from cortex_policy.schema.rule_catalog import ERROR, NOTE, RULES, WARNING, LintRule, expand_code_or_group, find_rule

GRANT = {"tool": "t", "actions": ["read"], "rate": {"perMinute": 30}}
OF_A_DIRECTORY = ("key-schema", "key-other-schema")
WITH_EXAMPLE = [rule for rule in RULES if rule.example and rule.code not in OF_A_DIRECTORY]


def text_of(example: str) -> bytes:
    """Return the text of a whole file: an example may be one key of a grant."""
    if not example.startswith('"'):
        return example.encode()
    return json.dumps(GRANT | json.loads("{" + example + "}")).encode()


def codes_in(rule: LintRule, example: str) -> set[str]:
    """Return the codes of what is found in an example: a grant, a key of one, or a `hooks.toml`."""
    lint = decode_and_lint_hook_rules if rule.code.startswith("hooks-") else decode_and_lint_grant
    return {one.code for one in lint(text_of(example))[1]}


@pytest.mark.parametrize("rule", WITH_EXAMPLE, ids=lambda rule: rule.code)
def test_the_example_of_a_rule_is_found_by_it_and_by_no_other_of_its_group(rule: LintRule) -> None:
    """So that what `rule` shows is true."""
    if rule.code.startswith(("syntax", "shape")):
        assert rule.code in codes_in(rule, rule.example)
        return
    found = codes_in(rule, rule.example)
    assert {code for code in found if code.partition("-")[0] == rule.code.partition("-")[0]} == {rule.code}


@pytest.mark.parametrize("rule", [rule for rule in WITH_EXAMPLE if rule.fixed_example], ids=lambda rule: rule.code)
def test_a_repaired_example_is_no_longer_reported(rule: LintRule) -> None:
    """So that what `rule` proposes helps."""
    assert rule.code not in codes_in(rule, rule.fixed_example)


def test_codes_are_unique_and_say_their_group() -> None:
    """A code is chosen by itself or by its group."""
    codes = [rule.code for rule in RULES]
    assert len(set(codes)) == len(codes)
    assert all("-" in code and code == code.lower() for code in codes)
    assert {rule.severity for rule in RULES} == {ERROR, WARNING, NOTE}


def test_a_word_selects_a_code_or_a_group() -> None:
    """Both are what people type."""
    assert expand_code_or_group("scope-dead") == {"scope-dead"}
    assert {"scope-dead", "scope-covered"} < expand_code_or_group("scope")
    assert find_rule("scope-dead").severity == ERROR


@pytest.mark.parametrize(
    ("word", "near"), [("scope-ded", "scope-dead"), ("scopes", "scope"), ("actions-twice", "action-twice")]
)
def test_an_unknown_code_is_refused_with_the_nearest(word: str, near: str) -> None:
    """A typo in a configuration must not select nothing in silence."""
    for ask in (expand_code_or_group, find_rule):
        with pytest.raises(UsageError) as caught:
            ask(word)
        assert near.partition("-")[0] in caught.value.hint
