"""Kill whole commands at random instants."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from scribes import HEAD, NUMBER, SET

from cortex_policy.core.decode import decode
from cortex_policy.manage import stamping
from cortex_policy.manage.writing import writing
from cortex_policy.state import stamp as stamps
from cortex_policy.state.files import NEW
from cortex_policy.state.grants import Root

PATIENCE = 60.0


class Commands:
    """A command, started again and again and killed; one that stamps follows an edit made by hand."""

    def __init__(self, root: Root, words: Sequence[str], seed: int) -> None:
        self.root, self.words, self.chance = root, words, random.Random(seed)
        self.stamps = words[0] == "stamp"
        self.counts = dict.fromkeys(("commands killed", "had ended before", "interrupted", "had done it"), 0)
        self.faults: list[str] = []

    def kill(self, number: int, seconds: float) -> float:
        """Start one and kill it after so many seconds, then let the next command heal; return how long it took."""
        if self.stamps:
            file = Path(self.root.tools, f"{SET[0]}.json")
            file.write_text(f"{HEAD}{number:0{len(NUMBER)}}{file.read_text()[len(HEAD + NUMBER) :]}")
        stamp = stamps.read(self.root)
        before, began = stamp.version if stamp is not None else 0, time.monotonic()
        words = [word.replace("{n}", str(1000 + number)) for word in self.words]
        process = subprocess.Popen(
            [sys.executable, "-m", "cortex_policy", *words, "--root", self.root.path],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        if seconds < PATIENCE and self.chance.random() < 0.5:
            seconds = self._first_file(process, seconds)
        try:
            _, told = process.communicate(timeout=seconds)
            self.counts["had ended before"] += 1
            self._must(process.returncode == 0, f"it ended with {process.returncode}: {told!r}")
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            self.counts["commands killed"] += 1
        took = time.monotonic() - began
        self._look(before)
        return took

    def _first_file(self, process: "subprocess.Popen[bytes]", seconds: float) -> float:
        """Wait for the first file that it writes, or its end; return how long to wait from then on."""
        policy, end = Path(self.root.tools).parent, time.monotonic() + 10 * seconds
        while process.poll() is None and time.monotonic() < end:
            if any(name.startswith(NEW) for name in os.listdir(policy) + os.listdir(self.root.tools)):
                return self.chance.random() * 0.0003
        return 1.0

    def _look(self, before: int) -> None:
        left = self._left()
        stamp = stamps.read(self.root)
        self.counts["interrupted"] += bool(left) or (stamp is not None and bool(stamp.pending))
        with writing(self.root):
            pass
        stamp = stamps.read(self.root)
        assert stamp is not None
        self._must(not self._left(), "a temporary file is left")
        self._must(stamp.version - before in {0, 1} and not stamp.pending, f"from version {before} to {stamp}")
        self.counts["had done it"] += stamp.version - before
        reported = [finding.id for finding in stamping.verify(self.root)]
        expected = [SET[0]] if self.stamps and stamp.version == before else []
        self._must(reported == expected, f"reported are {reported}, not {expected}")
        for path in Path(self.root.tools).iterdir():
            decode(path.read_bytes())

    def _left(self) -> list[Path]:
        return [path for path in Path(self.root.tools).parent.rglob("*") if path.name.startswith(NEW)]

    def _must(self, holds: bool, sentence: str) -> None:
        if not holds:
            self.faults.append(f"{' '.join(self.words)}: {sentence}")


def kill_commands(root: Root, words: Sequence[str], kills: int, seed: int) -> tuple[dict[str, int], list[str]]:
    """Kill a command so often, most of the times near its end, where it writes."""
    run, number = Commands(root, words, seed), 2
    if words[0] == "undo":  # there must be something
        with writing(root) as writer:
            old = writer.read(SET[0]) or b""
            writer.put(SET[0], old, old + b" ")
    whole = min(run.kill(1, PATIENCE), run.kill(2, PATIENCE))
    run.counts["had ended before"] = 0
    while run.counts["commands killed"] < kills and number < 4 * kills + 10:
        number += 1
        run.kill(number, whole * run.chance.triangular(0.1, 1.1, 0.95))
    return run.counts, run.faults
