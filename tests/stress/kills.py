"""Kill whole commands at random instants."""

import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

import configured
from scribes import HEAD, NUMBER, SET, temporary_files, text_of

from cortex_policy.core.decode import decode_grant
from cortex_policy.core.settings import PROJECT, USER
from cortex_policy.manage.history import undo
from cortex_policy.manage.stamp.merge import write_stamp_after_merge
from cortex_policy.manage.stamp.verify import find_stamp_mismatches
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.atomic_write import TEMPORARY_PREFIX
from cortex_policy.state.writer_lock import LockWait
from tests.support.command import ForkedCommand, load_program

PATIENCE = 60.0
SETTLING = LockWait(5)  # a program that a killed command was starting has its lock until it runs
COMMANDS = (
    "stamp write --allow-widening", "stamp merge", f"undo {SET[0]} --allow-widening", "undo --allow-widening",
    "undo --to {version} --allow-widening",
    "config set sensitive {value} --allow-widening", "config unset sensitive --allow-widening",
    "config set sensitive {value} --project --allow-widening", "config unset sensitive --project --allow-widening",
)  # fmt: skip


class Commands:
    """A command that writes once, started again and again and killed; some of them after an edit made by hand."""

    most = 1  # versions that it makes

    def __init__(self, root: Root, words: Sequence[str], seed: int) -> None:
        self.root, self.words, self.chance = root, words, random.Random(seed)
        self.policy = Path(root.tools_path).parent
        self.watched = [self.policy, Path(root.tools_path)]  # where it makes files
        self.edits = words[0] == "stamp" or SET[0] in words
        if words[0] == "undo":  # there must be something
            write(root, SET[0], 2)
        self.counts = dict.fromkeys(("commands killed", "had ended before", "interrupted", "had done it"), 0)
        self.faults: list[str] = []

    def kill(self, number: int, seconds: float) -> float:
        """Start one and kill it after so many seconds, then let the next command heal; return how long it took."""
        filled = self._prepared(number)
        before, began = self._version(), time.monotonic()
        words = [word.format(**filled) for word in self.words]
        process = ForkedCommand(*words, "--root", self.root.path)
        if seconds < PATIENCE and self.chance.random() < 0.5:
            seconds = self._first_file(process, seconds)
        code = process.wait(seconds)
        if code is None:
            process.kill()
            self.counts["commands killed"] += 1
        else:
            self.counts["had ended before"] += 1
            self._must(code == 0, f"it ended with {code}")
        took = time.monotonic() - began
        self._look(before)
        return took

    def _version(self) -> int:
        stamp = stamps.read_stamp(self.root)
        return stamp.version if stamp is not None else 0

    def _prepared(self, number: int) -> dict[str, object]:
        """Make what the command is about; return what its words leave open."""
        if self.edits:
            file = Path(self.root.tools_path, f"{SET[0]}.json")
            file.write_text(f"{HEAD}{number:0{len(NUMBER)}}{file.read_text()[len(HEAD + NUMBER) :]}")
        return {"n": 1000 + number}

    def _first_file(self, process: ForkedCommand, seconds: float) -> float:
        """Wait for the first file that it writes, or its end; return how long to wait from then on."""
        end = time.monotonic() + 10 * seconds
        while process.wait(0) is None and time.monotonic() < end:
            if any(name.startswith(TEMPORARY_PREFIX) for directory in self.watched for name in os.listdir(directory)):
                return self.chance.random() * 0.0003
        return 1.0

    def _look(self, before: int) -> None:
        left = self._left()
        stamp = stamps.read_stamp(self.root)
        self.counts["interrupted"] += bool(left) or (stamp is not None and bool(stamp.pending))
        with open_grants_for_write(self.root, SETTLING):
            pass
        stamp = stamps.read_stamp(self.root)
        assert stamp is not None
        self._must(not self._left(), "a temporary file is left")
        self._must(0 <= stamp.version - before <= self.most and not stamp.pending, f"from version {before} to {stamp}")
        self.counts["had done it"] += stamp.version - before
        reported = [problem.id for problem in find_stamp_mismatches(self.root)]
        expected = [SET[0]] if self.edits and stamp.version == before else []
        self._must(reported == expected, f"reported are {reported}, not {expected}")
        for path in Path(self.root.tools_path).iterdir():
            decode_grant(path.read_bytes())

    def _left(self) -> list[Path]:
        return temporary_files(self.policy)

    def _must(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.faults.append(f"{' '.join(self.words)}: {sentence}")


class Merging(Commands):
    """`stamp merge`: the stamp is the conflict or the merged one, and what our side had is never lost."""

    def _prepared(self, number: int) -> dict[str, object]:
        ours = stamps.read_stamp(self.root)
        assert ours is not None
        file = Path(self.root.tools_path, f"{SET[0]}.json")
        self.old, new = file.read_bytes(), text_of(SET[0], 2000 + number).encode()
        theirs = stamps.Stamp(ours.version + 1, {**ours.digests, SET[0]: stamps.compute_content_digest(new)}, {})
        file.write_bytes(new)
        self.version = theirs.version + 1
        sides = (stamps.encode_stamp(side) for side in (ours, theirs))
        self.conflict = b"<<<<<<< ours\n%b=======\n%b>>>>>>> theirs\n" % tuple(sides)
        Path(stamps.make_stamp_path(self.root.path)).write_bytes(self.conflict)
        return {}

    def _version(self) -> int:
        return self.version - 1

    def _look(self, before: int) -> None:
        text = Path(stamps.make_stamp_path(self.root.path)).read_bytes()
        if text == self.conflict:
            write_stamp_after_merge(self.root, SETTLING)
            self.counts["had done it"] -= 1
        super()._look(before)
        self._must(self._version_of_stamp() == self.version, f"version {self.version} did not follow")
        undo.undo_writes(self.root, undo.UndoRequest(), lambda _: None)
        self._must(Path(self.root.tools_path, f"{SET[0]}.json").read_bytes() == self.old, "our side did not come back")

    def _version_of_stamp(self) -> int:
        return super()._version()


class GoingBack(Commands):
    """`undo --to`, over several grants: each is what it was or what it was before that, and the same goes on."""

    most = len(SET)

    def _prepared(self, number: int) -> dict[str, object]:
        stamp = stamps.read_stamp(self.root)
        assert stamp is not None
        self.version, self.old = stamp.version, self._files()
        for grant_id in SET:
            write(self.root, grant_id, 2000 + number)
        self.new = self._files()
        return {"version": self.version}

    def _look(self, before: int) -> None:
        super()._look(before)
        files = self._files()
        self._must(files.keys() == self.old.keys(), f"there are {sorted(files)}")
        self._must(all(text in (self.old[name], self.new[name]) for name, text in files.items()), f"{files}")
        undo.undo_writes(self.root, undo.UndoRequest(None, self.version), lambda _: None)
        self._must(self._files() == self.old, f"version {self.version} did not come back")

    def _files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in Path(self.root.tools_path).iterdir()}


