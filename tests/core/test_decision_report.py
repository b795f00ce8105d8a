"""A decision and its error say in words what was decided, and what would help."""

import copy
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_policy import AccessDenied, Decision, GrantError, PolicyStore, UsageError, enforce, load_grant
from cortex_policy.core.model import ALLOWED, PATH_OUTSIDE_SCOPE, RATE_LIMITED, Approval, Budget, ResolvedPath

INSIDE = ResolvedPath("path", "docs/x", "docs/x", "docs/x", "/srv/repo/docs/x")
OUTSIDE = ResolvedPath("target", "/etc\x1b[31m", None, None, "/etc\x1b[31m")
LOOP = ResolvedPath("path", "loop", error="too many links")


def test_an_explained_decision_names_paths_budget_obligation_and_approval() -> None:
    """One line each, in this order."""
    decision = Decision(
        ALLOWED,
        obligations=("human_approval",),
        budget=Budget(30, 1, 29, 0.0, 1),
        paths=((INSIDE, "docs"),),
        approval=Approval("1f0c9a7e", "used", 20.0),
    )
    assert decision.explain().splitlines() == [
        "allowed",
        "path `docs/x` (path) -> `/srv/repo/docs/x`: in scope `docs`",
        "budget: 29 of 30 left",
        "obligation: human_approval",
        "approval: request `1f0c9a7e` is used",
    ]


def test_an_explained_denial_says_why_a_path_was_not_followed_and_when_a_call_fits() -> None:
    """Control characters of a path are escaped."""
    denied = Decision(PATH_OUTSIDE_SCOPE, "`loop` cannot be resolved", paths=((OUTSIDE, None), (LOOP, None)))
    assert denied.explain().splitlines() == [
        "path not within fsScope: `loop` cannot be resolved",
        "path `/etc\\x1b[31m` (target)",
        "path `loop` (path): too many links",
    ]
    late = Decision(RATE_LIMITED, budget=Budget(30, 30, 0, 4.25, 0))
    assert late.explain() == "rate limit exceeded\nbudget: 0 of 30 left, a call fits in 4.2 seconds"
    never = Decision(RATE_LIMITED, budget=Budget(30, 0, 30, None, 0))
    assert never.explain() == "rate limit exceeded\nbudget: 30 of 30 left"


def test_a_decision_prints_as_its_message() -> None:
    """In a log or a debugger; control characters are escaped."""
    assert repr(Decision(ALLOWED)) == "<Decision 'allowed'>"
    assert repr(Decision(PATH_OUTSIDE_SCOPE, "\x1b")) == "<Decision 'path not within fsScope: \\x1b'>"


@pytest.mark.parametrize(
    ("action", "args", "message", "hint"),
    [
        (
            "push",
            {},
            "action not allowed: `push`",
            "allowed actions: tree, snippet, search; an operator allows the action with",
        ),
        (
            "tree",
            {"path": "/etc"},
            "path not within fsScope: `/etc` is in no scope",
            "paths in these scopes are allowed: ",
        ),
    ],
)
def test_a_denial_names_the_grant_and_the_action_and_says_what_would_help(
    root: Path, action: str, args: dict[str, object], message: str, hint: str
) -> None:
    """By the function and by a store; after `pickle` and `copy` too."""
    with PolicyStore(root) as store:
        for call in (lambda: enforce(load_grant("git"), action, args), lambda: store.enforce("git", action, args)):
            with pytest.raises(AccessDenied) as caught:
                call()
            denied = caught.value
            for error in (denied, pickle.loads(pickle.dumps(denied)), copy.deepcopy(denied)):  # noqa: S301 - our own
                assert str(error) == f"git {action}: {message}"
                assert error.hint.startswith(hint)
                assert error.action == action
                assert error.grant == denied.grant


def test_a_denial_by_the_rate_says_when_a_call_fits(root: Path) -> None:
    """From the fast path of a store."""
    tools = root / ".cortex" / "policy" / "tools"
    (tools / "once.json").write_text('{"tool": "once", "actions": ["run"], "rate": {"perMinute": 1}}')
    with PolicyStore(root) as store:
        store.enforce("once", "run")
        with pytest.raises(AccessDenied, match=r"^once run: rate limit exceeded") as caught:
            store.enforce("once", "run")
    assert "wait for it with `--wait" in caught.value.hint


def test_a_denial_without_a_grant_has_no_hint() -> None:
    """As one that another program makes."""
    error = AccessDenied(Decision(PATH_OUTSIDE_SCOPE))
    assert (str(error), error.hint, error.grant, error.action) == ("path not within fsScope", "", None, "")


def test_wrong_arguments_raise_a_public_error(root: Path) -> None:
    """A caller can catch it by name."""
    with pytest.raises(UsageError, match="cost"):
        enforce(load_grant("git", root), "tree", cost=0)


def _unset_json(root: Path) -> None:
    (root / ".cortex/policy/tools/git.json").write_text("{")


def _open_to_all(root: Path) -> None:
    (root / ".cortex/policy/tools/git.json").chmod(0o666)


def _require_stamp(root: Path) -> None:
    (root / ".cortex/policy/config.toml").write_text('stamp = "require"\n')
    (root / ".cortex/policy/stamp.json").write_text("{}")


def _break_settings(root: Path) -> None:
    (root / ".cortex/policy/config.toml").write_text("stamp = 3\n")


def _remove_grant(root: Path) -> None:
    (root / ".cortex/policy/tools/git.json").unlink()


def _remove_grants(root: Path) -> None:
    shutil.rmtree(root / ".cortex/policy/tools")


def _remove_root(root: Path) -> None:
    root.rename(root.with_name("moved"))


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_remove_grant, 20), (_remove_grants, 20), (_unset_json, 21), (_open_to_all, 22), (_require_stamp, 23),
        (_remove_root, 25), (_break_settings, 27),
    ],
)  # fmt: skip
def test_an_error_of_loading_names_the_grant_and_the_root_and_says_what_would_help(
    root: Path, spoil: Callable[[Path], None], code: int
) -> None:
    """In each way that a program loads a grant; after `pickle` too."""
    with PolicyStore(root) as store:
        held = load_grant("git", root)
        spoil(root)
        calls: list[Callable[[], object]] = [
            lambda: load_grant("git", root), lambda: store.load("git"), lambda: store.decide("git", "tree"),
            lambda: store.enforce("git", "tree"),
        ]  # fmt: skip
        if code in (23, 27):  # a grant that is loaded already does not see its file
            calls.append(lambda: enforce(held, "tree"))
        for call in calls:
            with pytest.raises(GrantError) as caught:
                call()
            error = caught.value
            assert (error.exit_code, error.grant_id, error.root or str(root)) == (code, "git", str(root))
            assert str(error).startswith(f"git: {error.message}")
            assert str(root) in str(error)
            assert error.hint
            assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - made here
