"""What a grant would let its tool change that later runs with the operator's rights."""

import re
from functools import lru_cache

from cortex_policy.core import Value, shorten_message
from cortex_policy.core.model import Grant
from cortex_policy.core.scopes import normalize_scope_cached

# relative to the root, or to any directory below it: what runs there, and who runs it
RUN_LATER: dict[str, tuple[str, ...]] = {
    "CI runs it": (
        ".github/workflows", ".github/actions", ".gitlab-ci.yml", ".gitlab/ci", ".circleci", ".ci", "Jenkinsfile",
        ".travis.yml", "azure-pipelines.yml", ".azure-pipelines", "bitbucket-pipelines.yml", ".drone.yml",
        ".woodpecker", ".woodpecker.yml", ".buildkite", "appveyor.yml", ".appveyor.yml", ".cirrus.yml",
        ".forgejo/workflows", ".gitea/workflows", "cloudbuild.yaml", "buildspec.yml",
    ),
    "git runs it": (
        ".git", ".githooks", ".husky", ".pre-commit-config.yaml", "lefthook.yml", ".lefthook.yml", ".lefthook",
        ".gitconfig", ".config/git",
    ),
    "a build or a test run runs it": (
        "Makefile", "GNUmakefile", "justfile", "Taskfile.yml", "Rakefile", "CMakeLists.txt", "build.gradle",
        "build.gradle.kts", "gradlew", "pom.xml", "mvnw", "package.json", ".npmrc", ".yarnrc.yml", "node_modules",
        "pyproject.toml", "setup.py", "setup.cfg", "tox.ini", "noxfile.py", "conftest.py", "pytest.ini", ".venv",
        "build.rs", ".cargo", "Gemfile", "composer.json", "Dockerfile", "compose.yaml", "docker-compose.yml",
    ),
    "a shell or an editor runs it": (
        ".envrc", ".vscode", ".idea", ".devcontainer", ".devcontainer.json", ".exrc", ".nvim.lua", ".dir-locals.el",
        ".bashrc", ".bash_profile", ".profile", ".zshrc", ".zshenv", ".config/fish", ".ssh", ".local/bin",
    ),
    "an agent runs it": (
        ".claude", ".cursor", ".mcp.json", ".gemini", ".codex", ".copilot", ".github/hooks", ".github/copilot",
    ),
    "programs start with its variables": (".env",),
}  # fmt: skip
WRITING = frozenset((
    "add", "append", "apply", "bash", "build", "change", "checkout", "cmd", "command", "commit", "copy", "cp",
    "create", "delete", "deploy", "edit", "eval", "exec", "execute", "fix", "format", "generate", "insert",
    "install", "link", "make", "merge", "mkdir", "modify", "move", "mv", "overwrite", "patch", "post", "pull",
    "push", "put", "readwrite", "rebase", "remove", "rename", "replace", "reset", "restore", "revert", "rewrite",
    "rm", "run", "save", "script", "set", "sh", "shell", "spawn", "stage", "store", "symlink", "sync", "terminal",
    "touch", "truncate", "unlink", "update", "upload", "upsert", "write",
))  # fmt: skip
ANY_PATH = "CI, git, builds, shells and agents run some of these files"
# by their first component, so that a scope meets only those it may overlap; without case, as some disks are
_BY_HEAD: dict[str, list[tuple[list[str], str, str]]] = {}
for _reason, _paths in RUN_LATER.items():
    for _path in _paths:
        _parts = _path.casefold().split("/")
        _BY_HEAD.setdefault(_parts[0], []).append((_parts, _path, _reason))
_WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


class FileRunLater(Value):
    """A path that a scope lets a tool change, and who runs it; both are empty where any path is allowed."""

    scope: str
    path: str
    reason: str

    @property
    def sentence(self) -> str:
        """Say which scope covers what, and who runs that."""
        what = f"scope `{self.scope}` covers `{self.path}`" if self.scope else "it may write on any path"
        return shorten_message(f"{what}: {self.reason}, with more rights than the tool has")


def find_writable_files_run_later(grant: Grant) -> tuple[FileRunLater, ...]:
    """Name what a grant would let its tool change that others run later; each scope and reason once.

    A scope counts whatever the actions are called. Without one only actions that look like writing do, else every
    unscoped grant would be named.
    """
    if not grant.fs_scope:
        return (FileRunLater("", "", ANY_PATH),) if any(map(looks_like_writing, grant.actions)) else ()
    scopes = dict.fromkeys(prefix for prefix in map(normalize_scope_cached, grant.fs_scope) if prefix is not None)
    return tuple(
        FileRunLater(scope, path, reason)
        for scope in (scopes if grant.actions else ())
        for reason, path in _runners_of_files_in(scope).items()
    )


@lru_cache(1000)  # of the few there are, asked for grant after grant
def looks_like_writing(action: str) -> bool:
    """Whether a word of an action's name says that it changes or runs something."""
    return any(word.lower() in WRITING for word in _WORD.findall(action))


@lru_cache(1000)
def _runners_of_files_in(scope: str) -> dict[str, str]:
    """Return who runs what a scope covers or lies in, here or in a directory below, each with the first such path."""
    parts = scope.casefold().split("/")
    overlapping: dict[str, str] = {}
    for start, head in enumerate(parts):
        for others, path, reason in _BY_HEAD.get(head, ()):
            if all(
                part == other_part for part, other_part in zip(parts[start : start + len(others)], others, strict=False)
            ):
                overlapping.setdefault(reason, path)
    return overlapping
