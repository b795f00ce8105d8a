"""The page about deployment says what works: its units, scripts and pods are read, and their commands are run."""

import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.checkout import page

PAGE = page("deploy")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PROGRAM = "/opt/cortex-policy/bin/cortex-policy"
Done = subprocess.CompletedProcess[str]


def blocks(kind: str) -> list[str]:
    """Return the text of each block of a kind."""
    return [text for name, text in BLOCKS if name == kind]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Make what stands for the installed program."""
    program = tmp_path / "cortex-policy"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -m cortex_policy "$@"\n')
    program.chmod(0o755)
    return program


def run(command: str, root: Path, program: Path, **variables: str) -> Done:
    """Run a command of the page in a shell, as it stands but for its places."""
    for old, new in ((PROGRAM, str(program)), ("/srv/repo", str(root)), ("/usr/local/bin/agent", "true")):
        command = command.replace(old, new)
    kept = {name: os.environ[name] for name in ("CORTEX_POLICY_STATE_DIR", "XDG_CONFIG_HOME") if name in os.environ}
    environment = {"PATH": os.environ["PATH"], **kept, **variables}
    return subprocess.run(["sh", "-c", command], cwd="/", env=environment, text=True, capture_output=True, check=False)


def test_the_systemd_unit_is_valid_and_its_check_allows(root: Path, program: Path, tmp_path: Path) -> None:
    """Below a link, as a dynamic user has it; systemd finds no fault with it where it is installed."""
    (text,) = blocks("ini")
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(text)
    variables = dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.MULTILINE))
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "agent").symlink_to("private")
    variables["CORTEX_POLICY_STATE_DIR"] = variables["CORTEX_POLICY_STATE_DIR"].replace("/var/lib", str(tmp_path))
    variables["CORTEX_POLICY_ROOT"] = str(root)
    command = unit["Service"]["ExecStartPre"]
    assert run(command, root, program, **variables).returncode == 0
    assert run(command.replace("--peek ", ""), root, program, **variables).returncode == 0
    assert (tmp_path / "private" / "cortex-policy").is_dir()
    if shutil.which("systemd-analyze"):
        file = tmp_path / "x.service"
        file.write_text(text.replace(PROGRAM, str(program)).replace("/usr/local/bin/agent", "/bin/true"))
        done = subprocess.run(["systemd-analyze", "verify", file], text=True, capture_output=True, check=False)
        assert "x.service" not in done.stderr


def test_the_line_for_tmpfiles_makes_the_directory(tmp_path: Path) -> None:
    """With the mode that a check wants."""
    (line,) = [text for text in blocks("") if text.startswith("d ")]
    kind, path, mode, user, group, age = line.split()
    assert (kind, path, mode, age) == ("d", f"/dev/shm/cortex-policy-{user}", "0700", "-")  # noqa: S108 - only compared
    assert user == group
    if os.geteuid() != 0 or not shutil.which("systemd-tmpfiles"):
        pytest.skip("no systemd-tmpfiles, or not root")
    file = tmp_path / "x.conf"
    file.write_text(line.replace("/dev/shm", f"{tmp_path}"))  # noqa: S108
    subprocess.run(["systemd-tmpfiles", "--create", file], check=True, capture_output=True)
    status = (tmp_path / Path(path).name).stat()
    assert (status.st_mode & 0o7777, status.st_uid) == (0o700, int(user))


def test_the_line_for_cron_is_allowed_with_a_bare_environment(root: Path, program: Path) -> None:
    """From anywhere."""
    (line,) = [text for text in blocks("") if text.startswith("*/5")]
    command = line.split(maxsplit=6)[6]
    done = run(command, root, program)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_script_for_sudo_lets_nobody_name_another_root(root: Path, program: Path, tmp_path: Path) -> None:
    """Nor believes a variable."""
    (script,) = blocks("sh")
    file = tmp_path / "policy-check"
    keep = f"/usr/bin/env -i CORTEX_POLICY_STATE_DIR={tmp_path}/state"
    file.write_text(
        script.replace("/usr/bin/env -i", keep).replace(PROGRAM, str(program)).replace("/srv/repo", str(root))
    )
    file.chmod(0o755)
    words = re.search(r"policy-check (git tree .*?)`", PAGE)
    assert words is not None
    assert run(f"{file} {words[1]}", root, program).returncode == 0
    assert run(f"{file} git push", root, program).returncode == 10
    assert run(f"{file} git tree --root /", root, program).returncode == 2
    assert run(f"{file} git tree", root, program, CORTEX_POLICY_ROOT="/").returncode == 0
    if shutil.which("visudo"):
        (line,) = [text for text in blocks("") if text.startswith("agent ALL")]
        (tmp_path / "sudoers").write_text(line)
        done = subprocess.run(["visudo", "-cf", tmp_path / "sudoers"], capture_output=True, check=False)
        assert done.returncode == 0


def test_grants_of_a_configmap_are_refused_until_an_init_container_copies_them(
    root: Path, program: Path, tmp_path: Path
) -> None:
    """Its command is run over links as Kubernetes makes them."""
    pod, by_path = (yaml.safe_load(text) for text in blocks("yaml"))
    data = tmp_path / "grants" / "..2026"
    data.mkdir(parents=True)
    shutil.copy(root / ".cortex/policy/tools/git.json", data)
    (tmp_path / "grants" / "..data").symlink_to("..2026")
    (tmp_path / "grants" / "git.json").symlink_to("..data/git.json")
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy").chmod(0o777)
    mounted = root / ".cortex/policy/tools"
    shutil.rmtree(mounted)
    shutil.copytree(tmp_path / "grants", mounted, symlinks=True)
    done = run(f"{PROGRAM} check git tree --root {root}", root, program)
    assert done.returncode == 22
    assert "init container" in done.stderr
    assert "cp " not in done.stderr
    command = pod["spec"]["initContainers"][0]["command"][2]
    for name in ("grants", "policy"):
        command = re.sub(rf"(?<![\w/]|\.)/{name}\b", f"{tmp_path}/{name}", command)
    assert run(command, root, program).returncode == 0
    assert run(f"{PROGRAM} check git tree --root {tmp_path}/policy/root", root, program).returncode == 0
    (volume,) = by_path["volumes"]
    assert volume["configMap"]["defaultMode"] == 0o444


def test_the_image_copies_grants_that_a_check_trusts() -> None:
    """Nobody but their owner may write them."""
    (text,) = blocks("dockerfile")
    assert "--chmod=u=rwX,go=rX" in text
    assert "ENV CORTEX_POLICY_ROOT=/srv/repo" in text
