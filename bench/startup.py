"""Print how long commands take as whole processes, as ratios to a bare Python: python bench/startup.py [PAIRS].

The bare Python runs `pass`; beside `run` it also becomes the command that `run` becomes, so that both sides contain it.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parent.parent
GRANT = {
    "tool": "git-map",
    "actions": ["tree"],
    "args": {"path": {"type": "string"}},
    "rate": {"perMinute": 100_000},
    "fsScope": ["docs"],
}
SETTINGS = 'sensitive = "ask"  # until approvals are here\n\n[history]\nkeep = 30\n'
TANGLED = 'sensitive = "ask"\nhistory = {keep = 30}\n'
SETTINGS_OF_PROJECT = 'require_path = true\n\n[validate]\nignore = [\n  "scope-absent",\n]\n'
BARE, BARE_WITH_EXEC = "pass", "import os; os.execv('/bin/true', ['/bin/true'])"
WARM_UPS = 3
REDIS = shutil.which("redis-server") or shutil.which("valkey-server")


class Case(NamedTuple):
    """A command line, the code it must answer, and the ratio it should not exceed."""

    name: str
    words: list[str]
    code: int = 0
    goal: str = ""
    root: str = "root"
    config: str = "config"  # where the user's settings are looked for
    variables: tuple[tuple[str, str], ...] = ()
    bare: str = BARE  # what the Python beside it runs


def install_wheel(top: Path) -> Path:
    """Build the wheel, install it in a fresh environment, and return where its programs are."""
    venv.create(top / "venv", with_pip=True)
    programs = top / "venv" / "bin"
    pip = [programs / "python", "-m", "pip"]
    subprocess.run([*pip, "wheel", "-q", "--no-deps", "-w", top, CHECKOUT], check=True)
    subprocess.run([*pip, "install", "-q", *top.glob("*.whl")], check=True)
    return programs


def open_scratch_root(top: Path, name: str = "root") -> Path:
    """Make a root: one grant with a rate that the runs do not use up, one that allows a single call."""
    root = top / name
    tools = root / ".cortex" / "policy" / "tools"
    tools.mkdir(parents=True)
    (root / "docs").mkdir()
    (tools / "git.json").write_text(json.dumps(GRANT))
    (tools / "once.json").write_text(json.dumps({**GRANT, "tool": "once", "rate": {"perMinute": 1}}))
    return root


def scratch_settings(top: Path) -> None:
    """Set something for the user in plain lines, the same in lines that take `tomllib`, and in another root."""
    for name, text in (("set", SETTINGS), ("tangled", TANGLED)):
        directory = top / name / "cortex-policy"
        directory.mkdir(parents=True)
        (directory / "config.toml").write_text(text)
    (open_scratch_root(top, "tightened") / ".cortex" / "policy" / "config.toml").write_text(SETTINGS_OF_PROJECT)


@contextmanager
def running_server(programs: Path, top: Path) -> Iterator[None]:
    """Run a server whose budgets are open, and let the settings in `server` name it; nothing if none is installed."""
    if REDIS is None:
        yield
        return
    (top / "key").touch(0o600)
    (top / "key").write_text("0123456789abcdef" * 2)
    settings = top / "server" / "cortex-policy" / "config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(
        f'[budgets]\nurl = "unix://{top}/socket"\nname = "bench"\nkey_file = "{top}/key"\ntimeout_ms = 5000\n'
    )
    words = [REDIS, "--port", "0", "--unixsocket", f"{top}/socket", "--save", "", "--dir", top]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as server:
        try:
            while not (top / "socket").exists():
                time.sleep(0.05)
            reset = [f"{programs}/cortex-policy", "rate", "reset", "git", "--yes", "--root", top / "root"]
            environment = {**scratch_environment(top), "XDG_CONFIG_HOME": f"{top}/server"}
            subprocess.run(reset, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            yield
        finally:
            server.kill()


def scratch_environment(top: Path) -> dict[str, str]:
    """Keep the user's settings out of the runs, and the runs out of the user's rate state."""
    (top / "state").mkdir(mode=0o700, exist_ok=True)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CORTEX_")}
    return {**inherited, "CORTEX_POLICY_STATE_DIR": f"{top}/state", "XDG_CONFIG_HOME": f"{top}/config"}


def cases(programs: Path, top: Path) -> list[Case]:
    """Return what is timed."""
    audited = (("CORTEX_AUDIT_LOG", f"{top}/audit.jsonl"),)
    ours, peer = [f"{programs}/cortex-policy"], [f"{programs}/python", f"{CHECKOUT}/bench/typer_check.py"]
    call = ["git", "tree", "--path", "docs/x"]
    return [
        Case("check, allowed", [*ours, "check", *call], goal="1.25"),
        Case("check, with a user setting", [*ours, "check", *call], goal="1.3", config="set"),
        Case("check, with a project setting", [*ours, "check", *call], goal="1.3", root="tightened"),
        Case("check, with both", [*ours, "check", *call], goal="1.3", root="tightened", config="set"),
        Case("check, with a user setting that takes tomllib", [*ours, "check", *call], config="tangled"),
        Case("check, with an audit log", [*ours, "check", *call], goal="1.4", variables=audited),
        *(
            [Case("check, with a server of budgets on a socket", [*ours, "check", *call], goal="1.6", config="server")]
            if REDIS is not None
            else []
        ),
        Case("check, denied", [*ours, "check", "git", "push"], 10),
        Case(
            "run, beside a Python that becomes the same command",
            [*ours, "run", *call, "--", "/bin/true"],
            goal="1.3",
            bare=BARE_WITH_EXEC,
        ),
        Case("run, to the end of /bin/true", [*ours, "run", *call, "--", "/bin/true"]),
        Case("run, denied", [*ours, "run", "git", "push", "--", "/bin/true"], 10),
        Case("peer, allowed", [*peer, *call]),
        Case("--help", [*ours, "--help"], goal="8"),
        Case("list", [*ours, "list"], goal="8"),
        Case("show", [*ours, "show", "git"], goal="8"),
    ]


def work_is_done(programs: Path, root: Path, environment: dict[str, str]) -> None:
    """End the run unless both checks resolve paths and remember a hit: a ratio of less work would mean nothing."""
    for program in ([f"{programs}/cortex-policy", "check"], [f"{programs}/python", f"{CHECKOUT}/bench/typer_check.py"]):
        for path, code in (("docs/../x", 12), ("docs/x", 0), ("docs/x", 14)):
            milliseconds([*program, "once", "tree", "--path", path], root, environment, code)


def milliseconds(words: list[str], root: Path, environment: dict[str, str], expected: int) -> float:
    """Time one whole process; end the run where it answers another code than expected."""
    began = time.perf_counter_ns()
    done = subprocess.run(
        words, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    took = (time.perf_counter_ns() - began) / 1e6
    if done.returncode != expected:
        sys.exit(f"`{' '.join(words)}` ended with {done.returncode}, not {expected}")
    return took


def main(pairs: int) -> None:
    """Run each command in turn with a bare Python and print the ratios."""
    with tempfile.TemporaryDirectory() as directory:
        top = Path(directory)
        programs, root, environment = install_wheel(top), open_scratch_root(top), scratch_environment(top)
        scratch_settings(top)
        work_is_done(programs, root, environment)
        print(f"ratio to a bare Python, {pairs} pairs, Python {sys.version.split()[0]}\n")
        print("| command | median | min | max | goal |\n|---|---|---|---|---|")
        with running_server(programs, top):
            for case in cases(programs, top):
                there = {**environment, "XDG_CONFIG_HOME": f"{top}/{case.config}", **dict(case.variables)}
                ratios = []
                for _ in range(WARM_UPS + pairs):
                    ours = milliseconds(case.words, top / case.root, there, case.code)
                    ratios.append(ours / milliseconds([f"{programs}/python", "-c", case.bare], root, there, 0))
                kept = ratios[WARM_UPS:]
                print(f"| {case.name} | {median(kept):.2f} | {min(kept):.2f} | {max(kept):.2f} | {case.goal} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
