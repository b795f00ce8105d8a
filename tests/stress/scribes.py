"""Who writes and reads grants and `hooks.toml` in a crash run: a worker that will be killed, a hand without the lock, a reader."""

import mmap
import os
import random
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import configured

from cortex_policy.core.decode import HOOKS_TOML, MAX_BYTES, decode_grant
from cortex_policy.core.hooks.hooks_toml import decode_hooks_toml
from cortex_policy.core.model import NOT_DONE, STAMP_MISMATCH, CortexPolicyError
from cortex_policy.manage.editing.set_fields import GrantEdit, apply_edit
from cortex_policy.manage.history import undo
from cortex_policy.manage.transaction import writer as transaction_writer
from cortex_policy.manage.transaction.version_after_write import STAMP_REFUSED, Version
from cortex_policy.state import Root, atomic_write, history, writer_lock
from cortex_policy.state import stamp as stamps
from cortex_policy.state.grants import PolicyDirectory
from cortex_policy.state.stamp import compute_content_digest
from cortex_policy.state.writer_lock import LockWait

SET = ("set-0", "set-1", "set-2")
RISING = (*SET, HOOKS_TOML)  # their number only rises
STILL = ("still-0", "still-1")
MOVED = ("moved", "moved-away")
WAVERING = "wavering"  # set to anything, and undone
UNDONE, CONFIGURED = 0.2, 0.08  # of what a worker does; who reads settings waits for those just written
GONE_BACK = 0.25  # of what it does in a round in which workers go back to a version
HEAD = '{"note": "hand '
HEAD_OF_RULES = "# hand "
_RATE = "\n# rate "  # in the rules, which have no number of their own
NUMBER = "0000000"  # of the hand's last edit: always at the same place, so that it is changed in place by one write


def head_of(name: str) -> str:
    """Return what precedes the hand's number in a text."""
    return HEAD_OF_RULES if name == HOOKS_TOML else HEAD


def file_of(root: Root, name: str) -> Path:
    """Return the file of a grant, or of the rules."""
    return Path(root.tools_path).parent / HOOKS_TOML if name == HOOKS_TOML else Path(root.tools_path, f"{name}.json")


def rate_of(name: str, data: bytes) -> int:
    """Return the number in a text, which must decode."""
    if name != HOOKS_TOML:
        return decode_grant(data).rate.per_minute
    decode_hooks_toml(data)
    return int(data.decode().partition(_RATE)[2].partition("\n")[0])


def text_with_rate(name: str, old: bytes, rate: int) -> bytes:
    """Return a text with another number."""
    if name != HOOKS_TOML:
        return apply_edit(old.decode(), GrantEdit(per_minute=rate), name).text.encode()
    return old.replace(f"{_RATE}{rate_of(name, old)}\n".encode(), f"{_RATE}{rate}\n".encode())


def text_of(grant_id: str, rate: int, number: str = NUMBER) -> str:
    """Return the text of a grant, or of the rules: what is no number in it never changes."""
    if grant_id == HOOKS_TOML:
        return f'{HEAD_OF_RULES}{number}{_RATE}{rate}\nformat = 1\nunmapped = "deny"\n'
    tail = f'"tool": "{grant_id.removesuffix("-away")}", "actions": ["a", "b"],\n\t"rate": {{"perMinute": {rate}}}'
    return f'{HEAD}{number}",  {tail}, "rules": [ 1.0, "\\u00e9" ]}}\r\n'


def temporary_files(policy: Path) -> list[Path]:
    """Return the files that killed writers left; those of records go a day later, since records have no lock."""
    left = policy.rglob(f"{atomic_write.TEMPORARY_PREFIX}*")
    return [path for path in left if path.parent.name != history.COMMANDS]


class Evidence:
    """Lines that outlive whoever wrote them, each by one write."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(self, *words: object) -> None:
        os.write(self._descriptor, (" ".join(str(word) for word in words) + "\n").encode())

    def lines(self) -> list[list[str]]:
        return [line.split(" ") for line in self.path.read_text().splitlines()]


class Numbers:
    """What workers counted, by name; kept where a kill does not reach."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self._words = memoryview(mmap.mmap(-1, 8 * len(names))).cast("q")

    def add(self, name: str) -> None:
        self._words[self.names.index(name)] += 1

    def get(self, name: str) -> int:
        return self._words[self.names.index(name)]