class Configuring(Commands):
    """`config`: the settings are what they were or what they are to become, and the grants are as they were."""

    most = 0

    def __init__(self, root: Root, words: Sequence[str], seed: int) -> None:
        super().__init__(root, words, seed)
        self.target = configured.target(PROJECT if "--project" in words else USER, root)
        self.file = Path(self.target.file)
        self.watched.append(self.file.parent)

    def _prepared(self, number: int) -> dict[str, object]:
        self.old = configured.BY_HAND
        value = configured.VALUES[::2][number % 2]
        self.new = configured.after(self.old, value if "set" in self.words else None)
        self.file.write_text(self.old)
        return {"value": value}

    def _look(self, before: int) -> None:
        left = [name for name in os.listdir(self.file.parent) if name.startswith(TEMPORARY_PREFIX)]
        text = self.file.read_text()
        self._must(text in (self.old, self.new), f"the settings are {text!r}")
        faults = configured.faults(self.root)
        self._must(not faults, f"{faults}")
        super()._look(before)
        self.counts["interrupted"] += bool(left)
        self.counts["had done it"] += text == self.new


def write(root: Root, grant_id: str, rate: int) -> None:
    """Set the rate of a grant."""
    with open_grants_for_write(root, command="set") as writer:
        old = writer.grants.read(grant_id) or b""
        if (new := text_of(grant_id, rate).encode()) != old:
            writer.write(grant_id, old, new)


def _of(words: Sequence[str]) -> type[Commands]:
    if words[0] == "config":
        return Configuring
    return Merging if "merge" in words else GoingBack if "--to" in words else Commands


def kill_commands(root: Root, words: Sequence[str], kills: int, seed: int) -> tuple[dict[str, int], list[str]]:
    """Kill a command so often, most of the times near its end, where it writes."""
    load_program()
    run, number = _of(words)(root, words, seed), 2
    whole = min(run.kill(1, PATIENCE), run.kill(2, PATIENCE))
    run.counts["had ended before"] = 0
    while run.counts["commands killed"] < kills and number < 4 * kills + 10:
        number += 1
        run.kill(number, whole * run.chance.triangular(0.1, 1.1, 0.95))
    return run.counts, run.faults
