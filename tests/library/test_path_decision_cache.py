"""Fast answers are those of the engine and of `places`, in mazes of links and for any call."""

import os
import subprocess
import sys
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from cortex_policy.core.input_values import rebuild_arguments
from cortex_policy.core.model import PATH_OUTSIDE_SCOPE, Decision, Grant, Rate, Settings
from cortex_policy.library.grant_cache import CachedGrant
from cortex_policy.library.openat2 import Openat2
from cortex_policy.library.path_decision_cache import MAX_PATHS
from cortex_policy.library.preconditions import read_preconditions
from cortex_policy.library.root_path_lookup import UnresolvedRoot
from cortex_policy.library.store import PolicyStore
from cortex_policy.state.enforcement import resolve_paths_decide_and_take_hit
from cortex_policy.state.grants import find_named_or_only_root, read_grant
from cortex_policy.state.memory_budgets import MemoryBudgets

PARTS = [
    "docs", "packages", "a", "file", "absent", "link", "loop", "up", "self", "state", "into", "deep", "..", ".", "",
    ".cortex", "policy", "tools", "git.json", ".CORTEX", ".cortexes", ".hidden", "etc", "~", "x y", "b:c", "\\", "é",
]  # fmt: skip
names = st.sampled_from(
    ["path", "Target_Path", "file", "cwd", "x", "n", "list", "note", "log_file", "paths"]
) | st.text(max_size=3)
spelled = st.builds(
    lambda parts, top, end: top + "/".join(parts) + end,
    st.lists(st.sampled_from(PARTS), max_size=5),
    st.sampled_from(["", "", "/", "ROOT/", "ROOT/docs/", "/etc/", " ", "~"]),
    st.sampled_from(["", "", "", "/", " ", "\0", "\n"]),
)
scalars = spelled | st.text(max_size=4) | st.integers() | st.floats() | st.booleans() | st.none()
values = scalars | st.lists(scalars, max_size=2) | st.dictionaries(names, scalars, max_size=2)
calls = st.dictionaries(names, values, max_size=3) | st.fixed_dictionaries({"path": spelled})
declarations = st.sampled_from([
    {"type": "string"}, {"type": "string", "title": "t"}, {"type": ["string"]}, {"type": "string", "format": "path"},
    {"type": "string", "format": "not-path"}, {"type": "string", "minLength": 3}, {"enum": ["docs"]}, {"type": "integer"},
    {}, {"unknown": 1}, {"type": "strin"}, [], {"type": "string", "pattern": "^d"}, {"type": "array", "items": {"format": "path"}},
])  # fmt: skip
scopes = st.lists(
    st.sampled_from(["docs", "docs/", "packages/a", "docs/link", "/", "", "..", "*", "etc", ".hidden"]), max_size=3
)
grants = st.builds(
    Grant, st.just("git"), st.just("git-map"), st.sampled_from([("tree",), ("tree", "push"), ()]), st.builds(Rate, st.integers(1, 9)),
    st.dictionaries(names, declarations, max_size=3), st.sampled_from(["internal", "sensitive"]), scopes.map(tuple),
)  # fmt: skip
whatever = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=600)


@pytest.fixture
def maze(root: Path) -> Path:
    """Add links that lead up, back, in circles, out, and to protected paths; also directories and a file without links."""
    (root / "docs" / "up").symlink_to("..")
    (root / "docs" / "self").symlink_to(root)
    (root / "docs" / "loop").symlink_to("loop")
    (root / "docs" / "into").symlink_to("../.cortex/policy/tools")
    (root / "docs" / "state").symlink_to(root.parent / "state")
    (root / "docs" / "a" / "deep").mkdir(parents=True)
    (root / "docs" / "a" / "link").symlink_to("../../packages")
    (root / "docs" / "a" / "file").write_text("")
    (root / "docs" / ".hidden").mkdir()
    (root / "etc").mkdir()
    return root


