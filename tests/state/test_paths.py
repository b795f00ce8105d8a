"""Paths are resolved as the kernel does, and never escape their scope by any spelling."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cortex_policy.core.engine import decide
from cortex_policy.core.model import Request
from cortex_policy.core.path_arguments import collapse_path
from cortex_policy.library.functions import load_grant
from cortex_policy.state.enforcement import resolve_paths_decide_and_take_hit
from cortex_policy.state.paths import ProtectedPaths, resolve_path_arguments

PARTS = st.sampled_from(
    [
        "docs",
        "packages",
        "a",
        "link",
        "link-to-etc",
        "self",
        "up",
        "loop",
        ".",
        "..",
        "",
        "missing",
        "etc",
        "dangling-link-to-etc-x",
    ]
)

STARTS = st.sampled_from(["", "docs", "docs/a", "docs/a/link", "packages/a/up", "docs/self/docs/up"])
GOVERNING = st.sampled_from(
    [".cortex", "policy", "tools", "git.json", "state", ".cortex/policy", "../state", "to-policy", "to-state"]
)


@pytest.fixture
def maze(root: Path) -> Path:
    """Add links that lead up, back, round and out."""
    (root / "docs" / "up").symlink_to("..")
    (root / "docs" / "self").symlink_to(root)
    (root / "docs" / "loop").symlink_to("loop")
    (root / "docs" / "a").mkdir()
    (root / "docs" / "a" / "link").symlink_to("../../packages")
    (root / "etc").mkdir()
    (root / "etc" / "link").symlink_to("../docs")
    (root / "packages" / "a" / "up").symlink_to("../../etc")
    (root / "docs" / "to-policy").symlink_to("../.cortex/policy/tools")
    (root / "docs" / "to-state").symlink_to(root.parent / "state")
    return root


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(parts=st.lists(PARTS, max_size=7), absolute=st.booleans(), start=STARTS)
def test_a_path_never_escapes_its_scope_by_any_spelling(
    maze: Path, monkeypatch: pytest.MonkeyPatch, parts: list[str], absolute: bool, start: str
) -> None:
    """Whatever is allowed here is in scope for the kernel too, by `realpath` as a second opinion."""
    monkeypatch.chdir(maze / start)
    given_path = "/".join(parts)
    if absolute:
        given_path = f"{maze}/{given_path}"
    grant = load_grant("git", str(maze))
    assert grant.origin is not None
    (place,) = resolve_path_arguments(grant, grant.origin, {"path": given_path}, ProtectedPaths(frozenset(), ()))
    decision = decide(grant, Request("tree", {"path": given_path}, (place,)))
    assert decision.allowed == bool(resolve_paths_decide_and_take_hit(grant, "tree", {"path": given_path}, peek=True))
    if not decision:
        return
    real = os.path.realpath(given_path)
    assert place.resolved == real
    allowed = [f"{maze}/{scope}" for scope in grant.fs_scope]
    assert any(real == scope or real.startswith(scope + "/") for scope in allowed)
    text = os.path.normpath(os.path.join(os.getcwd(), given_path))
    assert any(text == scope or text.startswith(scope + "/") for scope in allowed)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=400)
@given(parts=st.lists(PARTS | GOVERNING, max_size=7), absolute=st.booleans(), start=STARTS)
def test_no_spelling_of_a_path_reaches_protected_files(
    maze: Path, monkeypatch: pytest.MonkeyPatch, parts: list[str], absolute: bool, start: str
) -> None:
    """Whatever a grant without scope allows, the kernel would not find in the policy or the state directory."""
    monkeypatch.chdir(maze / start)
    given_path = "/".join([str(maze), *parts] if absolute else parts)
    if not resolve_paths_decide_and_take_hit(
        load_grant("model-gateway", str(maze)), "chat", {"path": given_path}, peek=True
    ):
        return
    real = os.path.realpath(given_path)
    for governing in (f"{maze}/.cortex/policy", str(maze.parent / "state")):
        assert not f"{real}/".startswith(f"{governing}/")


@pytest.mark.parametrize(
    "path",
    [".cortex/policy", ".cortex/policy/tools/git.json", ".cortex/policy/new", "docs/self/.cortex/policy/x", ".CORTEX/Policy/x",
     "docs/up/.cortex/policy", "missing/../.cortex/policy/x", "docs/missing/../to-policy/git.json",
     "docs/to-policy/missing/../git.json", "docs/file/../to-policy/git.json", "/etc/cortex-policy/config.toml", "/proc/self/cwd", "/dev/fd/0"],
)  # fmt: skip
def test_an_unscoped_grant_reaches_no_protected_file(maze: Path, path: str) -> None:
    """No unscoped grant reaches the policy, the settings, or a link inside /proc."""
    (maze / "docs" / "file").write_text("")
    assert not resolve_paths_decide_and_take_hit(load_grant("model-gateway"), "chat", {"path": path})


def test_no_grant_reaches_the_state_directory(maze: Path, state: Path) -> None:
    """By its name and by a link to it, there or not yet."""
    (maze / "docs" / "state").symlink_to(state)
    for path in (str(state), f"{state}/x", "docs/state/x"):
        assert not resolve_paths_decide_and_take_hit(load_grant("model-gateway"), "chat", {"path": path})
        assert not resolve_paths_decide_and_take_hit(load_grant("git"), "tree", {"path": path})


def test_a_path_below_a_file_is_denied(maze: Path) -> None:
    """`..` after a file, and `/` behind one, are errors of the kernel and so denied."""
    (maze / "docs" / "file").write_text("")
    grant = load_grant("git")
    for path in ("docs/file/../x", "docs/file/.", "docs/file/", "docs/file/x", "docs/loop", "docs/loop/../x"):
        assert not resolve_paths_decide_and_take_hit(grant, "tree", {"path": path})
    assert resolve_paths_decide_and_take_hit(grant, "tree", {"path": "docs/file"})


def test_the_root_may_be_reached_through_a_link(maze: Path, tmp_path: Path) -> None:
    """As `/tmp` and `/private/tmp` are the same place."""
    (tmp_path / "alias").symlink_to(maze)
    assert resolve_paths_decide_and_take_hit(load_grant("git"), "tree", {"path": f"{tmp_path}/alias/docs/x"})
    assert not resolve_paths_decide_and_take_hit(load_grant("git"), "tree", {"path": f"{tmp_path}/alias/etc/x"})


def test_a_deleted_working_directory_denies_relative_paths(
    maze: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From there `..` still leads somewhere."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for grant in ("git", "model-gateway"):
        loaded = load_grant(grant, str(maze))
        assert not resolve_paths_decide_and_take_hit(loaded, loaded.actions[0], {"path": "docs/x"})


@pytest.mark.parametrize("path", ["\ud800", "docs/\0", "x" * 5000, "docs/" + "y" * 300])
def test_text_that_cannot_be_a_path_is_denied_without_a_traceback(maze: Path, path: str) -> None:
    """Text that the system cannot name, or that is too long for it."""
    assert maze.is_dir()
    assert not resolve_paths_decide_and_take_hit(load_grant("git"), "tree", {"path": path})


def test_collapsing_is_done_on_text_alone() -> None:
    """No links are looked at."""
    assert collapse_path("//a/./b//../c/..") == "/a"
    assert collapse_path("/../..") == "/"


@pytest.mark.parametrize("path", [
    "docs/up/missing/../.cortex/policy/tools/git.json", f"docs/up/{'y' * 300}/../.cortex/policy/tools/git.json",
    "docs/up/docs/file/../../.cortex/policy/x", "docs/link/../up/.cortex/policy/tools/git.json",
    "docs/self/.cortex/policy/nope/../x", ".cortex/policy/tools/git.json\0.txt", "docs/up/.cortex/policy\0", "docs/up/.cortex",
])  # fmt: skip
def test_protected_files_are_out_of_reach_of_every_reading_of_a_path(maze: Path, path: str) -> None:
    """As the kernel does, collapsed first, with missing parts dropped, or up to a NUL."""
    (maze / "docs" / "file").write_text("x")
    decision = resolve_paths_decide_and_take_hit(load_grant("model-gateway"), "chat", {"path": path})
    assert not decision
    assert any(place.protected_reason for place, _ in decision.paths)


def test_a_path_that_is_collapsed_first_must_stay_in_scope_too(maze: Path) -> None:
    """The kernel goes through the link before the `..`; many programs do not, and would leave by the other one."""
    (maze / "docs" / "inner").symlink_to("../packages/a")
    decision = resolve_paths_decide_and_take_hit(load_grant("git"), "tree", {"path": "docs/inner/../evil/passwd"})
    assert decision.allowed  # both readings are missing files in scope
    (maze / "docs" / "evil").symlink_to("/etc")
    decision = resolve_paths_decide_and_take_hit(load_grant("git"), "tree", {"path": "docs/inner/../evil/passwd"})
    assert "leads to `/etc/passwd` once its `..` are collapsed" in decision.message


def test_a_link_that_ends_in_a_slash_must_lead_to_a_directory(maze: Path) -> None:
    """To a file, the kernel refuses it: so do we."""
    (maze / "docs" / "file").write_text("x")
    (maze / "docs" / "to-file").symlink_to("file/")
    assert not resolve_paths_decide_and_take_hit(load_grant("git"), "tree", {"path": "docs/to-file"})


def test_paths_may_start_elsewhere_than_the_process(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if it stood there."""
    grant = load_grant("git")
    assert grant.origin is not None
    start, args = root / "packages", {"path": "../docs/link/x"}
    elsewhere = resolve_path_arguments(grant, grant.origin, args, ProtectedPaths(frozenset(), ()), str(start))
    monkeypatch.chdir(start)
    assert elsewhere == resolve_path_arguments(grant, grant.origin, args, ProtectedPaths(frozenset(), ()))
    assert elsewhere[0].resolved == "/etc/x"
