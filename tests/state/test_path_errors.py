"""A way that cannot be followed denies under any scope, and length is none of the reasons."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import pytest

from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.model import StateError
from cortex_policy.library.functions import enforce, load_grant
from cortex_policy.library.store import PolicyStore
from cortex_policy.state.enforcement import resolve_paths_decide_and_take_hit
from cortex_policy.state.memory_budgets import MemoryBudgets
from cortex_policy.state.paths import MAX_COMPONENTS, MAX_LINKS
from tests.support.users import by_caller

LONG = "d" * 200


def deep(start: int, length: int) -> tuple[int, str]:
    """Make directories below a descriptor, each by its name alone; return the innermost, and the way there."""
    here, way = os.dup(start), [LONG] * (length // len(LONG))
    for name in way:
        os.mkdir(name, dir_fd=here)
        below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
    return here, "/".join(way)


def is_allowed(path: str, grant: str = "model-gateway") -> bool:
    """Whether every door lets a path through; they agree."""
    loaded = load_grant(grant)
    found = bool(resolve_paths_decide_and_take_hit(loaded, loaded.actions[0], {"path": path}, peek=True))
    with PolicyStore() as store:
        assert bool(store.decide(grant, loaded.actions[0], {"path": path})) == found
    return found


@pytest.fixture
def chain(root: Path) -> Iterator[Path]:
    """Make a chain of links whose ways are each short, and longer than any path together."""
    (root / "work").mkdir()
    work = os.open(root / "work", os.O_RDONLY | os.O_DIRECTORY)
    first, way = deep(work, 3000)
    second, more = deep(first, 3000)
    os.symlink(f"{way}/next", "policy", dir_fd=work)
    os.symlink(f"{way}/next/../docs", "docs", dir_fd=work)
    os.symlink(f"{more}/last", "next", dir_fd=first)
    os.symlink(root / ".cortex" / "policy" / "tools" / "git.json", "last", dir_fd=second)
    os.symlink(root / "docs", "docs", dir_fd=second)
    yield root
    for descriptor in (work, first, second):
        os.close(descriptor)
    subprocess.run(["rm", "-rf", str(root / "work")], check=True)


@pytest.mark.parametrize(
    "path", ["work/policy", "work/docs/../policy", f"work/{LONG}/../policy", "work/nothing/../policy"]
)
def test_a_way_longer_than_a_path_may_be_is_followed_to_its_end(chain: Path, path: str) -> None:
    """The kernel walks each link from where it is."""
    assert (chain / "work" / "policy").read_bytes() == (chain / ".cortex/policy/tools/git.json").read_bytes()
    assert not is_allowed(path)
    assert not is_allowed(f"{chain}/{path}")


@pytest.mark.usefixtures("root")
def test_long_text_that_is_not_a_path_passes_an_unscoped_grant() -> None:
    """A long URL, a name that no file system has, and a long way below what does not exist."""
    absent = ("x" * 5000, f"docs/{'y' * 300}", "missing/" + "a/" * 5000 + "z", "/".join([LONG] * 50))
    for path in (f"https://example.com/?q={'x' * 9000}", *absent):
        assert is_allowed(path)
    for path in absent:  # as a program reads it that drops what is missing
        assert not is_allowed("/".join([path, *[".."] * (path.count("/") + 1), ".cortex/policy/x"]))


@pytest.mark.usefixtures("root")
def test_a_name_too_long_to_exist_is_in_no_scope() -> None:
    """A component of 300 letters, where a file system allows 255."""
    assert not is_allowed(f"docs/{'y' * 300}", "git")
    assert is_allowed(f"docs/{'y' * 200}", "git")


def test_a_loop_and_many_links_deny(root: Path) -> None:
    """Up to as many links as the kernel follows, and not one more."""
    (root / "docs" / "loop").symlink_to("loop")
    (root / "docs" / "one").symlink_to("two")
    (root / "docs" / "two").symlink_to("one/x")
    (root / "docs" / "0").mkdir()
    for number in range(1, MAX_LINKS + 2):
        (root / "docs" / str(number)).symlink_to(str(number - 1))
    for grant in ("git", "model-gateway"):
        assert not is_allowed("docs/loop", grant)
        assert not is_allowed("docs/one/y", grant)
        assert is_allowed(f"docs/{MAX_LINKS}/x", grant)
        assert not is_allowed(f"docs/{MAX_LINKS + 1}/x", grant)


def test_more_components_than_any_way_needs_deny(root: Path) -> None:
    """Those that exist count; those that do not, do not."""
    assert root.is_dir()
    for grant in ("git", "model-gateway"):
        assert not is_allowed("docs/../" * MAX_COMPONENTS + "docs/x", grant)
        assert is_allowed("docs/" + "./" * 3000 + "x", grant)
        assert is_allowed("docs/" + "missing/" * 3000 + "x", grant)
    here, number = os.open(root / "docs", os.O_RDONLY), 0
    try:
        while number <= MAX_COMPONENTS:
            os.mkdir("a", dir_fd=here)
            below = os.open("a", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here, number = below, number + 1
        assert not is_allowed("docs/" + "a/" * MAX_COMPONENTS, "model-gateway")
        assert is_allowed("docs/" + "a/" * 900, "model-gateway")
    finally:
        os.close(here)
        subprocess.run(["rm", "-rf", str(root / "docs" / "a")], check=True)


def test_a_directory_that_may_not_be_entered_denies(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else, root perhaps, follows the link in it."""
    (own / ".cortex" / "policy" / "tools" / "free.json").write_text(
        '{"tool": "f", "actions": ["a"], "rate": {"perMinute": 9}}'
    )
    (own / "work" / "private").mkdir(parents=True)
    (own / "work" / "private" / "link").symlink_to(own / ".cortex" / "policy")
    (own / "work" / "private").chmod(0o700)
    monkeypatch.chdir(own)
    with by_caller():
        grant = load_grant("free", own)
        for path in ("work/private/link", "work/private/nothing", "work/private/../private/link"):
            assert (
                "permission denied" in resolve_paths_decide_and_take_hit(grant, "a", {"path": path}, peek=True).detail
            )
        assert resolve_paths_decide_and_take_hit(
            grant, "a", {"path": "work/private"}, peek=True, budgets=MemoryBudgets()
        )  # it can be named