class Watched(transaction_writer.GrantWriter):
    """A writer that notes when it looked for the last time, and what it healed."""

    numbers: Numbers
    evidence: Evidence

    def recover(self) -> None:
        data = stamps.read_stamp_bytes(self.policy)
        if data is not None and stamps.decode_stamp_of_root(data, self.root).pending:
            self.numbers.add("healed by workers")
        super().recover()

    def _check_unchanged(self, changes: Any) -> None:
        self.evidence.note("look", os.getpid(), time.monotonic_ns())
        super()._check_unchanged(changes)

    def _commit_changes(self, *given: Any, **named: Any) -> Version:
        version = super()._commit_changes(*given, **named)
        if version is STAMP_REFUSED:
            raise AssertionError
        self.numbers.add("written")
        return version


class Worker:
    """Does what `set`, `edit`, `rename`, `new`, `remove`, `undo`, `config set` and `config unset` do, for ever."""

    def __init__(self, root: Root, numbers: Numbers, evidence: Evidence, slot: int, *, goes_back: bool) -> None:
        self.root, self.numbers, self.evidence, self.goes_back = root, numbers, evidence, goes_back
        self.fresh = f"fresh-{slot}"

    def run(self, chance: random.Random) -> None:
        """Work until killed; note what must not happen."""
        Watched.numbers, Watched.evidence = self.numbers, self.evidence
        transaction_writer.GrantWriter = Watched  # type: ignore[misc]
        writer_lock.POLL_SECONDS = 0.0003
        settle = atomic_write.sync_directory

        def noted(directory: int) -> None:
            self.evidence.note("done", os.getpid(), time.monotonic_ns())
            settle(directory)

        atomic_write.sync_directory = transaction_writer.sync_directory = noted
        try:
            while True:
                self._work(chance)
        except BaseException:  # noqa: BLE001 - it is noted, whatever it is
            self.evidence.note("fault", traceback.format_exc().replace("\n", " | "))

    def _work(self, chance: random.Random) -> None:
        if self.goes_back and chance.random() < GONE_BACK:
            self._go_back(chance)
        elif chance.random() < CONFIGURED:
            self.numbers.add("settings begun")
            if configured.configure(self.root, chance):
                self.numbers.add("settings written")
        elif chance.random() < UNDONE:
            self._undo(undo.UndoRequest(chance.choice((self.fresh, *MOVED, *STILL, WAVERING, WAVERING))))
        else:
            self._once(chance.choice((self._set, self._set, self._move, self._make, self._waver)), chance)

    def _once(
        self, act: Callable[[transaction_writer.GrantWriter, random.Random], None], chance: random.Random
    ) -> None:
        try:
            with transaction_writer.open_grants_for_write(self.root, LockWait(5)) as writer:
                act(writer, chance)
        except CortexPolicyError as error:
            if error.reason not in {NOT_DONE, STAMP_MISMATCH}:
                raise
            self.numbers.add("refused")

    def _set(self, writer: transaction_writer.GrantWriter, chance: random.Random) -> None:
        grant_id = chance.choice(RISING)
        old = writer.grants.read(grant_id) or b""
        new = text_with_rate(grant_id, old, rate_of(grant_id, old) + 1)
        self.numbers.add(f"began {grant_id}")
        writer.write(grant_id, old, self._noted(new))
        self.numbers.add(f"set {grant_id}")

    def _go_back(self, chance: random.Random) -> None:
        stamp = stamps.read_stamp(self.root)
        if stamp is not None:
            self._undo(undo.UndoRequest(None, max(stamp.version - chance.randrange(1, 6), 1)), "gone back by workers")

    def _undo(self, wanted: undo.UndoRequest, counted: str = "undone by workers") -> None:
        try:
            done = undo.undo_writes(self.root, wanted, lambda _: None, LockWait(5))
        except CortexPolicyError as error:
            if error.reason not in {NOT_DONE, STAMP_MISMATCH}:
                raise
            self.numbers.add("refused")
        else:
            if done.steps:
                self.numbers.add(counted)

    def _waver(self, writer: transaction_writer.GrantWriter, chance: random.Random) -> None:
        new = text_of(WAVERING, chance.randrange(1, 9)).encode()
        old = writer.grants.read(WAVERING)
        if new != old:
            writer.write(WAVERING, old, self._noted(new))

    def _move(self, writer: transaction_writer.GrantWriter, _: random.Random) -> None:
        here, there = MOVED if writer.grants.read(MOVED[0]) is not None else MOVED[::-1]
        writer.rename(here, there, writer.grants.read(here) or b"")

    def _make(self, writer: transaction_writer.GrantWriter, chance: random.Random) -> None:
        old = writer.grants.read(self.fresh)
        if old is not None:
            writer.remove(self.fresh, old)
        else:
            writer.write(self.fresh, None, self._noted(text_of(self.fresh, chance.randrange(1, 9)).encode()))

    def _noted(self, data: bytes) -> bytes:
        self.evidence.note("made", compute_content_digest(data))
        return data


