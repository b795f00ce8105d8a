"""Change a grant by every means there is while stores decide by it, and look for a decision that was too old.

python tests/stress/staleness.py [--writes N] [--seed S]. Each version of the grant has a number and bytes that follow
from it. A writer notes the number once the write has returned; a reader looks at that note, then decides, and the
decision says on which bytes it was made: they must be of that number, or a later one.
"""

import argparse
import hashlib
import mmap
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cortex_policy import CortexPolicyError, Decision, MemoryBudgets, PolicyStore

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = """{{
  "tool": "git-map",
  "actions": ["tree"],
  "rate": {{"perMinute": {number}}},
  "fsScope": ["docs"]
}}
"""
FIRST, LAST = 100_000, 999_999
KINDS = ("one", "threads")
MEANS = 8


def text(number: int) -> bytes:
    """Return the bytes of a version, of one size for all."""
    return TEXT.format(number=number).encode()


class Outcome(NamedTuple):
    """What a run saw."""

    writes: Counter[str]
    decisions: int
    unknown: int
    stale: list[str]


class Writer:
    """Writes one version after the other, each by another means."""

    def __init__(self, root: Path, returned: memoryview, chance: random.Random) -> None:
        self.root, self.returned, self.chance = root, returned, chance
        self.file = root / ".cortex" / "policy" / "tools" / "git.json"
        self.number = FIRST
        self.done: Counter[str] = Counter()

    def write(self) -> None:
        """Write the next version, and note that it is there."""
        means: list[Callable[[bytes], None]] = [
            self.by_set,
            self.in_place,
            self.renamed,
            self.alike,
            self.checked_out,
            self.directory_moved,
            self.deployed,
            self.by_old_descriptor,
            self.in_place,
            self.renamed,
            self.alike,
        ]
        chosen = self.chance.choice(means)
        self.number += 1
        chosen(text(self.number))
        self.returned[0] = self.number
        assert self.file.read_bytes() == text(self.number)
        self.done[chosen.__name__] += 1

    def by_set(self, _: bytes) -> None:
        """By a command, once it is told that what other means did was meant."""
        change = ["set", "git", "--rate", str(self.number), "--allow-widening"]
        for words in (["stamp", "write", "--allow-widening"], change):
            line = [sys.executable, "-m", "cortex_policy", *words, "--root", str(self.root)]
            done = subprocess.run(line, capture_output=True, text=True, check=False)
            assert not done.returncode, done.stderr

    def in_place(self, data: bytes) -> None:
        descriptor = os.open(self.file, os.O_WRONLY)
        os.pwrite(descriptor, data, 0)
        os.close(descriptor)

    def alike(self, data: bytes) -> None:
        """Give it the time of the last change, as `touch -r` and archives do."""
        before = self.file.stat()
        self.in_place(data)
        os.utime(self.file, ns=(before.st_atime_ns, before.st_mtime_ns))

    def by_old_descriptor(self, data: bytes) -> None:
        """By a descriptor that was opened by another name, which is gone."""
        other = self.root.parent / "other"
        os.link(self.file, other)
        descriptor = os.open(other, os.O_WRONLY)
        other.unlink()
        if self.chance.random() < 0.5:
            time.sleep(0.04)  # until it is kept again
        os.pwrite(descriptor, data, 0)
        os.close(descriptor)

    def deployed(self, data: bytes) -> None:
        """By a link that leads to another root from now on; the old one is removed."""
        old = self.root.resolve()
        new = old.with_name(f"v{self.number}")
        shutil.copytree(old, new, symlinks=True)
        (new / self.file.relative_to(self.root)).write_bytes(data)
        link = self.root.with_name("next")
        link.symlink_to(new)
        link.rename(self.root)
        shutil.rmtree(old)

    def renamed(self, data: bytes) -> None:
        other = self.file.with_suffix(".new")
        other.write_bytes(data)
        other.replace(self.file)

    def checked_out(self, data: bytes) -> None:
        def git(*words: str, given: bytes | None = None) -> str:
            done = subprocess.run(["git", *words], cwd=self.root, input=given, check=True, capture_output=True)
            return done.stdout.decode().strip()

        if not (self.root / ".git").exists():
            git("init")
        name = str(self.file.relative_to(self.root))
        blob = git("hash-object", "-w", "--stdin", given=data)
        git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
        git("checkout", "--", name)

    def directory_moved(self, data: bytes) -> None:
        """Put another directory in the place of one above it."""
        above = self.file.parents[self.chance.randrange(3)]
        twin, old = above.with_name(above.name + ".twin"), above.with_name(above.name + ".old")
        shutil.copytree(above, twin)
        (twin / self.file.relative_to(above)).write_bytes(data)
        above.rename(old)
        twin.rename(above)
        shutil.rmtree(old)


