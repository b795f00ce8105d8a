"""An old public name works for one more version, and each use of it warns with the new name."""

import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import cortex_policy
from cortex_policy import AccessDenied, ApprovalRequired, Decision, GrantError, PolicyStore, Request, ResolvedPath
from cortex_policy.core import Value, model

NAMES = {
    "Change": "GrantChanged",
    "Place": "ResolvedPath",
    "Stats": "StoreStats",
    "Warmth": "PreloadResult",
    "guarded": "enforced",
}
PATH = ResolvedPath("path", "x/../y", "y", "z", "/r/z", "it failed", "it governs grants")
FIELDS: list[tuple[object, str, str]] = [
    (PATH, "collapsed", "normalized"),
    (PATH, "landed", "resolved_inside"),
    (PATH, "fault", "error"),
    (PATH, "guard", "protected_reason"),
    (Request("tree", {}, (PATH,)), "places", "paths"),
    (Decision(model.ALLOWED, paths=((PATH, "y"),)), "places", "paths"),
]
PICKLES = Path(__file__).parent / "pickles_of_0.1.0"
HERE = Path(__file__).name


def one_warning(use: Callable[[], object], *words: str) -> object:
    """Use an old name; return what it gave, once it is seen that one warning names these words and the line here."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value = use()
    assert [one.category for one in caught] == [DeprecationWarning]
    assert Path(caught[0].filename).name == HERE
    message = str(caught[0].message)
    assert all(f"`{word}" in message for word in words), message
    return value


@pytest.mark.parametrize(("old", "new"), NAMES.items())
def test_an_old_name_of_the_package_is_the_new_object(old: str, new: str) -> None:
    """Each time that it is read, and although it is in no list of names."""
    for _ in range(2):
        assert one_warning(lambda: getattr(cortex_policy, old), old, new) is getattr(cortex_policy, new)
    assert old not in cortex_policy.__all__
    assert old not in dir(cortex_policy)


def test_importing_an_old_name_warns_once() -> None:
    """Although the import statement asks the package twice."""

    def use() -> object:
        from cortex_policy import Place  # noqa: PLC0415 - this line is tested

        return Place

    assert one_warning(use, "Place", "ResolvedPath") is ResolvedPath


def test_an_old_name_is_found_before_the_new_one_was_used() -> None:
    """In a process that has imported nothing else."""
    program = "import cortex_policy; print(cortex_policy.guarded.__name__)"
    command = [sys.executable, "-W", "error::DeprecationWarning:nowhere", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "enforced\n"), done.stderr


@pytest.mark.parametrize(("value", "old", "new"), FIELDS)
def test_an_old_field_has_the_value_of_the_new_one(value: object, old: str, new: str) -> None:
    """Of a value, and the default that its class has."""
    assert one_warning(lambda: getattr(value, old), f"{type(value).__name__}.{old}", new) == getattr(value, new)
    assert one_warning(lambda: getattr(type(value), old), f"{type(value).__name__}.{old}", new) == getattr(
        type(value), new
    )


@pytest.mark.parametrize(("value", "old", "new"), FIELDS)
def test_an_old_keyword_sets_the_new_field(value: Value, old: str, new: str) -> None:
    """Beside new ones, in the same call."""
    fields = {name: getattr(value, name) for name in value.__match_args__}
    keywords = {old if name == new else name: field for name, field in fields.items()}
    assert one_warning(lambda: type(value)(**keywords), f"{type(value).__name__}({old}=", new) == value


@pytest.mark.parametrize(("value", "old", "new"), FIELDS)
def test_a_field_is_not_given_by_both_names(value: Value, old: str, new: str) -> None:
    """Nor by its place and an old name; and a keyword that never was one stays an error."""
    fields = {name: getattr(value, name) for name in value.__match_args__}
    with pytest.raises(TypeError):
        type(value)(**fields, **{old: fields[new]})
    with pytest.warns(DeprecationWarning, match=old), pytest.raises(TypeError):
        type(value)(*fields.values(), **{old: fields[new]})
    with pytest.raises(TypeError):
        type(value)(**fields, **{f"{old}s": None})


def test_a_pattern_may_name_an_old_field() -> None:
    """As whatever reads it."""

    def use() -> object:
        match PATH:
            case ResolvedPath(landed=landed):  # type: ignore[misc] # mypy asks for an annotated field
                return landed
        return None

    assert one_warning(use, "ResolvedPath.landed", "resolved_inside") == "z"


def test_a_store_warms_as_it_preloads(root: Path) -> None:
    """Under the old name of the method."""
    with PolicyStore(root) as store:
        assert one_warning(lambda: store.warm(["git"]), "PolicyStore.warm", "preload") == store.preload(["git"])


def test_the_old_module_of_the_sinks_is_still_there() -> None:
    """It warns when it is imported."""
    program = "from cortex_policy.adapters.sinks import LoggingSink; print(LoggingSink.__name__)"
    command = [sys.executable, "-W", "always::DeprecationWarning", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "LoggingSink\n"), done.stderr
    assert done.stderr.count("DeprecationWarning: `cortex_policy.adapters.sinks` is deprecated") == 1


def test_no_new_name_warns(root: Path) -> None:
    """Nor does an ordinary call of a store."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with PolicyStore(root) as store:
            assert store.preload().loaded
            assert store.enforce("git", "tree", {"path": "docs/x"})
        assert repr(Decision(model.ALLOWED, paths=((PATH, "y"),)))
        assert pickle.loads(pickle.dumps(PATH)) == PATH  # noqa: S301
        for name in cortex_policy.__all__:
            getattr(cortex_policy, name)