class Edit(NamedTuple):
    """An edit made by hand, and when."""

    number: str
    grant_id: str
    began: int
    ended: int


def edit_by_hand(root: Root, evidence: Evidence, number: str, grant_id: str, in_place: bool) -> Edit | None:
    """Change a grant without the lock: in place, or by a new file; None where it was just moved away."""
    file, head = file_of(root, grant_id), head_of(grant_id)
    began = time.monotonic_ns()
    try:
        text = file.read_bytes().decode()
        new = f"{head}{number}{text[len(head + NUMBER) :]}".encode()
        evidence.note("made", compute_content_digest(new))
        if in_place:
            with file.open("r+b", buffering=0) as stream:
                os.pwrite(stream.fileno(), number.encode(), len(head))
        else:
            other = file.with_name(".hand")
            other.write_bytes(new)
            other.rename(file)
    except FileNotFoundError:
        return None
    return Edit(number, grant_id, began, time.monotonic_ns())


def read_always(root: Root, numbers: Numbers, evidence: Evidence) -> None:
    """Poll the stamp, a grant and settings for ever, as whoever caches them does; note what must not be seen."""
    seen: dict[int, str] = {}
    digests: set[str] = set()
    last = 0
    try:
        while True:
            stamp = stamps.read_stamp(root)  # its checksum belongs to its grants, or it does not decode
            if (
                stamp is None
                or stamp.version < last
                or seen.setdefault(stamp.version, stamp.checksum_of_digests) != stamp.checksum_of_digests
            ):
                evidence.note("fault", f"after version {last} the stamp is {stamp}")
            if stamp is not None:
                numbers.add("versions seen") if stamp.version > last else None
                last = stamp.version
                for digest in {*stamp.digests.values()} - digests:
                    digests.add(digest)
                    evidence.note("seen", digest)
            numbers.add("polls")
            _read_one(root, random.choice((*RISING, *STILL, *MOVED)))
            if configured.read(root, place := random.choice(configured.PLACES)) not in configured.TEXTS:
                evidence.note("fault", f"half a text was seen in the settings of the {place}")
    except BaseException:  # noqa: BLE001 - it is noted, whatever it is
        evidence.note("fault", "the reader: " + traceback.format_exc().replace("\n", " | "))


def _read_one(root: Root, grant_id: str) -> None:
    from cortex_policy.state.grants import TrustCheck  # noqa: PLC0415 - nothing else here reads so

    try:
        if grant_id == HOOKS_TOML:
            with PolicyDirectory(TrustCheck(root)) as policy:
                rate_of(HOOKS_TOML, policy.read(HOOKS_TOML, MAX_BYTES))
            return
        with PolicyDirectory(TrustCheck(root), "tools") as tools:
            decode_grant(tools.read(f"{grant_id}.json", MAX_BYTES))
    except FileNotFoundError:
        assert grant_id in MOVED
