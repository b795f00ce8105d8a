"""Install agent programs with npm, in the versions that were tried: python -m tests.agents.install [AGENT]...

AGENTS_DIR names the directory for them. It exits with 1 if npm is missing or cannot install one.
"""

import shutil
import subprocess
import sys

from tests.agents.program import Program
from tests.agents.programs import PROGRAMS


def install(program: type[Program]) -> bool:
    """Install a program unless it is there; none of its scripts is run."""
    npm = shutil.which("npm")
    if npm is None or program.file() is not None:
        return program.file() is not None
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(program.prefix())]
    done = subprocess.run([npm, "install", *options, f"{program.package}@{program.version}"], check=False)
    return done.returncode == 0 and program.file() is not None


if __name__ == "__main__":
    sys.exit(not all(install(PROGRAMS[agent]) for agent in sys.argv[1:] or PROGRAMS))
