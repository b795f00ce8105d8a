"""Values and errors arrive in another process as they left, or not at all."""

import copy
import importlib
import json
import multiprocessing
import pickle
import pkgutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

import cortex_policy
from cortex_policy import AccessDenied, ApprovalRequired, CortexPolicyError, Decision, PolicyStore, Reason, load_grant
from cortex_policy.batch.request_line import BadRequestError
from cortex_policy.core import Value, model
from cortex_policy.core.model import ALLOWED, NOT_DONE, REASONS, STOPPED, USAGE, Grant, UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.library.event_delivery.spool import SpoolError
from cortex_policy.library.functions import make_denial_error
from cortex_policy.manage.diff.git_revisions import NoCommitsError
from cortex_policy.state import Root
from cortex_policy.state.approval_store import ApprovalStoreError
from cortex_policy.state.audit_errors import AuditLogError
from cortex_policy.state.emergency_stop import EmergencyStop, EmergencyStopped
from tests.support.roots import GIT

WAYS: list[Callable[[object], object]] = [
    copy.copy,
    copy.deepcopy,
    *(lambda thing, number=number: pickle.loads(pickle.dumps(thing, number)) for number in range(6)),  # noqa: S301
]
NAMES = ["copy", "deepcopy", *map(str, range(6))]
PLACE = model.ResolvedPath("path", "x", "x", "x", "/r/x")
ORIGIN = model.Origin("/r", "/r/f", "0" * 64, (1, 2), (1, 3), (1, 4))
BUDGET = model.Budget(30, 30, 0, 4.5, 0)
APPROVAL = model.Approval("a-b", "waiting", 30.0)
NO = Decision(model.APPROVAL_REQUIRED, "why", (model.HUMAN_APPROVAL,), BUDGET, ((PLACE, "x"),), "0" * 64, APPROVAL)
GRANT = Grant(
    "git", "git-map", ("tree",), model.Rate(30), {"path": {"enum": ["a", {"b": 1}]}}, "internal", ("x",), ORIGIN
)
VALUES: list[Value] = [
    NO,
    Decision(ALLOWED, "", (), BUDGET),
    GRANT,
    model.Request("tree", {"path": "x"}, (PLACE,), 2),
    model.Settings(sensitive="ask"),
    cortex_policy.StoreStats(1, 2, 3, 4, 5, 0.5, 7),
    cortex_policy.GrantChanged("git", None, "0" * 64, "widened"),
    Root("/r", trusts_owner=True),
]
ERRORS: list[CortexPolicyError] = [
    CortexPolicyError(model.GRANT_INVALID, "what", "how"),
    cortex_policy.GrantError(model.GRANT_UNSAFE, "what", "chmod"),
    cortex_policy.StateError(model.STATE_UNAVAILABLE, "what"),
    AccessDenied(Decision(model.RATE_LIMITED, "none left", (), BUDGET)),
    make_denial_error(NO, GRANT, "tree"),
    EmergencyStopped(EmergencyStop("/etc/stop", is_of_host=True), Root("/r", trusts_owner=True)),
    model.BudgetServerError(model.STATE_UNAVAILABLE, "busy", "try again"),
    UsageError("what", "how"),
    AuditLogError("/log", "is full", "df"),
    ApprovalStoreError("/docket", "is full"),
    NotDoneError("somebody else writes", "wait"),
    NoCommitsError("no commit", "commit"),
    SpoolError("/spool", "it is full"),
    BadRequestError("the line is not JSON", "quote it"),
]


def known(error: CortexPolicyError) -> tuple[object, ...]:
    """Return all that an error says."""
    said = (error.reason, error.detail, error.hint, error.exit_code, error.root, error.file, error.sha256)
    call = (getattr(error, name, None) for name in ("grant", "action", "decision"))
    return (type(error), str(error), error.args, *said, *call)


@pytest.mark.parametrize("way", WAYS, ids=NAMES)
def test_a_pickled_value_is_equal_after_loading(way: Callable[[object], object]) -> None:
    """With whatever it holds."""
    for value in VALUES:
        found = way(value)
        assert type(found) is type(value)
        assert found == value
        assert bool(found) == bool(value)


@pytest.mark.parametrize("way", WAYS, ids=NAMES)
def test_a_pickled_reason_is_the_same_object_after_loading(way: Callable[[object], object]) -> None:
    """It is compared by `is`."""
    for reason in (*REASONS, NOT_DONE, USAGE):
        assert way(reason) is reason
    found = way(NO)
    assert isinstance(found, Decision)
    assert found.reason is NO.reason


