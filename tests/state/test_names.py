"""A store follows names: what a name leads to when a decision begins is what the decision is made on."""

import ctypes
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.model import GrantError
from cortex_policy.library import preconditions
from cortex_policy.library.store import PolicyStore
from tests.support.roots import GIT

STILL = 0.03  # seconds after which a file that was written may be kept
EXCHANGE = 2  # of renameat2
NAMES = pytest.mark.usefixtures("ears")
REQUIRE = "require_path = true\n"


def plant(root: Path, **members: object) -> Path:
    """Make a root with one grant."""
    tools = root / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    (tools / "git.json").write_text(json.dumps({**GIT, **members}))
    (root / "docs").mkdir()
    for directory in (root, root / ".cortex", tools.parent, tools):
        directory.chmod(0o755)
    return root


def digest(root: Path) -> str:
    """Return what a decision on the grant of a root says."""
    return hashlib.sha256((root / ".cortex" / "policy" / "tools" / "git.json").read_bytes()).hexdigest()


def point(link: Path, target: str | Path) -> None:
    """Let a link lead elsewhere in one step, as deployments do."""
    (other := link.with_name("next")).symlink_to(target)
    other.rename(link)


def put(old: Path, new: Path) -> None:
    """Put a directory in the place of another."""
    old.rename(old.with_name(old.name + ".old"))
    new.rename(old)


