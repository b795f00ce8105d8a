"""Ask policy.wasm and this program about new random vectors: python scripts/fuzz_wasm.py SEED SECONDS."""

import json
import sys
import time
from pathlib import Path

TOP = Path(__file__).parent.parent
sys.path.insert(0, str(TOP))

from scripts.generate_vectors import KINDS as ALL_KINDS  # noqa: E402 - found by the line above
from scripts.vectors.answers import answer  # noqa: E402
from scripts.vectors.chance import Chance  # noqa: E402
from tests.support.wasm_policy import MODULE, WasmPolicy  # noqa: E402
from tests.support.wasm_vectors import answer as wasm_answer  # noqa: E402
from tests.support.wasm_vectors import is_same  # noqa: E402

KINDS = {kind: makes for kind, makes in ALL_KINDS.items() if kind != "load"}  # the module has no disk
AT_ONCE = 500  # vectors for one instance


def main(seed: str, seconds: float) -> int:
    """Print each difference; return how many there are."""
    data, end, asked, wrong = MODULE.read_bytes(), time.monotonic() + seconds, 0, 0
    chances = {kind: Chance(f"{seed} {kind}") for kind in KINDS}
    policy = WasmPolicy(data)
    while time.monotonic() < end:
        for kind, (make, _) in KINDS.items():
            made = make(chances[kind])
            if made is None:
                continue
            if asked % AT_ONCE == 0:
                policy = WasmPolicy(data, ring_bytes=1 << 22)
            asked += 1
            vector = json.loads(json.dumps({"id": f"{kind}/{asked}", **made}))
            vector["expect"] = answer(vector)
            found = wasm_answer(policy, vector)
            if not is_same(vector, found):
                wrong += 1
                sys.stdout.write(json.dumps({**vector, "found": found}) + "\n")
    sys.stdout.write(f"{asked:,} vectors, {wrong} differences\n")
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2])) > 0)
