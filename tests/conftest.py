"""What the tests share: a scratch root like the one a newcomer makes, and its own rate state."""

import gc
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from inspect import signature
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from cortex_policy.library import preconditions
from cortex_policy.state import Root, find_default_rate_state_directory, read_boot_id
from cortex_policy.state.ledger import format_budget_directory_name
from tests.support.roots import GIT
from tests.support.small_process import SmallProcess
from tests.support.stamps import stamp_grants
from tests.support.users import CALLER

# a shell that starts this in the background ignores Ctrl-C, and `nohup` a hangup, for all that is started from here too
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
DIRECTORIES = count()
os.fsync = os.fstat  # type: ignore[assignment]  # only a loss of power tells them apart: it took a fifth of the run
SMALL = SmallProcess()  # before any test is loaded
collect_ignore_glob = [] if sys.platform == "linux" else ["stress/*", "serve/*"]  # they know the process files of Linux


def pytest_collection() -> None:
    """Look for no garbage while tests are collected: there is none."""
    gc.disable()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Let no collection of garbage look at thousands of collected tests again: it took a seventh of the whole run."""
    gc.enable()
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """End the small process."""
    SMALL.end()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is marked `forks` in a small process: each fork of a worker with all tests takes 20 ms."""
    if pyfuncitem.get_closest_marker("forks") is None:
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in signature(pyfuncitem.obj).parameters}
    if failure := SMALL.run(pyfuncitem.obj, arguments):
        pytest.fail(failure, pytrace=False)
    return True


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Use two workers for each core with `-n auto`: many tests wait, for a disk, a process or a clock."""
    return 2 * len(os.sched_getaffinity(0)) if sys.platform == "linux" else 2 * (os.cpu_count() or 1)


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Make a directory for a test, and keep it if the test fails.

    The one of pytest lists all others, and links to the newest, for each test, and keeps those of three runs.
    """
    failed = request.session.testsfailed
    words = re.sub(r"\W", "_", request.node.name)[:16]
    directory = tmp_path_factory.getbasetemp() / f"{words}-{next(DIRECTORIES)}"
    directory.mkdir(mode=0o700)
    yield directory
    if request.session.testsfailed == failed:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep rate state and settings of each test apart from the user's."""
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    for name in [name for name in os.environ if name.startswith("CORTEX_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CORTEX_POLICY_STATE_DIR", str(directory))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return directory


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a root with a scoped grant and an unscoped one, and hostile links beside them; stand in it."""
    root = tmp_path / "root"
    tools = root / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    (tools / "git.json").write_text(json.dumps(GIT))
    gateway = {"tool": "model-gateway", "actions": ["chat"], "rate": {"perMinute": 60}}
    (tools / "model-gateway.json").write_text(json.dumps(gateway))
    for directory in (root, root / ".cortex", tools.parent, tools):
        directory.chmod(0o755)
    (root / "docs").mkdir()
    (root / "packages" / "a").mkdir(parents=True)
    (root / "docs" / "link").symlink_to("/etc")
    (root / "docs" / "link-to-etc").symlink_to("/etc")
    (root / "docs" / "dangling-link-to-etc-x").symlink_to("../etc/x")
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def found_root(root: Path) -> Root:
    """Name the root as a command finds it from where it is run."""
    return Root(str(root), trusts_owner=False)


@pytest.fixture
def stamped_root(found_root: Root) -> Root:
    """Stamp the grants of the root."""
    stamp_grants(found_root)
    return found_root


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an audit log, which does not exist yet."""
    monkeypatch.setenv("CORTEX_AUDIT_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


@pytest.fixture(params=["told", "unwatched"])
def ears(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Let stores learn of changes from the kernel alone, and never by the clock; or not from the kernel."""
    (tmp_path / "config").mkdir()  # else what happens beside it is told as well
    if request.param == "unwatched":
        monkeypatch.setattr(preconditions, "is_on_known_local_file_system", lambda _: False)
    elif sys.platform == "linux":
        monkeypatch.setattr(preconditions, "MAX_AGE_NS", 1 << 62)
    return str(request.param)


@pytest.fixture
def settled_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait until a settings file is old enough to be whole: for tests that are not about that."""
    monkeypatch.setattr("cortex_policy.state.settings.STABLE_NS", 0)


@pytest.fixture
def short_lock_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait a whole second for a lock: for tests in which its holder never lets go."""
    monkeypatch.setattr("cortex_policy.state.MAX_LOCK_WAIT", 0.02)


@pytest.fixture
def startable_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no `hook install` start the program to see that it can: for tests that are not about that."""
    monkeypatch.setattr("cortex_policy.manage.hooks.install_checks.check_program_starts", lambda: None)


@pytest.fixture
def own() -> Iterator[Path]:
    """Make a root that belongs to the caller, where the caller can reach it."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    root = Path(tempfile.mkdtemp(dir="/tmp"))
    tools = root / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    (tools / "git.json").write_text(json.dumps(GIT))
    for path in (root, *root.rglob("*")):
        os.chown(path, CALLER, CALLER)
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield root
    shutil.rmtree(root)


@pytest.fixture
def drafts_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the texts that editors leave apart from the user's."""
    place = tmp_path / "drafts"
    place.mkdir(mode=0o700)
    monkeypatch.setenv("TMPDIR", str(place))
    return place


# from bytecode a process starts in half the time, as it does for users
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# generation speed is the machine's, not ours: tests never assert a time
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")
settings.register_profile("storm", parent=settings.get_profile("project"), max_examples=300)
settings.register_profile("thorough", parent=settings.get_profile("project"), max_examples=20_000)  # by hand


@pytest.fixture
def agents_home(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give the caller a home without settings of agents, and no variable that a hook would not see.

    The budgets of the root are in the usual place then, which outlives the test.
    """
    names = (
        "CORTEX_POLICY_STATE_DIR",
        "XDG_CONFIG_HOME",
        "CLAUDE_CONFIG_DIR",
        "CODEX_HOME",
        "COPILOT_HOME",
        "GEMINI_CLI_HOME",
    )
    for name in names:
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    status = root.stat()
    yield home
    name = format_budget_directory_name((status.st_dev, status.st_ino), read_boot_id())
    shutil.rmtree(f"{find_default_rate_state_directory()}/{name}", ignore_errors=True)
