"""Kill writers of grants and rules at random instants, with a hand and a reader beside: python tests/stress/writes.py --kills N."""

import argparse
import os
import random
import shlex
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import configured
from kills import COMMANDS, kill_commands
from scribes import (
    HEAD,
    HEAD_OF_RULES,
    MOVED,
    NUMBER,
    RISING,
    STILL,
    WAVERING,
    Edit,
    Evidence,
    Numbers,
    Worker,
    edit_by_hand,
    file_of,
    rate_of,
    read_always,
    temporary_files,
    text_of,
)

from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.manage.history import undo
from cortex_policy.manage.history.writes import find_entries_that_led_to_stamp
from cortex_policy.manage.stamp.verify import find_stamp_mismatches
from cortex_policy.manage.stamp.write import write_stamp
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.state import Root, history
from cortex_policy.state import stamp as stamps
from cortex_policy.state.history_entry import HistoryEntry
from cortex_policy.state.stamp import compute_content_digest

WORKERS = 3
GAP = 0.02  # seconds between two events, at most
GOING_BACK = 0.3  # of all rounds: what workers set and took back cannot be told by its number


def spawn(run: Callable[[], None]) -> int:
    """Run something in a process of its own."""
    pid = os.fork()
    if pid:
        return pid
    try:
        run()
    finally:
        os._exit(1)


