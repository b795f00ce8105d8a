"""Install programs with npm, in the versions that were tried: python -m tests.agents.install [NAME]...

A name is an agent's or `filesystem`, the reference MCP server; without one, all agents are installed. AGENTS_DIR names
the directory for them. It exits with 1 if npm is missing or cannot install one.
"""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.agents.program import DIRECTORY
from tests.agents.programs import PROGRAMS

FILESYSTEM = DIRECTORY / "npm-filesystem" / "node_modules"  # of the reference server, with the SDK for TypeScript
FILESYSTEM_SERVER = FILESYSTEM / "@modelcontextprotocol" / "server-filesystem" / "dist" / "index.js"
_FILESYSTEM_PACKAGE = "@modelcontextprotocol/server-filesystem@2026.8.31"


def install(name: str) -> bool:
    """Install a program unless it is there; none of its scripts is run."""
    if name == "filesystem":
        return _install_package(FILESYSTEM.parent, _FILESYSTEM_PACKAGE, FILESYSTEM_SERVER.is_file)
    program = PROGRAMS[name]
    package = f"{program.package}@{program.version}"
    return _install_package(program.prefix(), package, lambda: program.file() is not None)


def _install_package(prefix: Path, package: str, is_installed: Callable[[], bool]) -> bool:
    npm = shutil.which("npm")
    if npm is None or is_installed():
        return is_installed()
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(prefix)]
    done = subprocess.run([npm, "install", *options, package], check=False)
    return done.returncode == 0 and is_installed()


if __name__ == "__main__":
    sys.exit(not all(install(name) for name in sys.argv[1:] or PROGRAMS))