OLD_PATH = ResolvedPath("path", "x/../y", "y", "y", "/r/y")
BUDGET = model.Budget(30, 30, 0, 4.5, 0)
APPROVAL = model.Approval("a-b", "waiting", 30.0)
ORIGIN = model.Origin("/r", "/r/f", "0" * 64, (1, 2), (1, 3), (1, 4))
DENIED = Decision(
    model.APPROVAL_REQUIRED, "why", (model.HUMAN_APPROVAL,), BUDGET, ((OLD_PATH, "x"),), "0" * 64, APPROVAL
)
VALUES: dict[str, object] = {
    "path": OLD_PATH,
    "guarded_path": ResolvedPath("path", "z", error="f", protected_reason="g"),
    "decision": DENIED,
    "grant": model.Grant(
        "git", "git-map", ("tree",), model.Rate(30), {"path": {"enum": ["a", {"b": 1}]}}, "internal", ("x",), ORIGIN
    ),
    "request": Request("tree", {"path": "x"}, (OLD_PATH,), 2),
    "settings": model.Settings(sensitive="ask"),
    "reason": model.ALLOWED,
}
ERRORS: dict[str, model.CortexPolicyError] = {
    "denied": AccessDenied(Decision(model.RATE_LIMITED, "none left", (), BUDGET)),
    "approval_required": ApprovalRequired(DENIED),
    "grant_error": GrantError(model.GRANT_UNSAFE, "what", "chmod"),
    "state_error": model.StateError(model.STATE_UNAVAILABLE, "what"),
    "usage_error": model.UsageError("what", "how"),
}


@pytest.mark.filterwarnings("ignore:`Place` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", [*VALUES, *ERRORS])
def test_a_pickle_of_the_last_version_loads(name: str) -> None:
    """A worker that was not updated yet may send one; the files were written by version 0.1.0."""
    found = pickle.loads((PICKLES / name).read_bytes())  # noqa: S301
    if name in VALUES:
        assert found == VALUES[name]
        return
    wanted = ERRORS[name]
    assert isinstance(found, model.CortexPolicyError)
    assert (type(found), str(found), found.hint, found.reason) == (
        type(wanted),
        str(wanted),
        wanted.hint,
        wanted.reason,
    )
    assert getattr(found, "decision", None) == getattr(wanted, "decision", None)


def test_a_pickle_with_an_old_name_warns() -> None:
    """The version after the next one cannot load it."""
    data = (PICKLES / "path").read_bytes()
    assert one_warning(lambda: pickle.loads(data), "Place", "ResolvedPath") == OLD_PATH  # noqa: S301
