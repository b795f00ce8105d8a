"""Scopes and schema links are held against the working tree."""

import json
import os
from pathlib import Path

import pytest

from cortex_policy.manage.validation.missing_path_problems import ScopeChecker, find_schema_link_problems
from cortex_policy.schema.lint import decode_and_lint_grant
from cortex_policy.schema.lint_rules.lint_subject import LintSubject


def subject(*scopes: str, **keys: object) -> LintSubject:
    """Return a grant with these scopes."""
    grant = {"tool": "t", "actions": ["read"], "rate": {"perMinute": 1}, "fsScope": scopes}
    found, _ = decode_and_lint_grant(json.dumps(grant | keys).encode())
    assert found is not None
    return found


def told(root: Path, *scopes: str) -> list[tuple[str, str]]:
    """Return the codes, and where each is."""
    return [(one.code, one.pointer) for one in ScopeChecker(str(root)).find_scope_problems(subject(*scopes))]


def test_an_existing_scope_is_accepted(root: Path) -> None:
    """A file or a directory, with a slash or without."""
    (root / "a.txt").touch()
    assert told(root, "docs", "packages/a/", "a.txt") == []


def test_a_missing_scope_is_reported(root: Path) -> None:
    """One that can never match has another rule."""
    assert told(root, "docs", "gone", "a/**", "docs/gone") == [
        ("scope-absent", "/fsScope/1"),
        ("scope-absent", "/fsScope/3"),
    ]


def test_a_scope_in_another_case_is_reported_with_the_right_one(root: Path) -> None:
    """At any depth."""
    (one,) = ScopeChecker(str(root)).find_scope_problems(subject("Packages/A"))
    assert (one.code, one.hint) == ("scope-case", "did you mean `packages/a`?")


def test_a_link_out_of_scope_is_reported(root: Path) -> None:
    """A path is compared before and after links are followed."""
    os.symlink("packages/a", root / "short")
    assert told(root, "short") == [("scope-link", "/fsScope/0")]
    assert told(root, "short", "packages") == []
    assert told(root, "docs/link") == [("scope-link", "/fsScope/0")]
    assert told(root, "docs/dangling-link-to-etc-x") == [("scope-link", "/fsScope/0")]


@pytest.mark.parametrize("scope", ["a\0b", "x" * 300, "a\nb", "\ud7ff"])
def test_a_hostile_scope_raises_no_error(root: Path, scope: str) -> None:
    """Whatever it says, the next one is looked at."""
    codes = [code for code, _ in told(root, scope, "gone")]
    assert codes[-1:] == ["scope-absent"]


@pytest.mark.parametrize(("link", "code", "hint"), [
    ("../../../schema.json", "key-schema", "name `../grant.schema.json`, which `cortex-policy schema --install` writes, or remove the key"),
    ("../grant.schema.json", "key-schema", "write it with `cortex-policy schema --install`"),
    ("git.json#/definitions/x", "key-other-schema", "the schema of this program is `../grant.schema.json`"),
    ("https://example.com/s.json", "key-other-schema", ""), ("file:///nope", "key-other-schema", ""),
    ("", "", ""), ("a\0b", "", ""), (5, "", ""),
])  # fmt: skip
def test_a_schema_link_is_looked_up(root: Path, link: object, code: str, hint: str) -> None:
    """One that leads nowhere is a warning, another schema a note; one to the web cannot be looked up here."""
    found = list(
        find_schema_link_problems(
            subject(**{"$schema": link}), str(root / ".cortex" / "policy" / "tools"), is_in_place=True
        )
    )
    assert [one.code for one in found] == ([code] if code else [])
    assert all(hint in one.hint for one in found)


@pytest.mark.parametrize("link", ["../grant.schema.json", "./../grant.schema.json#", "../../policy/grant.schema.json"])
def test_the_installed_schema_is_accepted(root: Path, link: str) -> None:
    """However the way to it is spelled; outside of a root any schema that exists is right."""
    tools = root / ".cortex" / "policy" / "tools"
    (tools.parent / "grant.schema.json").write_text("{}")
    for given, is_in_place in ((link, True), ("https://example.com/s.json", False)):
        assert not list(find_schema_link_problems(subject(**{"$schema": given}), str(tools), is_in_place=is_in_place))


@pytest.mark.parametrize(
    ("scope", "there", "forms"),
    [("caf\u00e9", "cafe\u0301", "NFC instead of NFD"), ("cafe\u0301", "caf\u00e9", "NFD instead of NFC")],
)
def test_a_scope_in_another_normal_form_is_reported_as_such(root: Path, scope: str, there: str, forms: str) -> None:
    """Both look the same, so the hint spells the one in the tree in ASCII."""
    (root / "docs" / there).mkdir()
    (found,) = ScopeChecker(str(root)).find_scope_problems(subject(f"docs/{scope}"))
    assert found.code == "scope-absent"
    assert found.message.endswith(f"another Unicode normal form: {forms}")
    assert json.dumps(f"docs/{there}") in found.hint
