"""Try the real programs in every situation, and print the table of docs/agents.md.

python -m tests.agents.run [AGENT]... [--only WORD]; AGENTS_DIR names the directory that has them.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from cortex_policy.manage.hooks.targets import AGENT_FILES
from tests.agents.guarded import Guarded, make_venv
from tests.agents.programs import PROGRAMS
from tests.agents.trial import SITUATIONS, Trial, try_situation


def main() -> int:
    """Run what is asked for; exit with 1 if anything went wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("agents", nargs="*", default=list(PROGRAMS))
    parser.add_argument("--only", default="", help="situations whose title has this in it")
    options = parser.parse_args()
    titles = [title for title in SITUATIONS if options.only in title]
    found: dict[tuple[str, str], Trial] = {}
    with tempfile.TemporaryDirectory(prefix="agents-", dir="/var/tmp") as name:
        python = make_venv(Path(name))
        for agent in options.agents:
            for number, title in enumerate(titles):
                found[agent, title] = _try(agent, title, Path(name, f"{agent}-{number}"), python)
    names = [f"{AGENT_FILES[agent].title} {PROGRAMS[agent].version}" for agent in options.agents]
    print(f"| situation | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for title in titles:
        cells = [_cell(found[agent, title]) for agent in options.agents]
        print(f"| {title} | {' | '.join(cells)} |")
    return int(any(trial.faults for trial in found.values()))


def _try(agent: str, title: str, base: Path, python: Path) -> Trial:
    began = time.monotonic()
    guarded = Guarded(PROGRAMS[agent], base, python)
    guarded.install()
    trial = try_situation(title, guarded)
    print(f"{agent}: {title}: {_cell(trial)} ({time.monotonic() - began:.0f} s)", flush=True)
    for fault in trial.faults:
        print(f"    {fault}", flush=True)
    return trial


def _cell(trial: Trial) -> str:
    return "FAULT" if trial.faults else f"{trial.denied} denied, {trial.allowed} ran"


if __name__ == "__main__":
    sys.exit(main())