class Reader:
    """Decides until it is told to end, by a store of its own."""

    def __init__(self, root: Path, returned: memoryview) -> None:
        self.store = PolicyStore(root, budgets=MemoryBudgets())
        self.returned = returned
        self.numbers: dict[str, int] = {}
        self.decisions = self.unknown = 0
        self.stale: list[str] = []
        self.parent = os.getppid()  # who is left alone ends

    def number_of(self, digest: str) -> int:
        while digest not in self.numbers:
            number = FIRST + len(self.numbers)
            assert number <= LAST
            self.numbers[hashlib.sha256(text(number)).hexdigest()] = number
        return self.numbers[digest]

    def run(self) -> None:
        """Decide, and compare with what had returned before."""
        asked = 0
        while not self.returned[1] and os.getppid() == self.parent:
            asked += 1
            before = self.returned[0]
            try:
                digest = self.asked(asked)
            except CortexPolicyError:  # in the middle of a write: no answer is no yes
                self.unknown += 1
                continue
            self.decisions += 1
            found = self.number_of(digest)
            if found < before:
                self.stale.append(f"made on {found} after {before} was written")

    def asked(self, number: int) -> str:
        """Ask by one of four ways; return on which bytes the answer was made."""
        if number % 4 == 0:
            origin = self.store.load("git").origin
            assert origin is not None
            return origin.sha256
        ways: list[Callable[[], Decision]] = [
            lambda: self.store.decide("git", "tree"),
            lambda: self.store.decide("git", "tree", {"path": "docs/x"}),
            lambda: self.store.decide("git", "push"),
        ]
        return ways[number % 4 - 1]().grant_sha256 or ""


def read(root: Path, returned: memoryview, kind: str, tell: int) -> None:
    """Be a process of readers; tell what they saw."""
    readers = [Reader(root, returned) for _ in range(1 if kind == "one" else 2)]
    if kind == "threads":  # of one store
        readers[1].store = readers[0].store
    threads = [threading.Thread(target=reader.run) for reader in readers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    decisions, unknown = sum(reader.decisions for reader in readers), sum(reader.unknown for reader in readers)
    stale = [line for reader in readers for line in reader.stale]
    os.write(tell, "\n".join([str(decisions), str(unknown), *stale[:20]]).encode())


def run(top: Path, writes: int, seed: int) -> Outcome:
    """Write so often, and by each means, while processes read."""
    root = top / "current"
    (top / "v0").mkdir()
    root.symlink_to("v0")
    tools = root / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    (root / "docs").mkdir()
    (tools / "git.json").write_bytes(text(FIRST))
    returned = memoryview(mmap.mmap(-1, 16)).cast("q")
    returned[0] = FIRST
    told = [_started(root, returned, kind) for kind in KINDS]
    writer, own = Writer(root, returned, random.Random(seed)), Reader(root, returned)
    stale: list[str] = []
    while sum(writer.done.values()) < writes or len(writer.done) < MEANS:
        writer.write()
        decision = own.store.decide("git", "tree")  # right after it, in the same process
        own.decisions += 1
        if decision.grant_sha256 != hashlib.sha256(text(writer.number)).hexdigest():
            stale.append(f"the writer's own decision was not made on {writer.number}")
        if writer.chance.random() < 0.5:
            time.sleep(0.04)  # what lies still is kept in memory
    returned[1] = 1
    decisions, unknown = own.decisions, 0
    for pid, pipe in told:
        with os.fdopen(pipe) as file:
            counted, missed, *lines = file.read().splitlines()
        os.waitpid(pid, 0)
        decisions, unknown, stale = decisions + int(counted), unknown + int(missed), stale + lines
    own.store.close()
    return Outcome(writer.done, decisions, unknown, stale)


def _started(root: Path, returned: memoryview, kind: str) -> tuple[int, int]:
    """Start a process of readers; return its id, and where it tells what it saw."""
    pipe, tell = os.pipe()
    pid = os.fork()
    if pid:
        os.close(tell)
        return pid, pipe
    code = 1
    try:
        read(root, returned, kind, tell)
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    """Run, and say what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writes", type=int, default=400)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        os.environ["CORTEX_POLICY_STATE_DIR"] = f"{directory}/state"
        outcome = run(Path(directory), asked.writes, asked.seed)
    print(
        f"seed {asked.seed}: {dict(outcome.writes)}, {outcome.decisions:,} decisions, {outcome.unknown:,} without one"
    )
    print("\n".join(outcome.stale) or "no decision was made on what had been replaced")
    sys.exit(bool(outcome.stale))


if __name__ == "__main__":
    main()