@pytest.mark.parametrize("way", WAYS, ids=NAMES)
def test_a_pickled_error_is_equal_after_loading(way: Callable[[object], object]) -> None:
    """With what was learned of it after it was made."""
    for error in ERRORS:
        error.root, error.file, error.sha256 = "/r", "/r/f", "0" * 64
        found = way(error)
        assert isinstance(found, CortexPolicyError)
        assert known(found) == known(error)
        assert found is not error


@pytest.mark.filterwarnings("ignore:`cortex_policy.adapters.sinks` is deprecated:DeprecationWarning")
def test_every_error_of_the_package_is_pickled_in_this_test() -> None:
    """One that is added has to arrive too."""
    for module in pkgutil.walk_packages(cortex_policy.__path__, "cortex_policy."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

    def below(kind: type[CortexPolicyError]) -> set[type[CortexPolicyError]]:
        return {kind}.union(*map(below, kind.__subclasses__()))

    ours = {kind for kind in below(CortexPolicyError) if kind.__module__.startswith("cortex_policy.")}
    assert ours == set(map(type, ERRORS))


@pytest.mark.parametrize("way", WAYS, ids=NAMES)
def test_no_copy_of_a_denial_allows(way: Callable[[object], object]) -> None:
    """A reason that only looks like ALLOWED denies here, and so it must not become ALLOWED elsewhere."""
    for reason in (Reason("allowed", "allowed", 0), Reason("allowed", "x", 10), Reason("mine", "mine", 0)):
        denied = Decision(reason)
        assert not denied
        with pytest.raises(ValueError, match="reason"):
            way(denied.reason)


def test_a_word_that_this_version_does_not_know_is_an_error() -> None:
    """As another version could have sent it."""
    sent = pickle.dumps(Decision(STOPPED)).replace(b"stopped", b"snapped")
    with pytest.raises(ValueError, match="snapped"):
        pickle.loads(sent)  # noqa: S301 - made here


@pytest.mark.usefixtures("root")
def test_a_load_says_the_same_elsewhere() -> None:
    """A grant that was read from its file."""
    grant = load_grant("git")
    assert pickle.loads(pickle.dumps(grant)) == grant == copy.deepcopy(grant)  # noqa: S301 - made here


def ask(root: str) -> Decision:
    """Ask, in a process of a pool, for what is denied."""
    with PolicyStore(root) as store:
        return store.enforce("git", "push", {"path": "docs/x"})


def wait_for_human(root: str) -> Decision:
    """Ask for what a human must allow."""
    with PolicyStore(root) as store:
        return store.enforce("deploy", "tree")


def load_nobody(root: str) -> object:
    """Ask for a grant that is not there."""
    with PolicyStore(root) as store:
        return store.load("nobody")


def test_an_error_crosses_a_pool_of_processes(root: Path) -> None:
    """Of both kinds, with all that the caller would have known in its own process."""
    policy = root / ".cortex" / "policy"
    (policy / "tools" / "deploy.json").write_text(json.dumps({**GIT, "dataClass": "sensitive"}))
    (policy / "config.toml").write_text('sensitive = "ask"\n')
    context = multiprocessing.get_context("spawn")
    for work, kind in ((ask, AccessDenied), (wait_for_human, ApprovalRequired), (load_nobody, CortexPolicyError)):
        with pytest.raises(kind) as here:
            work(str(root))
        with ProcessPoolExecutor(1, context) as pool, pytest.raises(kind) as other:
            pool.submit(work, str(root)).result()
        assert known(other.value)[:-1] == known(here.value)[:-1]
        with context.Pool(1) as workers, pytest.raises(kind) as another:
            workers.apply(work, (str(root),))
        assert known(another.value)[:-1] == known(here.value)[:-1]
        if isinstance(here.value, AccessDenied):
            assert isinstance(other.value, AccessDenied)
            assert not other.value.decision
            assert other.value.decision.reason is here.value.decision.reason
            assert other.value.decision.grant_sha256 == here.value.decision.grant_sha256
        if isinstance(here.value, ApprovalRequired):
            assert isinstance(other.value, ApprovalRequired)
            assert other.value.request_id == here.value.request_id is not None