def entry_of(grant: Grant, rules: Settings, *, asks_at_once: bool = True) -> CachedGrant:
    """Return a grant with the preconditions of the root that is the working directory."""
    root = find_named_or_only_root()
    preconditions = read_preconditions(UnresolvedRoot(root.path, root.is_explicit))
    origin = read_grant(root, "git").origin
    assert origin is not None
    made = Grant(grant.id, grant.tool, grant.actions, grant.rate, grant.args, grant.data_class, grant.fs_scope, origin)
    merged = Settings(**{**vars(rules), "state_dir": preconditions.settings.state_dir})
    root_lookup = Openat2(root.path, preconditions.identities[0]) if asks_at_once and sys.platform == "linux" else None
    return CachedGrant(made, merged, origin.file, (), preconditions, root_lookup)


def slowly(entry: CachedGrant, action: str, args: dict[str, Any]) -> Decision:
    """Decide with the engine, as calls without a store do."""
    decision = resolve_paths_decide_and_take_hit(
        entry.grant, action, rebuild_arguments(args), peek=True, settings=entry.settings, budgets=MemoryBudgets()
    )
    return Decision(**{**vars(decision), "grant_sha256": entry.prepared.digest})


@whatever
@given(
    grants,
    calls,
    st.sampled_from(["tree", "push"]),
    st.sampled_from(["", "docs", "docs/a", "packages", ".."]),
    st.builds(
        Settings,
        st.sampled_from(["allow", "ask", "deny"]),
        st.booleans(),
        undeclared_args=st.sampled_from(["allow", "deny"]),
    ),
)
@example(
    Grant("git", "g", ("tree",), Rate(1), {}, "internal", ("docs",)), {"path": "docs/a/file"}, "tree", "", Settings()
)
@example(
    Grant("git", "g", ("tree",), Rate(1), {}, "internal", ("docs",)), {"path": "docs/a/link/a"}, "tree", "", Settings()
)
@example(Grant("git", "g", ("tree",), Rate(1), {}, "internal", ()), {"path": "docs/into/x"}, "tree", "", Settings())
def test_a_call_that_is_allowed_fast_is_allowed_by_the_engine(
    maze: Path, grant: Grant, args: dict[str, Any], action: str, where: str, rules: Settings
) -> None:
    """From any working directory, twice in a row; calls that it leaves to the engine are not tested here."""
    given_args = {
        name: value.replace("ROOT", str(maze)) if isinstance(value, str) else value for name, value in args.items()
    }
    os.chdir(maze / where)
    try:
        os.chdir(maze)
        first, other = entry_of(grant, rules), entry_of(grant, rules, asks_at_once=False)
        os.chdir(maze / where)
        for entry in (first, first, other):
            found = entry.try_allow(action, given_args, with_budget=True)
            event("answered" if found else "declined")
            if found is not None:
                assert found == slowly(entry, action, given_args)
                without_budget = entry.try_allow(action, given_args, with_budget=False)
                assert without_budget is not None
                assert without_budget._fields() == (*found._fields()[:3], None, *found._fields()[4:])
        bare = first.prepared.without_arguments.get(action)
        if bare is not None:
            assert bare == slowly(first, action, {})
    finally:
        os.chdir(maze)


@whatever
@given(st.lists(st.sampled_from(PARTS[:12]), min_size=1, max_size=5), st.sampled_from(["", "docs", "docs/a"]))
def test_a_path_without_links_is_allowed_without_the_engine(maze: Path, parts: list[str], where: str) -> None:
    """Any path that is no link and leads through none; otherwise the fast path would never be used."""
    entry = entry_of(Grant("git", "g", ("tree",), Rate(1), {}, "internal", ("docs", "packages")), Settings())
    given_path = "/".join(parts)
    place = maze / where / given_path
    os.chdir(maze / where)
    try:
        found = entry.try_allow("tree", {"path": given_path}, with_budget=True)
        is_plain = os.path.realpath(place) == str(place) and place.parent.is_dir()
        expected = bool(slowly(entry, "tree", {"path": given_path})) and is_plain
        assert found is not None or not expected
    finally:
        os.chdir(maze)


