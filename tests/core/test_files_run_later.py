"""A grant that lets its tool write what others run later is named."""

import pytest

from cortex_policy.core.engine import strip_scope_slash_or_none
from cortex_policy.core.files_run_later import RUN_LATER, WRITING, find_writable_files_run_later, looks_like_writing
from cortex_policy.core.model import Grant, Rate

GUARDED = (
    ".claude/settings.json", ".claude/settings.local.json", ".claude/agents/x.md", ".codex/config.toml", ".gemini/x",
    ".github/hooks/x.json", ".github/copilot/settings.json", ".copilot/hooks/x.json", ".cursor/hooks.json",
    ".vscode/mcp.json", ".mcp.json", ".cursor/mcp.json", ".env", ".gemini/.env",
)  # fmt: skip


def named(*scopes: str, actions: tuple[str, ...] = ("read",)) -> list[tuple[str, str]]:
    """Return each scope that is named, with the path it is named for."""
    return [
        (found.scope, found.path)
        for found in find_writable_files_run_later(Grant("g", "t", actions, Rate(1), {}, fs_scope=scopes))
    ]


@pytest.mark.parametrize("path", [path for paths in RUN_LATER.values() for path in paths])
def test_every_path_of_the_table_is_named(path: str) -> None:
    """By itself, with a slash, from below it, from above it, and in a directory below the root."""
    assert strip_scope_slash_or_none(path) == path
    for scope in (path, f"{path}/", f"{path}/x/y", path.partition("/")[0], f"apps/web/{path}", path.upper()):
        assert scope.removesuffix("/") in [found for found, _ in named(scope)]


@pytest.mark.parametrize("file", GUARDED)
def test_the_files_that_hooks_guard_are_named(file: str) -> None:
    """At any depth; what is below `.cortex` no scope can cover."""
    assert named(file)
    assert named(f"apps/{file}")


@pytest.mark.parametrize(
    "scope", ["docs", "docs/Makefile.md", "github/workflows", ".github/ISSUE_TEMPLATE", "src/git", ".gitignore", "*", "", "/"]
)  # fmt: skip
def test_scopes_that_nobody_runs_are_not_escalations(scope: str) -> None:
    """What nobody runs, and what never matches."""
    assert named(scope) == []


def test_each_scope_is_named_once_for_each_program_that_runs_it() -> None:
    """The sentence says which, what and who; a grant without actions lets nothing happen."""
    assert named("docs", ".github/", ".github", "Makefile") == [
        (".github", ".github/workflows"),
        (".github", ".github/hooks"),
        ("Makefile", "Makefile"),
    ]
    (found,) = find_writable_files_run_later(Grant("g", "t", ("x",), Rate(1), {}, fs_scope=(".github/workflows",)))
    assert found.sentence == (
        "scope `.github/workflows` covers `.github/workflows`: CI runs it, with more rights than the tool has"
    )
    assert named(".github", actions=()) == []


@pytest.mark.parametrize(
    "action", ["write", "fs.write", "write_file", "writeFile", "WRITE-FILE", "HTTPPut", "git:push", "Bash", "exec", "file/delete2"]
)  # fmt: skip
def test_a_grant_without_a_scope_escalates_if_it_writes(action: str) -> None:
    """However it is spelled."""
    assert looks_like_writing(action)
    (found,) = find_writable_files_run_later(Grant("g", "t", ("read", action), Rate(1), {}))
    assert found.sentence.startswith("it may write on any path: ")


@pytest.mark.parametrize(
    "action", ["read", "tree", "search", "credit", "chat", "embeddings", "", "settings", "runtime-info"]
)
def test_a_grant_without_a_scope_does_not_escalate_if_it_reads(action: str) -> None:
    """Else every unscoped grant would be named."""
    assert not looks_like_writing(action)
    assert named(actions=(action,)) == []


def test_the_sentences_are_lower_case() -> None:
    """They are compared with words in lower case."""
    assert all(word.isalpha() and word.islower() for word in WRITING)