def end(pid: int) -> None:
    """Kill a process, whatever it does."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def made(top: Path) -> Root:
    """Make a root with stamped grants."""
    tools = top / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    for directory in (top, top / ".cortex", tools.parent, tools):
        directory.chmod(0o755)
    root = Root(str(top.resolve()), trusts_owner=True)
    for grant_id in (*RISING, *STILL, MOVED[0], WAVERING):
        file_of(root, grant_id).write_bytes(text_of(grant_id, 1000).encode())
    write_stamp(root, lambda _: None)
    configured.made(root, top.parent / "config")
    return root


def _number_of(data: bytes) -> str:
    """Return the number that a hand left in a text."""
    head = HEAD_OF_RULES if data.startswith(HEAD_OF_RULES.encode()) else HEAD
    return data[len(head) :][: len(NUMBER)].decode()


class Run:
    """One crash run, in rounds: some workers live, are killed one after the other, and then all is looked at."""

    def __init__(self, root: Root, evidence: Evidence, seed: int) -> None:
        self.root, self.evidence, self.chance = root, evidence, random.Random(seed)
        names = [f"{word} {grant_id}" for word in ("began", "set") for grant_id in RISING]
        self.numbers = Numbers(
            "written", "refused", "undone by workers", "gone back by workers", "settings begun", "settings written", "healed by workers",
            "polls", "versions seen", *names,
        )  # fmt: skip
        self.counts = dict.fromkeys(
            (
                "kills",
                "hand edits",
                "caught",
                "overtaken",
                "taken back",
                "stamp writes",
                "healed by the next command",
                "entries",
                "went back",
                "grants brought back",
            ),
            0,
        )
        self.open: dict[str, Edit] = {}  # hand edits that nobody has accepted yet, by number
        self.faults: list[str] = []
        self.version, self.rates = 1, dict.fromkeys(RISING, 1000)
        self.stood, self.grants = self._files(), self._stamp().digests  # when all was looked at last
        for data in self._files().values():
            evidence.note("made", compute_content_digest(data))

    def until(self, kills: int) -> None:
        """Go on until so many processes were killed; a reader watches all the while."""
        reader = spawn(lambda: read_always(self.root, self.numbers, self.evidence))
        try:
            while self.counts["kills"] < kills:
                self._round()
        finally:
            end(reader)
        words = [line for line in self.evidence.lines() if line[0] in {"fault", "made", "seen"}]
        self.faults += [" ".join(line) for line in words if line[0] == "fault"]
        legitimate = {line[1] for line in words if line[0] == "made"}
        self.faults += [f"nobody made {line[1]}" for line in words if line[0] == "seen" and line[1] not in legitimate]

    def _round(self) -> None:
        before = {name: self.numbers.get(name) for name in self.numbers.names}
        began, edited = time.monotonic_ns(), {edit.grant_id for edit in self.open.values()}
        go_back = self.chance.random() < GOING_BACK
        running = [self._worker(slot, goes_back=go_back) for slot in range(WORKERS)]
        events: list[Callable[[], object]] = [lambda pid=pid: end(pid) for pid in running]  # type: ignore[misc]
        events += [self._hand] * self.chance.choice((0, 1, 1, 2))
        self.chance.shuffle(events)
        for event in events:
            time.sleep(self.chance.random() * GAP)
            event()
        self.counts["kills"] += len(running)
        edited |= {edit.grant_id for edit in self.open.values()}
        before_all = self.version, self.stood, bool(edited)
        self._look(before, edited | {*RISING} if go_back else edited, began)
        if self.open and self.chance.random() < 0.6:
            self._accept()
        elif not self.open and self.chance.random() < 0.3:
            self._go_back(*before_all)
        self.stood, self.grants = self._files(), self._stamp().digests

    def _worker(self, slot: int, *, goes_back: bool) -> int:
        seed = self.chance.getrandbits(32)
        worker = Worker(self.root, self.numbers, self.evidence, slot, goes_back=goes_back)
        return spawn(lambda: worker.run(random.Random(seed)))

    def _hand(self) -> None:
        free = [
            name for name in (*RISING, *STILL, MOVED[0]) if name not in {edit.grant_id for edit in self.open.values()}
        ]
        if not free:
            return
        grant_id, number = self.chance.choice(free), f"{self.counts['hand edits'] + 1:0{len(NUMBER)}}"
        in_place = grant_id in MOVED or self.chance.random() < 0.5
        edit = edit_by_hand(self.root, self.evidence, number, grant_id, in_place)
        if edit is not None:
            self.open[number] = edit
            self.counts["hand edits"] += 1

    def _files(self) -> dict[str, bytes]:
        files = {path.stem: path.read_bytes() for path in Path(self.root.tools_path).glob("[!.]*.json")}
        return files | {HOOKS_TOML: file_of(self.root, HOOKS_TOML).read_bytes()}

    def _look(self, before: dict[str, int], edited: set[str], began: int) -> None:
        """Let the next command heal, then hold everything against what may be."""
        stamp = stamps.read_stamp(self.root)
        self.counts["healed by the next command"] += stamp is not None and bool(stamp.pending)
        if self.numbers.get("settings begun") > before["settings begun"]:
            self.faults += [f"after {self.counts['kills']} kills: {fault}" for fault in configured.faults(self.root)]
        with open_grants_for_write(self.root):
            pass
        policy, files = Path(self.root.tools_path).parent, self._files()
        self._must(not temporary_files(policy), "a temporary file is left")
        stamp = stamps.read_stamp(self.root)
        if stamp is None or stamp.pending:
            raise AssertionError(stamp)
        self._must(not (policy / "history" / "pending.json").exists(), "an entry is pending still")
        self._look_at_history(stamp)
        done = self.numbers.get("written") - before["written"]
        self._must(done <= stamp.version - self.version <= done + WORKERS, f"{done} writes led to {stamp.version}")
        self.version = stamp.version
        self._look_at_edits(files, began)
        for grant_id, data in files.items():
            self._look_at(grant_id, data, before, edited)

    def _stamp(self) -> stamps.Stamp:
        stamp = stamps.read_stamp(self.root)
        if stamp is None:
            raise AssertionError
        return stamp

    def _look_at_history(self, stamp: stamps.Stamp) -> None:
        """Hold the entries since the last look against the two states that they must lead from and to."""
        found = list(history.iterate_entries_newest_first(self.root, stamp))
        self._must(all(isinstance(one, HistoryEntry) for one in found), f"{found} are not all entries")
        since = [one for one in found if isinstance(one, HistoryEntry) and one.version > self.version]
        back = [one for one in find_entries_that_led_to_stamp(stamp, found) if one.version > self.version]
        self._must(since == back, f"{since} are not {back}")
        expected = list(range(stamp.version, self.version, -1))
        self._must([one.version for one in back] == expected, f"{back} are not {expected}")
        state: dict[str, str | None] = {**stamp.digests}
        for entry in back:
            state |= {one.id: one.stamp_digest_before for one in entry.changes}
        was = {name: digest for name, digest in state.items() if digest is not None}
        self._must(was == self.grants, f"the entries lead to {was}, not {self.grants}")
        self.counts["entries"] += len(back)

    def _go_back(self, version: int, stood: dict[str, bytes], was_edited: bool) -> None:
        """Bring all grants back to what they were when all was looked at last."""
        if was_edited:  # what a hand did and another undid is no state of ours
            return
        done = undo.undo_writes(self.root, undo.UndoRequest(None, version), lambda _: None)
        self._must(self._files() == stood, f"version {version} did not come back")
        self.counts["went back"] += 1
        self.counts["grants brought back"] += len(done.steps)
        self.version = self._stamp().version
        self.rates |= {name: rate_of(name, self._files()[name]) for name in RISING}

    def _look_at(self, grant_id: str, data: bytes, before: dict[str, int], edited: set[str]) -> None:
        text = data.decode()
        rate, number = rate_of(grant_id, data), _number_of(data)
        self._must(text == text_of(grant_id, rate, number), f"{grant_id} is {text!r}")
        if grant_id in RISING:
            least, most = (
                self.numbers.get(f"{word} {grant_id}") - before[f"{word} {grant_id}"] for word in ("set", "began")
            )
            risen = rate - self.rates[grant_id]
            self._must(
                least <= risen <= most or grant_id in edited, f"{grant_id} rose by {risen}, not {least} to {most}"
            )
            self.rates[grant_id] = rate
        elif grant_id in STILL + MOVED:
            self._must(rate == 1000, f"{grant_id} has a rate of {rate}")

    def _look_at_edits(self, files: dict[str, bytes], began: int) -> None:
        """Find each edit made by hand where it is reported, and nothing reported that is none."""
        reported = {problem.id for problem in find_stamp_mismatches(self.root)}
        stand = {_number_of(data): name for name, data in files.items()}
        undone = self._undone_edits()
        for number, edit in list(self.open.items()):
            if number in undone:  # by a worker, which kept it; another one may have undone that
                del self.open[number]
                self.counts["taken back"] += 1
            elif number not in stand:
                del self.open[number]
                self.counts["overtaken"] += 1
                self._must(self._overlaps(edit, began), f"an edit of {edit.grant_id} was overwritten")
            else:
                self._must(stand[number] in reported, f"an edit of {stand[number]} is not reported")
                self.counts["caught"] += edit.ended >= began
        alarms = reported - {stand[number] for number in self.open}
        self._must(not alarms, f"false alarms: {alarms}")

    def _undone_edits(self) -> set[str]:
        """Return the numbers of the hand edits that the history says to have undone, with their bytes."""
        entries = (
            one
            for one in history.iterate_entries_newest_first(self.root, self._stamp())
            if isinstance(one, HistoryEntry)
        )
        changes = (change for entry in entries for change in entry.changes if change.is_hand_edit)
        return {_number_of(change.data) for change in changes if change.data is not None}

    def _overlaps(self, edit: Edit, began: int) -> bool:
        """Whether a worker had looked for the last time, and not replaced the file yet, when an edit was made."""
        looks: dict[str, int] = {}
        for word, pid, *when in (line for line in self.evidence.lines() if line[0] in {"look", "done"}):
            at = int(when[0])
            if word == "look" and at >= began:
                looks[pid] = at
            elif word == "done" and pid in looks and looks.pop(pid) <= edit.ended and at >= edit.began:
                return True
        return any(at <= edit.ended for at in looks.values())  # killed between the two

    def _accept(self) -> None:
        for data in self._files().values():  # a hand that changes a number in place does not know the rest
            self.evidence.note("made", compute_content_digest(data))
        done = write_stamp(self.root, lambda _: None)
        self._must(done.is_written and done.stamp.version == self.version + 1, "a hand edit could not be accepted")
        self.version = done.stamp.version
        self.open.clear()
        self.counts["stamp writes"] += 1

    def _must(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.faults.append(f"after {self.counts['kills']} kills: {sentence}")


def crash(kills: int, seed: int) -> tuple[dict[str, int], list[str]]:
    """Kill so many writers; return what was counted, and what must not have happened."""
    with tempfile.TemporaryDirectory() as directory:
        run = Run(made(Path(directory, "root")), Evidence(Path(directory, "evidence")), seed)
        try:
            run.until(kills)
        except Exception:  # noqa: BLE001 - it is told, whatever it is
            run.faults.append(traceback.format_exc())
        counted = {
            name: run.numbers.get(name)
            for name in run.numbers.names
            if " " not in name or not name.startswith(("began ", "set "))
        }
        return run.counts | counted, run.faults


def main() -> int:
    """Run, print the table, and say whether anything went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=3000, help="of workers")
    parser.add_argument("--commands", type=int, default=100, help="kills of whole commands, of each")
    parser.add_argument("--command", action="append", help="what they are, else all that are known here")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    given = parser.parse_args()
    print(f"seed {given.seed}")
    numbers, faults = crash(given.kills, given.seed)
    wrong, tables = faults, list[tuple[str | int, ...]]()
    for command in given.command or COMMANDS:
        with tempfile.TemporaryDirectory() as directory:
            more, faults = kill_commands(
                made(Path(directory, "root")), shlex.split(command), given.commands, given.seed
            )
        tables.append((f"`{command}`", *more.values()))
        wrong += faults
    print("\n| what | count |\n|---|---:|")
    for name, number in numbers.items():
        print(f"| {name} | {number:,} |")
    print("\n| whole processes | killed | had ended before | interrupted | had done it |\n|---|---:|---:|---:|---:|")
    for row in tables:
        print(f"| {' | '.join(map(str, row))} |")
    for fault in wrong:
        print(f"FAULT {fault}")
    print("\n" + (f"{len(wrong)} faults" if wrong else "no fault"))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