@pytest.mark.skipif(sys.platform != "linux", reason="proc is a file system of Linux")
@pytest.mark.parametrize(
    "path", ["/proc/self/root", "/proc/self/cwd/docs/x", "/proc/self", "/dev/fd/0", "/proc/thread-self/fd/0"]
)
@pytest.mark.usefixtures("root")
def test_a_link_of_a_process_denies(path: str) -> None:
    """Whatever its text says."""
    for grant in ("git", "model-gateway"):
        assert not is_allowed(path, grant)


PROC = """
import os, subprocess, sys
from cortex_policy.state.enforcement import resolve_paths_decide_and_take_hit
from cortex_policy.library.functions import load_grant
subprocess.run(["mount", "-t", "proc", "proc", "docs/proc"], check=True)
outcomes = []
for way in ("self/root", "self", "1/cwd/x", "self/status", "uptime"):
    for grant in ("git", "model-gateway"):
        found = load_grant(grant)
        outcomes.append(bool(resolve_paths_decide_and_take_hit(found, found.actions[0], {"path": f"docs/proc/{way}"}, peek=True)))
print(outcomes)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="proc is a file system of Linux")
def test_a_link_of_a_second_proc_mount_denies(root: Path) -> None:
    """It has a device of its own, as in the tree of a chroot or a container."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    (root / "docs" / "proc").mkdir()
    command = ["unshare", "-m", "--propagation", "private", sys.executable, "-c", PROC]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr or "permission denied" in done.stderr:
        pytest.skip("mounts are not permitted here")
    assert done.stdout.strip() == str([False] * 8 + [True] * 2), done.stderr


def test_a_link_on_another_device_is_followed(root: Path) -> None:
    """It is looked up in the list of mounts, and is none of a process."""
    shared = Path("/dev/shm")  # noqa: S108
    if not shared.is_dir() or shared.stat().st_dev == root.stat().st_dev:
        pytest.skip("there is no second file system here")
    link = shared / f"test-link-{os.getpid()}"
    link.symlink_to(root / "docs")
    try:
        assert is_allowed(f"{link}/x")
        link.unlink()
        link.symlink_to(root / ".cortex")
        assert not is_allowed(f"{link}/policy/x")
    finally:
        link.unlink()


@pytest.mark.usefixtures("root")
def test_without_a_free_descriptor_every_call_is_denied() -> None:
    """24, and no traceback; the next call is decided."""
    grant = load_grant("git")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, before[1]))
    try:
        while True:
            taken.append(os.open("/", os.O_RDONLY))
    except OSError:
        with pytest.raises(StateError, match="too many open files"):
            resolve_paths_decide_and_take_hit(grant, "tree", {"path": "docs/x"}, peek=True)
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert resolve_paths_decide_and_take_hit(grant, "tree", {"path": "docs/x"}, peek=True)


def test_resolving_a_path_leaves_no_descriptor_open(root: Path) -> None:
    """By a yes, a no, or a way that cannot be followed."""
    (root / "docs" / "loop").symlink_to("loop")
    grant, before = load_grant("git"), len(os.listdir("/dev/fd"))
    for path in ("docs/x", "docs/loop", "docs/../x", "docs/link/passwd", "/proc/self/cwd", "docs/" + "y" * 300):
        resolve_paths_decide_and_take_hit(grant, "tree", {"path": path}, peek=True)
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize("turns", [400, pytest.param(2000, marks=pytest.mark.storm)])
def test_renames_during_the_resolution_lead_to_no_protected_file(root: Path, turns: int) -> None:
    """A directory and a link into the policy that change places all the time: each answer was true at an instant."""
    (root / "docs" / "a").mkdir()
    (root / "docs" / "b").symlink_to("../.cortex/policy/tools")
    done, grant = Event(), load_grant("git")

    def swap() -> None:
        while not done.is_set():
            for one, other in (("a", "c"), ("b", "a"), ("c", "b"), ("a", "c"), ("b", "a"), ("c", "b")):
                os.rename(root / "docs" / one, root / "docs" / other)

    thread = Thread(target=swap)
    thread.start()
    try:
        for _ in range(turns):
            for place, _ in resolve_paths_decide_and_take_hit(
                grant, "tree", {"path": "docs/a/git.json"}, peek=True
            ).paths:
                assert place.protected_reason or place.resolved in (None, str(root / "docs" / "a" / "git.json"))
    finally:
        done.set()
        thread.join()


def test_a_working_directory_outside_of_the_namespace_denies(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel then names it `(unreachable)/x`, which is no way from our root."""
    assert root.is_dir()
    monkeypatch.setattr(os, "getcwd", lambda: "(unreachable)/docs")
    with pytest.raises(AccessDenied, match="working directory is gone"):
        enforce(load_grant("git", root), "tree", {"path": "x"})
