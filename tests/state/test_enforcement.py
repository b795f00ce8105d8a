"""Asked from Python: every answer is a decision or an error of ours, and only a yes consumes."""

import os
from collections import UserDict, UserList, deque
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.model import Budget, CortexPolicyError, GrantError, UsageError
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.state.enforcement import resolve_paths_decide_and_take_hit


class BytesPath:
    """A path-like object that stands for bytes."""

    def __init__(self, path: bytes) -> None:
        self._path = path

    def __fspath__(self) -> bytes:
        return self._path


here = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
texts = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["\ud800", "docs/\udcff", "docs/\0", "\0", "~", "/", "//", "..", "docs/x", "docs/" * 1000, "x" * 300, "/proc/self/fd/0/x", "/dev/fd/0"]
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | st.sampled_from(["path", "file"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
arguments = st.dictionaries(
    st.sampled_from(["path", "Target_Path", "repo", "options", "x"]) | texts, values, max_size=4
)


@here
@given(arguments, st.sampled_from(["tree", "push"]) | texts)
@example({"path": "\ud800"}, "tree")
@example({"path": ["docs/x", "\0"]}, "\udcff")
@pytest.mark.usefixtures("root")
def test_any_arguments_and_any_text_as_a_path_get_an_answer(args: dict[str, object], action: str) -> None:
    """Surrogates, NUL, names that are too long: yes or no, and no exception but our own."""
    scoped, open_to_all = load_grant("git"), load_grant("model-gateway")
    assert resolve_paths_decide_and_take_hit(scoped, action, args, peek=True).reason.exit_code in {0, 10, 11, 12}
    assert resolve_paths_decide_and_take_hit(open_to_all, "chat", args, peek=True).reason.exit_code in {0, 12}
    try:
        enforce(scoped, action, args)
    except CortexPolicyError as error:
        assert 10 <= error.exit_code < 30  # noqa: PT017 - no error at all is fine too


@here
@given(st.integers(max_value=0) | st.floats() | st.booleans() | texts | st.none())
@pytest.mark.usefixtures("root")
def test_a_cost_is_an_integer_of_at_least_one(cost: int) -> None:
    """Nothing else is taken for one."""
    with pytest.raises(UsageError):
        enforce(load_grant("git"), "tree", cost=cost)


@pytest.mark.usefixtures("root")
def test_a_cost_of_any_size_is_denied_in_our_words() -> None:
    """Python refuses to print an integer of more than 4,300 digits; the denial does not depend on it."""
    with pytest.raises(AccessDenied):
        enforce(load_grant("git"), "tree", cost=10**5000)


@pytest.mark.usefixtures("root")
def test_only_an_allowed_call_consumes_budget() -> None:
    """Whichever rule says no, and a peek, leave the budget alone."""
    grant = load_grant("git")
    for action, args in (
        ("push", {}),
        ("tree", {"repo": 3}),
        ("tree", {"path": "etc"}),
        ("tree", {"path": "docs/link/x"}),
    ):
        with pytest.raises(AccessDenied) as caught:
            enforce(grant, action, args)
        assert caught.value.exit_code == caught.value.decision.reason.exit_code
    resolve_paths_decide_and_take_hit(grant, "tree", {}, peek=True)
    assert enforce(grant, "tree", {"path": "docs"}).budget == Budget(30, 1, 29, 0.0, 1)


@pytest.mark.usefixtures("root")
def test_path_like_objects_and_collections_are_looked_into() -> None:
    """No wrapping hides a path from its rule."""
    grant = load_grant("git")
    assert enforce(grant, "tree", {"path": PurePosixPath("docs/x")})
    assert enforce(grant, "tree", {"paths": {"docs/x", "docs/y"}})
    nested = {"edits": ({"file": PurePosixPath("etc/x")},)}
    for args in (
        {"path": PurePosixPath("etc/x")},
        {"paths": frozenset({"docs/x", "etc/x"})},
        nested,
        {"o": {"a": nested}.values()},
    ):
        with pytest.raises(AccessDenied, match="etc/x"):
            enforce(grant, "tree", args)


@pytest.mark.parametrize(
    "path",
    [b".cortex/policy/x", BytesPath(b".cortex/policy/x"), PurePosixPath(".cortex/policy/x"), deque(["docs", ".cortex/policy/x"]),
     UserList([BytesPath(b".cortex/policy/x")]), UserDict({"file": ".cortex/policy/x"}), {"a": [b"", {"file": b".cortex/policy"}]}],
)  # fmt: skip
@pytest.mark.usefixtures("root")
def test_no_type_of_path_reaches_protected_files(path: object) -> None:
    """A grant without scope looks into the same types as one with a scope."""
    with pytest.raises(AccessDenied, match="governs grants"):
        enforce(load_grant("model-gateway"), "chat", {"path": path})


@pytest.mark.usefixtures("root")
def test_values_that_cannot_be_examined_are_refused() -> None:
    """A path may hide in it; bytes are text of the system."""
    grant = load_grant("model-gateway")
    assert enforce(grant, "chat", {"content": b"\xff"})
    for value in (bytearray(b"x"), memoryview(b"x"), range(10**12), iter(["x"]), object(), 1j):
        with pytest.raises(UsageError, match="cannot be examined"):
            enforce(grant, "chat", {"content": value})
    with pytest.raises(UsageError, match="arguments are a mapping"):
        enforce(grant, "chat", [1])  # type: ignore[arg-type]


def test_a_root_may_be_any_path(root: Path) -> None:
    """A `Path` is what a library's user passes first; an id is a string."""
    assert load_grant("git", root).id == load_grant("git", str(root)).id == "git"
    with pytest.raises(UsageError, match="an id is a string"):
        load_grant(5)  # type: ignore[arg-type]


@pytest.mark.usefixtures("root")
def test_arguments_nested_too_deep_are_refused() -> None:
    """Even those that contain themselves."""
    loop: list[object] = []
    loop.append(loop)
    with pytest.raises(UsageError, match="nested deeper"):
        enforce(load_grant("git"), "tree", {"x": loop})


@pytest.mark.usefixtures("root")
def test_a_grant_that_came_from_no_root_is_never_asked() -> None:
    """Without its root there is no scope and no budget."""
    loaded = load_grant("git")
    made = type(loaded)(
        loaded.id, loaded.tool, loaded.actions, loaded.rate, loaded.args, loaded.data_class, loaded.fs_scope
    )
    with pytest.raises(GrantError, match="not loaded from a root"):
        enforce(made, "tree")


@here
@given(texts, texts | st.none())
@example("git", "/")
@example("git.json", None)
@example("../tools/git", None)
@example("git", "\ud800")
@example("git", "\0")
@pytest.mark.usefixtures("root")
def test_any_text_as_an_id_or_a_root_gets_an_answer(grant_id: str, named: str | None) -> None:
    """A grant, or an error of ours."""
    try:
        assert load_grant(grant_id, named).id == grant_id
    except GrantError as error:
        assert 20 <= error.exit_code < 30  # noqa: PT017 - a grant is fine too


@pytest.mark.usefixtures("root")
def test_settings_of_the_environment_are_read_again_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grant that was loaded before is no way round them."""
    grant = load_grant("git")
    monkeypatch.setitem(os.environ, "CORTEX_POLICY_REQUIRE_PATH", "true")
    with pytest.raises(AccessDenied) as caught:
        enforce(grant, "tree")
    assert caught.value.exit_code == 12
