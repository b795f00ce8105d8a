"""Budgets in files shared by all processes: an exact ring of hits, its lock inside; one file per tool and action."""

import os
import stat
import sys
import time

try:
    import fcntl
except ImportError:  # a platform without file locks: every call answers 24
    fcntl = None  # type: ignore[assignment]

from cortex_policy.core.model import STATE_UNAVAILABLE, Budget, StateError, UsageError
from cortex_policy.state.grants import sha256

TICK_BITS = 12  # a tick is 4,096 ns
# INVARIANT: rounded so that a hit frees a few microseconds late, never early
WINDOW_TICKS = -(-60_000_000_000 // (1 << TICK_BITS)) + 1
EXACT_LIMIT = 1_000_000  # above, a slot stands for several hits: never over, at most 0.1 % under
COARSE_SLOTS = 1024
LARGEST_LIMIT = 1 << 46
PRIME = 65521
MAGIC = 0x43505F4C45440001  # the last two bytes are the layout's version
HEADER = 64
AT_MAGIC, AT_IDENTITY, AT_BITS, AT_GRAIN, AT_HEAD, AT_CLOSED = range(6)  # two more are spare, and 0
_OPEN = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
SPINS, LONGEST_LOCK_WAIT = 20, 1.0


class Damaged(Exception):
    """A word of the file is not what was written there."""


def failed(detail: str, hint: str = "") -> StateError:
    """Make the error of a state that cannot be used."""
    return StateError(STATE_UNAVAILABLE, detail, hint)


def now_ticks() -> int:
    """Return the time since boot in ticks; no setting of the wall clock moves it."""
    clock = time.CLOCK_MONOTONIC_RAW if sys.platform == "darwin" else time.CLOCK_BOOTTIME
    return time.clock_gettime_ns(clock) >> TICK_BITS


def state_directory() -> str:
    """Return where rate state lives (contracts, section 6); raise StateError for a bad CORTEX_POLICY_STATE_DIR."""
    named = os.environ.get("CORTEX_POLICY_STATE_DIR")
    if named is not None:
        if not named.startswith("/") or "\0" in named:
            raise failed("CORTEX_POLICY_STATE_DIR is not absolute", "set it to an absolute path, or unset it")
        return named
    if sys.platform == "darwin":
        return os.path.expanduser("~/Library/Caches/cortex-policy")
    euid = os.geteuid()
    runtime = f"/run/user/{euid}"
    try:
        status = os.lstat(runtime)
    except OSError:
        return f"/dev/shm/cortex-policy-{euid}"  # noqa: S108 - judged when it is opened
    if stat.S_ISDIR(status.st_mode) and status.st_uid == euid and stat.S_IMODE(status.st_mode) == 0o700:  # noqa: PLR2004
        return f"{runtime}/cortex-policy"
    return f"/dev/shm/cortex-policy-{euid}"  # noqa: S108


def _boot_id() -> bytes:
    if sys.platform == "darwin":
        from subprocess import run  # noqa: PLC0415 - no file tells it there

        return run(["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, check=True).stdout
    descriptor = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, 64)
    finally:
        os.close(descriptor)


def _time_namespace() -> int:
    try:
        return os.stat("/proc/self/ns/time").st_ino
    except OSError:
        return 0


def _open_directory(name: str, parent: int | None, shown: str) -> int:
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
        made = True
    except FileExistsError:
        made = False
    descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    status = os.fstat(descriptor)
    why = ""
    if status.st_uid != os.geteuid():
        why, hint = f"`{shown}` belongs to user {status.st_uid}", "name another with CORTEX_POLICY_STATE_DIR"
    elif status.st_mode & 0o077:
        why, hint = f"`{shown}` is open to others", f"chmod 700 {shown}"
    if why:
        os.close(descriptor)
        raise failed(why, hint)
    if made and parent is None:
        from cortex_policy.state.rings import refuse_network  # noqa: PLC0415 - once in a directory's life

        refuse_network(descriptor, shown)
    return descriptor


class Key:
    """What names a budget on disk, and what its words are sealed with."""

    def __init__(self, root_identity: tuple[int, int], tool: str, action: str) -> None:
        """Hash the key with the boot, so that no name can be read from it and no other boot's file is opened."""
        boot = _boot_id()
        device, inode = root_identity
        self.directory = sha256(b"root %d %d " % (device, inode) + boot).hexdigest()[:32]
        key = b"%d:%s:%s" % (len(tool), tool.encode(), action.encode())
        self.name = sha256(b"key " + boot + key).hexdigest()[:40]
        sealed = sha256(b"seal %d " % _time_namespace() + boot + key).digest()
        self.identity = int.from_bytes(sealed[:8], "big") >> 1
        self.tag = 1 + self.identity % (PRIME - 1)

    def seal(self, value: int) -> int:
        """Return the word that stores a value; any flipped bit of it shows."""
        return value * PRIME + self.tag

    def unseal(self, word: int) -> int:
        """Return the value of a word; raise Damaged where it is none of this key."""
        value, tag = divmod(word, PRIME)
        if tag != self.tag or value < 0:
            raise Damaged
        return value


class Ring:
    """One open and locked file: its header, and the rule read from its slots."""

    def __init__(self, descriptor: int, key: Key) -> None:
        """Read and verify the header; raise Damaged."""
        self.descriptor, self.key = descriptor, key
        words = memoryview(os.pread(descriptor, HEADER, 0))
        if len(words) != HEADER:
            raise Damaged
        header = words.cast("q")
        if header[AT_MAGIC] != MAGIC or header[AT_IDENTITY] != key.identity:
            raise Damaged
        self.bits, self.grain, self.head, self.closed, *spare = map(key.unseal, header[AT_BITS:])
        if self.bits > 30 or not self.grain or any(spare) or os.fstat(descriptor).st_size != HEADER + (8 << self.bits):  # noqa: PLR2004
            raise Damaged

    def slot(self, hit: int) -> int:
        """Return the tick at which a hit was taken (or one of the few that share its slot), 0 for never."""
        index = (hit // self.grain) & ((1 << self.bits) - 1)
        data = os.pread(self.descriptor, 8, HEADER + 8 * index)
        if len(data) != 8:  # noqa: PLR2004 - a word
            raise Damaged
        return self.key.unseal(memoryview(data).cast("q")[0])

    def wait_ticks(self, limit: int, cost: int, now: int) -> int:
        """Return how long until `cost` more hits fit into `limit`: one read, however large the limit is."""
        if now < self.closed:
            return self.closed - now
        hit = self.head - limit + cost - 1
        taken = self.slot(hit) if hit >= 0 else 0
        # a tick of the future can only be damage or another clock: it is inside the window too
        return max(0, taken + WINDOW_TICKS - now) if taken else 0

    def take(self, cost: int, now: int) -> None:
        """Store the hits, then the head: a torn one lies beyond the head and is never looked at."""
        word = self.key.seal(now).to_bytes(8, sys.byteorder)
        first, last = self.head // self.grain, (self.head + cost - 1) // self.grain
        size = 1 << self.bits
        while first <= last:
            run = min(last - first + 1, size - first % size)
            self._write(word * run, HEADER + 8 * (first % size))
            first += run
        self.head += cost
        self._write(self.key.seal(self.head).to_bytes(8, sys.byteorder), 8 * AT_HEAD)

    def _write(self, data: bytes, offset: int) -> None:
        if os.pwrite(self.descriptor, data, offset) != len(data):
            raise OSError(28, "short write")

    def used(self, limit: int, now: int) -> int:
        """Count the hits in the window by halving, as the ring is ordered."""
        if now < self.closed:
            return limit
        low, high = max(0, self.head - ((1 << self.bits) - 1) * self.grain), self.head
        while low < high:
            middle = (low + high) // 2
            taken = self.slot(middle)
            if taken and taken + WINDOW_TICKS > now:
                high = middle
            else:
                low = middle + 1
        return self.head - low


class Ledger:
    """The budgets of one root; opens what it needs at each call and keeps nothing."""

    def __init__(self, root_identity: tuple[int, int]) -> None:
        """Take the root's (device, inode), which names its directory."""
        self._root = root_identity

    def hit(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Take `cost` hits if they fit into `limit` a minute; raise StateError where that cannot be known."""
        return self._guarded(tool, action, limit, cost, consume=True)

    def peek(self, tool: str, action: str, limit: int, cost: int = 1) -> Budget:
        """Say what `hit` would; consume nothing."""
        return self._guarded(tool, action, limit, cost, consume=False)

    def _guarded(self, tool: str, action: str, limit: int, cost: int, *, consume: bool) -> Budget:
        if cost < 1:
            message = "cost must be an integer of at least 1"
            raise UsageError(message)
        if fcntl is None:
            raise failed("this platform has no file locks")
        if min(limit, LARGEST_LIMIT) < cost:
            return Budget(limit, 0, limit, None, 0)
        try:
            return self._asked(Key(self._root, tool, action), limit, cost, consume=consume)
        except OSError as error:
            where = state_directory()
            raise failed(f"`{where}`: {os.strerror(error.errno or 0).lower()}") from None

    def _asked(self, key: Key, limit: int, cost: int, *, consume: bool) -> Budget:
        base = state_directory()
        opened = [_open_directory(base, None, base)]
        try:
            opened.append(_open_directory(key.directory, opened[0], f"{base}/{key.directory}"))
            while True:
                descriptor = self._file(opened[1], key, limit, create=consume)
                if descriptor is None:
                    return Budget(limit, 0, limit, 0.0, 0)
                try:
                    lock(descriptor)
                    if not _stands(descriptor):
                        continue
                    return self._decided(descriptor, opened[1], key, limit, cost, consume=consume)
                finally:
                    os.close(descriptor)
        finally:
            for directory in opened:
                os.close(directory)

    def _file(self, directory: int, key: Key, limit: int, *, create: bool) -> int | None:
        try:
            return os.open(key.name, _OPEN, dir_fd=directory)
        except FileNotFoundError:
            if not create:
                return None
            from cortex_policy.state.rings import create as make  # noqa: PLC0415 - once in a key's life

            make(directory, key, limit)
            return os.open(key.name, _OPEN, dir_fd=directory)

    def _decided(self, descriptor: int, directory: int, key: Key, limit: int, cost: int, *, consume: bool) -> Budget:
        counted = min(limit, LARGEST_LIMIT)
        try:
            ring = Ring(descriptor, key)
            if consume and fits_badly(ring, counted) and ring.used(counted, now_ticks()) <= EXACT_LIMIT:
                from cortex_policy.state.rings import rebuild  # noqa: PLC0415 - only where a limit was edited

                descriptor = rebuild(directory, ring, counted, now_ticks())
                try:
                    return self._weighed(Ring(descriptor, key), limit, counted, cost, consume=consume)
                finally:
                    os.close(descriptor)
            return self._weighed(ring, limit, counted, cost, consume=consume)
        except Damaged:
            from cortex_policy.state.rings import close  # noqa: PLC0415 - only where there is damage

            close(directory, key, counted, now_ticks())
            raise failed("it was damaged, and is closed for one minute", "try again in a minute") from None

    def _weighed(self, ring: Ring, limit: int, counted: int, cost: int, *, consume: bool) -> Budget:
        now = now_ticks()
        wait = ring.wait_ticks(counted, cost, now) if not fits_badly(ring, counted) else 0
        if fits_badly(ring, counted):  # a peek with another limit than the file was made for: count instead
            wait = 0 if ring.used(counted, now) + cost <= counted else WINDOW_TICKS
        consumed = cost if consume and not wait else 0
        if consumed:
            ring.take(cost, now)
        used = ring.used(counted, now)
        return Budget(limit, used, max(0, limit - used), (wait << TICK_BITS) / 1e9, consumed)


def fits_badly(ring: Ring, limit: int) -> bool:
    """Whether a file is too short, or counts too coarsely, for a limit."""
    return limit >= (1 << ring.bits) * ring.grain - ring.grain or ring.grain > grain(limit)


def grain(limit: int) -> int:
    """Return how many hits a slot stands for."""
    return 1 if limit <= EXACT_LIMIT else -(-limit // COARSE_SLOTS)


def lock(descriptor: int) -> None:
    """Lock a file within a second; raise StateError where another process holds it longer."""
    nap, waited = 20e-6, 0.0
    for attempt in range(1 << 20):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waited >= LONGEST_LOCK_WAIT:
                raise failed("another process holds it", "look for a stopped process") from None
            if attempt >= SPINS:
                time.sleep(nap)
                waited += nap
                nap = min(2 * nap, 1e-3)
        else:
            return


def _stands(descriptor: int) -> bool:
    """Whether the locked file is still the one at its name; raise StateError for a wrong kind of object."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_nlink > 1:
        raise failed("a state file is not a plain file of ours")
    return status.st_nlink == 1