def exchange(one: Path, other: Path) -> None:
    """Exchange two names in one step."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, os.fsencode(one), -100, os.fsencode(other), EXCHANGE):
        pytest.skip("this system or its disk cannot exchange names")


def swap_link(top: Path) -> str:
    """Deploy by a link."""
    (top / "current").symlink_to("v1")
    return "current"


def swap_link_again(top: Path) -> None:
    """Lead it to the next version in one step."""
    point(top / "current", "v2")


def remake_link(top: Path) -> None:
    """Remove the link, and make another."""
    (top / "current").unlink()
    (top / "current").symlink_to(top / "v2")


def chain_of_links(top: Path) -> str:
    """Deploy by a link to a link, with a detour."""
    (top / "current").symlink_to("a/../stable")
    (top / "a").mkdir()
    (top / "stable").symlink_to("v1")
    return "current"


def swap_stable(top: Path) -> None:
    """Change the second link."""
    point(top / "stable", "v2")


def link_in_the_middle(top: Path) -> str:
    """Name a link below a link."""
    for name in ("r1", "r2"):
        (top / name).mkdir()
        (top / name / "app").symlink_to(f"../v{name[1]}")
    (top / "current").symlink_to("r1")
    return "current/app"


def swap_middle(top: Path) -> None:
    """Change the outer one."""
    point(top / "current", "r2")


def swap_inner(top: Path) -> None:
    """Change the inner one."""
    point(top / "r1" / "app", "../v2")


def replace_target(top: Path) -> None:
    """Leave the link, and replace what it leads to."""
    put(top / "v1", top / "v2")


def exchange_target(top: Path) -> None:
    """Leave the link, and exchange what it leads to."""
    exchange(top / "v1", top / "v2")


def below(top: Path) -> str:
    """Name a directory some levels down."""
    (top / "srv" / "deep").mkdir(parents=True)
    (top / "new" / "deep").mkdir(parents=True)
    (top / "v1").rename(top / "srv" / "deep" / "app")
    (top / "v2").rename(top / "new" / "deep" / "app")
    (top / "v2").symlink_to("srv/deep/app")
    return "srv/deep/app"


def replace_above(top: Path) -> None:
    """Replace a directory above it."""
    put(top / "srv", top / "new")


def link_above(top: Path) -> None:
    """Put a link in the place of a directory above it."""
    (top / "srv").rename(top / "old")
    (top / "srv").symlink_to("new")


def directory_for_link(top: Path) -> None:
    """Put a directory in the place of the link."""
    (top / "current").unlink()
    (top / "v2").rename(top / "current")
    (top / "v2").symlink_to("current")


WAYS = {
    "link": (swap_link, swap_link_again),
    "link-remade": (swap_link, remake_link),
    "link-becomes-directory": (swap_link, directory_for_link),
    "target-of-link-replaced": (swap_link, replace_target),
    "target-of-link-exchanged": (swap_link, exchange_target),
    "link-behind-link": (chain_of_links, swap_stable),
    "link-above": (link_in_the_middle, swap_middle),
    "link-behind-a-link-above": (link_in_the_middle, swap_inner),
    "directory-above-replaced": (below, replace_above),
    "directory-above-becomes-link": (below, link_above),
}


@NAMES
@pytest.mark.parametrize(("lay", "change"), WAYS.values(), ids=WAYS)
def test_a_root_is_the_directory_that_its_name_leads_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lay: Callable[[Path], str], change: Callable[[Path], None]
) -> None:
    """With its grants, its identity, and budgets of its own; by a relative name too, from wherever the process goes."""
    plant(tmp_path / "v1", rate={"perMinute": 1})
    plant(tmp_path / "v2", actions=["search", "tree"], rate={"perMinute": 1})
    monkeypatch.chdir(tmp_path)
    name = tmp_path / lay(tmp_path)
    time.sleep(STILL)
    with PolicyStore(os.path.relpath(name)) as store:
        monkeypatch.chdir("/")
        for _ in range(2):
            assert store.decide("git", "snippet", {"path": str(name / "docs" / "x")})
        assert store.enforce("git", "tree")
        with pytest.raises(AccessDenied):
            store.enforce("git", "tree")
        before = store.load("git").origin
        change(tmp_path)
        found = store.decide("git", "snippet", {"path": str(name / "docs" / "x")})
        assert (found.reason, found.grant_sha256) == ("action_not_allowed", digest(name))
        assert store.decide("git", "search", {"path": str(name / "docs" / "x")})
        assert store.enforce("git", "tree")
        after = store.load("git").origin
        assert before is not None
        assert after is not None
        assert before.root_identity != after.root_identity == (name.stat().st_dev, name.stat().st_ino)
        assert after.root == str(name.resolve())


@NAMES
def test_the_directory_that_a_name_leads_to_is_checked_again(tmp_path: Path) -> None:
    """A root that others may write is refused however good the one before was; stops and settings are its own."""
    plant(tmp_path / "v1")
    plant(tmp_path / "open").chmod(0o777)
    (plant(tmp_path / "stopped") / ".cortex" / "policy" / "stop").touch()
    (plant(tmp_path / "strict") / ".cortex" / "policy" / "config.toml").write_text(REQUIRE)
    (current := tmp_path / "current").symlink_to("v1")
    time.sleep(STILL)
    with PolicyStore(current) as store:
        for _ in range(2):
            assert store.decide("git", "tree")
            point(current, "open")
            with pytest.raises(GrantError, match="writable by everyone"):
                store.decide("git", "tree")
            point(current, "stopped")
            assert store.decide("git", "tree").reason == "stopped"
            point(current, "strict")
            assert store.decide("git", "tree").reason == "path_outside_scope"
            point(current, "v1")


@NAMES
@pytest.mark.parametrize("gone", ["link", "root", "policy"])
def test_a_root_that_is_gone_is_reported_as_such(tmp_path: Path, gone: str) -> None:
    """And one that comes back decides again."""
    plant(tmp_path / "v1")
    (tmp_path / "current").symlink_to("v1")
    away = {"link": tmp_path / "current", "root": tmp_path / "v1", "policy": tmp_path / "v1" / ".cortex" / "policy"}
    time.sleep(STILL)
    with PolicyStore(tmp_path / "current") as store:
        assert store.decide("git", "tree")
        aside = away[gone].rename(tmp_path / "aside")
        for ask in (store.decide, store.enforce):
            with pytest.raises(GrantError) as error:
                ask("git", "tree")
            assert (error.value.reason, error.value.exit_code) == ("root_not_found", 25)
        with pytest.raises(GrantError) as error:
            store.load("git")
        assert error.value.exit_code == 25
        assert list(store.preload().failures) == [""]
        aside.rename(away[gone])
        assert store.decide("git", "tree")


@NAMES
def test_a_root_that_was_walked_to_keeps_its_name(root: Path, tmp_path: Path) -> None:
    """Not its inode."""
    plant(tmp_path / "twin", actions=["push"])
    time.sleep(STILL)
    with PolicyStore() as store:
        assert store.decide("git", "tree")
        put(root, tmp_path / "twin")
        assert not store.decide("git", "tree")
        assert store.decide("git", "push")


def settings(directory: Path) -> Path:
    """Write settings of a user below a directory."""
    (directory / "cortex-policy").mkdir(parents=True)
    (directory / "cortex-policy" / "config.toml").write_text(REQUIRE)
    return directory


def nothing(_: Path) -> None:
    """Begin without any."""


def made_level_by_level(home: Path) -> None:
    """Make each directory, then the file."""
    settings(home / "a" / "config")


def moved_there(home: Path) -> None:
    """Move all of it there at once."""
    settings(home.parent / "elsewhere" / "a" / "config").parent.rename(home / "a")


def empty(home: Path) -> None:
    """Begin with directories alone."""
    (home / "a" / "config" / "cortex-policy").mkdir(parents=True)


def config_replaced(home: Path) -> None:
    """Replace the directory that is named."""
    put(home / "a" / "config", settings(home / "new"))


def above_replaced(home: Path) -> None:
    """Replace the one above it."""
    settings(home / "b" / "config")
    put(home / "a", home / "b")


def home_replaced(home: Path) -> None:
    """Replace the one above that."""
    settings(home.parent / "twin" / "a" / "config")
    put(home, home.parent / "twin")


def linked(home: Path) -> None:
    """Begin with a link to a directory elsewhere."""
    (home / "a").mkdir(parents=True)
    (home / "dots" / "cortex-policy").mkdir(parents=True)
    (home / "a" / "config").symlink_to("../dots")


def link_swapped(home: Path) -> None:
    """Lead it to another."""
    settings(home / "dots2")
    point(home / "a" / "config", "../dots2")


def target_replaced(home: Path) -> None:
    """Replace what it leads to."""
    put(home / "dots", settings(home / "new"))


def link_to_nowhere(home: Path) -> None:
    """Begin with a link whose target is not there."""
    (home / "a").mkdir(parents=True)
    (home / "a" / "config").symlink_to("../b/dots")


def target_appears(home: Path) -> None:
    """Make the target."""
    settings(home / "b" / "dots")


def file_in_the_way(home: Path) -> None:
    """Begin with a file where a directory should be."""
    home.mkdir()
    (home / "a").write_text("")


def file_makes_way(home: Path) -> None:
    """Make the directory."""
    (home / "a").unlink()
    settings(home / "a" / "config")


SETTINGS = {
    "made": (nothing, made_level_by_level),
    "made-below-home": (Path.mkdir, made_level_by_level),
    "moved": (Path.mkdir, moved_there),
    "replaced": (empty, config_replaced),
    "above-replaced": (empty, above_replaced),
    "home-replaced": (empty, home_replaced),
    "link-swapped": (linked, link_swapped),
    "target-replaced": (linked, target_replaced),
    "target-appears": (link_to_nowhere, target_appears),
    "file-in-the-way": (file_in_the_way, file_makes_way),
}


@NAMES
@pytest.mark.parametrize(("lay", "change"), SETTINGS.values(), ids=SETTINGS)
def test_settings_are_those_that_their_name_leads_to(
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lay: Callable[[Path], object],
    change: Callable[[Path], None],
) -> None:
    """Whatever was on the way before, and where nothing was."""
    home = tmp_path / "home"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "a" / "config"))
    lay(home)
    time.sleep(STILL)
    with PolicyStore(root) as store:
        for _ in range(2):
            assert store.decide("git", "tree")
        change(home)
        assert store.decide("git", "tree").reason == "path_outside_scope"


def host_link_swapped(etc: Path) -> None:
    """Lead it to a directory with a stop."""
    (etc / "other").mkdir()
    (etc / "other" / "stop").touch()
    point(etc / "cortex-policy", "other")


def host_target_lost(etc: Path) -> None:
    """Take away what it leads to."""
    (etc / "real").rename(etc / "gone")


def host_target_stopped(etc: Path) -> None:
    """Stop there, by a link to nowhere."""
    (etc / "real" / "stop").symlink_to("nowhere")


def host_above_replaced(etc: Path) -> None:
    """Replace the directory above."""
    (etc.parent / "twin" / "cortex-policy" / "stop").mkdir(parents=True)
    put(etc, etc.parent / "twin")


@NAMES
@pytest.mark.parametrize("change", [host_link_swapped, host_target_lost, host_target_stopped, host_above_replaced])
def test_a_stop_of_the_host_is_the_one_that_its_name_leads_to(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    """Its directory is a link here; where that leads nowhere, nobody knows, which stops."""
    etc = tmp_path / "etc"
    (etc / "real").mkdir(parents=True)
    (etc / "cortex-policy").symlink_to("real")
    monkeypatch.setattr("cortex_policy.state.SYSTEM_SETTINGS", str(etc / "cortex-policy"))
    with PolicyStore(root) as store:
        for _ in range(2):
            assert store.decide("git", "tree")
        change(etc)
        assert store.decide("git", "tree").reason == "stopped"
        with pytest.raises(AccessDenied):
            store.enforce("git", "tree")


def through(file: Path) -> int:
    """Open a file by another name, which is gone afterwards: no directory that leads to it sees what is written."""
    other = file.parents[3] / "other"
    other.mkdir()
    os.link(file, other / "name")
    descriptor = os.open(other / "name", os.O_WRONLY)
    (other / "name").unlink()
    time.sleep(STILL)
    return descriptor


def code_of(store: PolicyStore) -> int:
    """Return the exit code of an answer, whichever way it comes."""
    try:
        return store.decide("git", "tree").reason.exit_code
    except GrantError as error:
        return error.exit_code


@NAMES
@pytest.mark.parametrize("name", ["tools/git.json", "config.toml", "stamp.json"])
def test_a_write_by_an_old_descriptor_is_seen(root: Path, name: str) -> None:
    """Of each file that is read: a grant, settings, the stamp."""
    policy = root / ".cortex" / "policy"
    (policy / "config.toml").write_text('stamp = "require" \n#####')
    command = [sys.executable, "-I", "-m", "cortex_policy", "stamp", "write", "--allow-widening"]
    subprocess.run(command, check=True, capture_output=True)
    descriptor = through(policy / name)
    try:
        with PolicyStore(root) as store:
            for _ in range(2):
                assert store.decide("git", "tree")
            size = os.fstat(descriptor).st_size
            os.pwrite(descriptor, b"require_path = true\n".ljust(size)[:size], 0)
            assert code_of(store) == {"tools/git.json": 21, "config.toml": 12, "stamp.json": 23}[name]
    finally:
        os.close(descriptor)


@NAMES
@pytest.mark.skipif(os.geteuid() != 0, reason="only a file of root may have more than one link")
def test_a_write_by_another_name_is_seen(root: Path, tmp_path: Path) -> None:
    """Wherever that lies; and nothing is looked at again where nothing was written."""
    os.link(root / ".cortex" / "policy" / "tools" / "git.json", tmp_path / "other")
    time.sleep(STILL)
    with PolicyStore(root) as store:
        for number in range(4):
            assert store.decide("git", "tree")
            (tmp_path / "other").write_text(json.dumps({**GIT, "actions": ["tree"], "x": number}))
            assert store.decide("git", "search").reason == "action_not_allowed"
            time.sleep(STILL)
            (tmp_path / "other").write_text(json.dumps(GIT))


@NAMES
def test_protected_files_are_found_where_their_name_leads(
    root: Path, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A directory of state that comes to lie in the root is no place for a tool, from the next decision on."""
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "var").symlink_to(tmp_path)
    (root / "docs" / state.name).mkdir(mode=0o700)
    monkeypatch.setenv("CORTEX_POLICY_STATE_DIR", str(tmp_path / "links" / "var" / state.name))
    path = {"path": f"docs/{state.name}/x"}
    time.sleep(STILL)
    with PolicyStore(root) as store:
        for _ in range(2):
            assert store.decide("git", "tree", path)
        point(tmp_path / "links" / "var", root / "docs")
        assert store.decide("git", "tree", path).reason == "path_outside_scope"


