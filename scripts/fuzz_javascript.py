"""Ask the npm package what this program answers to new random vectors: python scripts/fuzz_javascript.py [COUNT] [SEED] [KIND ...].

Prints each difference, and exits 1 if there is one. Without a seed it takes a new one, and prints it.
"""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

TOP = Path(__file__).parent.parent
sys.path.insert(0, str(TOP))

from scripts.generate_vectors import KINDS  # noqa: E402 - found by the line above
from scripts.vectors.answers import answer  # noqa: E402
from scripts.vectors.chance import Chance  # noqa: E402
from scripts.vectors.files import to_line  # noqa: E402
from scripts.vectors.texts import Vector  # noqa: E402

COUNT = 20_000


def main(count: int, seed: str, *kinds: str) -> int:
    """Make this many vectors, of each kind its share, and return the exit code of the comparison."""
    sys.stdout.write(f"seed {seed}\n")
    sys.stdout.flush()
    words = ["node", "js/test/support/fuzz.js"]
    node = subprocess.Popen(words, cwd=TOP, stdin=subprocess.PIPE, text=True)
    if node.stdin is not None:
        node.stdin.writelines(map(to_line, answered_vectors(count, seed, kinds or tuple(KINDS))))
        node.stdin.close()
    return node.wait()


def answered_vectors(count: int, seed: str, kinds: tuple[str, ...]) -> Iterator[Vector]:
    """Yield vectors with the answers of this program."""
    shares = {kind: KINDS[kind][1] for kind in kinds}
    for kind, share in shares.items():
        chance, wanted = Chance(f"{seed} {kind}"), count * share // sum(shares.values())
        made = (vector for vector in iter(lambda: KINDS[kind][0](chance), ...) if vector is not None)  # noqa: B023 - used up below
        for number, vector in enumerate(islice(made, wanted)):
            # read back: two surrogates that form a pair are one character in a file
            asked = json.loads(to_line({"id": f"{kind}/{number}", **vector}))
            yield {**asked, "expect": answer(asked)}


if __name__ == "__main__":
    number, name, *chosen = [*sys.argv[1:], *[str(COUNT), secrets.token_hex(8)][len(sys.argv[1:]) :]]
    sys.exit(main(int(number), name, *chosen))