@pytest.mark.parametrize("asks_at_once", [True, False])
def test_a_link_that_takes_the_place_of_a_directory_is_seen_at_once(maze: Path, *, asks_at_once: bool) -> None:
    """Only the text of a path is kept: the disk is asked each time."""
    grant = Grant("git", "g", ("tree",), Rate(1), {}, "internal", ("docs",))
    entry = entry_of(grant, Settings(), asks_at_once=asks_at_once)
    call = {"path": "docs/a/file"}
    assert entry.try_allow("tree", call, with_budget=True)
    (maze / "docs" / "a").rename(maze / "docs" / "was-a")
    (maze / "docs" / "a").symlink_to("/etc")
    assert entry.try_allow("tree", call, with_budget=True) is None
    assert not slowly(entry, "tree", call)


@pytest.mark.skipif(sys.platform != "linux", reason="two names are swapped as Linux does")
@pytest.mark.parametrize("asks_at_once", [True, False])
def test_a_path_that_never_existed_is_not_allowed_while_another_process_swaps_its_parts(
    maze: Path, *, asks_at_once: bool
) -> None:
    """A directory with a link in it, and a link to a directory with a file: both lead out of the root."""
    (maze / "docs" / "swapped").mkdir()
    (maze / "docs" / "swapped" / "x").symlink_to("/etc/passwd")
    (maze.parent / "outside").mkdir()
    (maze.parent / "outside" / "x").touch()
    (maze / "docs" / "other").symlink_to(maze.parent / "outside")
    swap = "import ctypes, sys\nwhile True: ctypes.CDLL(None).renameat2(-100, b'docs/swapped', -100, b'docs/other', 2)"
    entry = entry_of(
        Grant("git", "g", ("tree",), Rate(1), {}, "internal", ("docs",)), Settings(), asks_at_once=asks_at_once
    )
    with subprocess.Popen([sys.executable, "-c", swap]) as swapper:
        try:
            answers = {entry.try_allow("tree", {"path": "docs/swapped/x"}, with_budget=True) for _ in range(20_000)}
        finally:
            swapper.kill()
    assert answers == {None}


def test_any_number_of_paths_takes_bounded_memory(maze: Path) -> None:
    """Entries are dropped when there are too many."""
    assert maze.is_dir()
    entry = entry_of(Grant("git", "g", ("tree",), Rate(1), {}, "internal", ("docs",)), Settings())
    for number in range(3 * MAX_PATHS):
        assert entry.try_allow("tree", {"path": f"docs/{number}"}, with_budget=True)
        entry.try_allow("tree", {f"x{number}": 1}, with_budget=True)
    assert entry.path_cache is not None
    assert len(entry.path_cache) <= MAX_PATHS


@pytest.mark.skipif(sys.platform != "linux", reason="mounts as Linux has them")
@pytest.mark.parametrize("asks_at_once", [True, False])
@pytest.mark.parametrize(
    ("below", "inside"),
    [("policy", ("", "/tools/git.json")), ("", ("", "/policy")), ("..", ("/.cortex", "/.cortex/policy"))],
)
def test_a_protected_directory_is_noticed_through_a_mount(
    maze: Path, below: str, inside: tuple[str, ...], *, asks_at_once: bool
) -> None:
    """A directory that is mounted elsewhere is reached without a link, and keeps its identity."""
    (maze / "docs" / "mounted").mkdir()
    mount = ["mount", "--bind", str(maze / ".cortex" / below), str(maze / "docs" / "mounted")]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        grant = Grant("git", "g", ("tree",), Rate(1), {}, "internal", ("docs",))
        entry = entry_of(grant, Settings(), asks_at_once=asks_at_once)
        for end in inside:
            args = {"path": f"docs/mounted{end}"}
            assert entry.try_allow("tree", args, with_budget=True) is None
            assert not slowly(entry, "tree", args)
    finally:
        subprocess.run(["umount", str(maze / "docs" / "mounted")], check=True)


def test_a_root_whose_name_is_that_of_a_rotated_log_is_left_to_the_engine(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose name begins with that of the log and a dash may be a rotated log."""
    root = root.rename(root.parent / "log-1")
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_FILE", str(root.parent / "log"))
    with PolicyStore(root) as store:
        for _ in range(20):  # until the grant lies still, and is kept
            assert store.decide("model-gateway", "chat", {"path": str(root / "x")}).reason == PATH_OUTSIDE_SCOPE
            sleep(0.005)
