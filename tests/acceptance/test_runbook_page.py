"""The runbook shows what is printed: each of its troubles is made, and its commands are run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cortex_policy.state.users import format_user
from tests.support.checkout import page

SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", page("runbook"), re.MULTILINE | re.DOTALL))
LOG = "mkdir {place}/logs {place}/archive; cortex-policy config set audit.file {place}/logs/audit.jsonl"
TROUBLES = {
    "Every call is denied": f"{LOG}; rmdir {{place}}/logs",
    "The audit log is full": f"{LOG}; mount -t tmpfs -o size=16k none {{place}}/logs; umask 077; head -c 16300 /dev/zero > {{place}}/logs/audit.jsonl",
    "The budget is gone": f"{LOG}; for i in $(seq 30); do cortex-policy check git tree -q; done",
    "The stamp is broken": "cortex-policy stamp write --allow-widening; sed -i s/30/3000/ .cortex/policy/tools/git.json",
    "A stop does not end": "cortex-policy stop; mount -t tmpfs none /etc; mkdir /etc/cortex-policy; touch /etc/cortex-policy/stop",
}
UID = os.geteuid()
PLACES = {"/srv/repo": "{place}/root", "/var/log/agent": "{place}/logs", "/srv/archive": "{place}/archive"}
# what the page types -> what the test types
TYPED = {**PLACES, "sudo -u agent ": "", "sudo ": "", "--user agent": f"--user {UID}"}
# what the test prints -> what the page prints
NAMES = {
    "mkdir -p {place}/logs": "sudo install -d -o agent /var/log/agent",
    "{place}/config": "/home/agent/.config", f"/dev/shm/cortex-policy-{UID}": "/dev/shm/cortex-policy-1000",  # noqa: S108 - of the page
    f"{format_user(UID)} (uid {UID})": "agent (uid 1000)", f"by user {UID} ": "by root ", **{new: old for old, new in PLACES.items()},
}  # fmt: skip


def replaced(text: str, pairs: dict[str, str]) -> str:
    """Replace words in a text."""
    for old, new in pairs.items():
        text = text.replace(old, new)
    return text


def comparable(text: str) -> list[str]:
    """Return lines in which numbers and times are the same every night."""
    text = re.sub(r"\d{4}-\d\d-\d\d[T ][\d:]+Z?", "TIME", text)
    lines = [re.sub(r"\d+(\.\d+)?", "N", line) for line in text.splitlines() if "not looked at" not in line]  # of root
    return list(dict.fromkeys(lines))  # of calls in two seconds there are two lines


def commands_and_outputs(section: str) -> list[tuple[str, str]]:
    """Return the commands of a section, each with what it prints."""
    (block,) = re.findall(r"^```console\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return re.findall(r"^\$ ([^\n]*)\n((?:[^$].*\n)*)", block, re.MULTILINE)


@pytest.mark.parametrize("name", SECTIONS)
def test_each_section_prints_what_the_runbook_shows(root: Path, tmp_path: Path, name: str) -> None:
    """To the letter, but for numbers, times and names; where there is an /etc and a /dev/shm of the test alone."""
    if (
        shutil.which("unshare") is None
        or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no mount namespace may be made here")
    shown, script = commands_and_outputs(SECTIONS[name]), ["mount -t tmpfs none /dev/shm", TROUBLES[name]]
    for number, (command, _) in enumerate(shown):
        script.append(f"{replaced(command, TYPED)} > {{place}}/{number} 2>&1")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: os.environ[name] for name in ("XDG_CONFIG_HOME", "HOME") if name in os.environ}
    text = "\n".join(script).replace("{place}", shlex.quote(str(tmp_path)))
    subprocess.run(
        ["unshare", "-m", "sh", "-c", text],
        cwd=root,
        check=False,
        capture_output=True,
        env={**environment, "PATH": path},
    )
    for number, (command, printed) in enumerate(shown):
        names = {old.replace("{place}", str(tmp_path)): new for old, new in NAMES.items()}
        assert comparable(replaced((tmp_path / str(number)).read_text(), names)) == comparable(printed), command