@NAMES
def test_subscribers_and_readers_follow_the_name(tmp_path: Path) -> None:
    """They are told of what changed between two roots, and acknowledge the stamp of the one that counts."""
    plant(tmp_path / "v1", actions=["tree"])
    plant(tmp_path / "v2", actions=["tree", "push"])
    for name in ("v1", "v2"):
        command = [
            sys.executable,
            "-I",
            "-m",
            "cortex_policy",
            "stamp",
            "write",
            "--allow-widening",
            "--root",
            str(tmp_path / name),
        ]
        subprocess.run(command, check=True, capture_output=True)
    (current := tmp_path / "current").symlink_to("v1")
    told: list[str] = []
    with PolicyStore(current, reader="gateway") as store:
        store.subscribe(lambda change: told.append(change.verdict))
        point(current, "v2")
        wait = ["stamp", "wait", "--reader", "gateway", "--timeout", "20", "--root", str(current)]
        done = subprocess.run([sys.executable, "-I", "-m", "cortex_policy", *wait], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        deadline = time.monotonic() + 20
        while not told and time.monotonic() < deadline:
            time.sleep(0.01)
        assert told == ["widened"]


FEW = """
import os, sys, time
kind, most, retry, root = sys.argv[1:]
from cortex_policy.library import inotify, preconditions
from cortex_policy.library.store import PolicyStore
def limit(number):
    with open(f"/proc/sys/user/max_inotify_{kind}", "w") as file:
        file.write(str(number))
file, words = root + "/.cortex/policy/tools/git.json", ("git", "tree", {"path": "docs/x"})
if most == "enough but for the grant":
    with PolicyStore(root) as store:
        store.decide(*words)
        most = len(store._cache.watcher._inotify._all) - 1
limit(most)
asked, call = [], inotify.Inotify._call_libc
def counted(self, function, *words):
    asked.append(function)
    return call(self, function, *words)
inotify.Inotify._call_libc, preconditions.RETRY_NS, preconditions.MAX_AGE_NS = counted, int(retry), 1 << 62
with PolicyStore(root) as store:
    for _ in range(3):
        assert store.decide(*words)
    del asked[:]
    for _ in range(200):
        assert store.decide(*words)
    again, descriptors = len(asked), len(os.listdir("/proc/self/fd"))
    with open(file) as opened:
        kept = opened.read()
    with open(file, "w") as opened:
        opened.write(kept.replace("tree", "xxxx"))
    assert not store.decide(*words)
    with open(file, "w") as opened:
        opened.write(kept)
    time.sleep(0.03)
    assert store.decide(*words)
    limit(10000)
    for _ in range(3):
        assert store.decide(*words)
    watcher, before = store._cache.watcher, store._cache.watcher._reads
    for _ in range(100):
        assert store.decide(*words)
    is_told = watcher._reads == before and all(entry.generation for entry in store._cache._entries.values())
    print(again > 0, is_told, len(os.listdir("/proc/self/fd")) <= descriptors + 1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has inotify")
@pytest.mark.parametrize("retry", [0, 1 << 60], ids=["retried", "not-yet-retried"])
@pytest.mark.parametrize(
    ("kind", "most"),
    [("instances", "0"), ("watches", "0"), ("watches", "3"), ("watches", "enough but for the grant")],
)
def test_a_watch_that_is_not_available_is_not_requested_again_at_once(
    root: Path, kind: str, most: str, retry: int
) -> None:
    """Each decision looks for itself, and sees what was written. Once some are left they are used, after a while."""
    python = [sys.executable, "-c", FEW, kind, most, str(retry), str(root)]
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", *python], capture_output=True, text=True, check=False
    )
    if "unshare" in done.stderr:
        pytest.skip("no user namespace, which limits the watches of one process alone")
    assert done.returncode == 0, done.stderr
    expected = ["True", "True", "True"] if retry == 0 else ["False", "False", "True"]
    assert done.stdout.split() == expected


def test_without_mount_information_every_decision_examines_the_files(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `/proc` nobody knows whether the kernel tells of every change; what is kept is used all the same."""

    def unknown(_: str) -> bool:
        raise FileNotFoundError

    monkeypatch.setattr(preconditions, "is_on_known_local_file_system", unknown)
    time.sleep(STILL)
    with PolicyStore(root) as store:
        for number in range(3):
            assert store.decide("git", "tree")
            assert store.stats().misses + store.stats().reloads == 1, number
        (root / ".cortex" / "policy" / "stop").touch()
        assert store.decide("git", "tree").reason == "stopped"
