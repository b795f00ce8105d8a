"""A verified log beside `json.loads` of the same lines, in one run: python bench/verify.py [LINES] [ROUNDS]."""

import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from statistics import median

from replay import decode_lines

from cortex_policy.core.audit_chain import chain_first_line, chain_line, parse_chain_digest_or_empty
from cortex_policy.core.audit_event import Event, event_to_cloudevent_line
from cortex_policy.manage.audit import verify
from cortex_policy.manage.audit.log_files import open_logs

MOST = 1.0  # times `json.loads`


def digest(data: bytes) -> str:
    """Return SHA-256 in hexadecimal."""
    return sha256(data).hexdigest()


def log(file: Path, count: int, detail: str) -> None:
    """Write a chained log of this number of calls."""
    before = ""
    with file.open("wb") as out:
        for number in range(count):
            args = {"repo": "main", "path": f"apps/{number}/main.py"}
            words = (f"{number:032x}", number * 10**8, "git", "git", "tree")
            event = Event(*words, args, is_allowed=True, reason="allowed", root="/srv/repo")
            text = event_to_cloudevent_line(event, detail, digest)
            text = chain_line(text, before, b"", digest) if before else chain_first_line(text, None, digest)
            before = parse_chain_digest_or_empty(text[:-1])
            out.write(text)


def verify_log(file: Path, count: int) -> None:
    """Verify the log; end the run where that finds anything."""
    with open_logs([str(file)]) as files:
        found = verify.verify_chain(files, None, iter)
    if found.breaks or found.chained != count:
        sys.exit(f"not verified: {found}")


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main(count: int = 300_000, rounds: int = 5) -> int:
    """Time both in turn, print the ratios, and return 1 where one is larger than is claimed."""
    worst = 0.0
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "audit.jsonl"
        print("| log | lines a second | `json.loads`, lines a second | times `json.loads` |\n|---|---|---|---|")
        for detail in ("names", "fingerprints", "full"):
            log(file, count, detail)
            pairs = [
                (seconds(lambda: verify_log(file, count)), seconds(lambda: decode_lines(file))) for _ in range(rounds)
            ]
            ratio = median(ours / plain for ours, plain in pairs)
            ours, plain = (count / median(column) for column in zip(*pairs, strict=True))
            worst = max(worst, ratio)
            print(f"| {detail} | {ours:,.0f} | {plain:,.0f} | {ratio:.2f} |", flush=True)
    return 1 if worst > MOST else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
