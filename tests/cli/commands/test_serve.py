"""`serve`: what it refuses before it listens; what it does is in tests/serve."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.support.command import PROGRAM, result_of, run_command


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (["--socket", "a", "--tcp", "127.0.0.1:1"], 2, "cannot be combined"),
        (["--tcp", "127.0.0.1:0"], 2, "name a file with `--token`"),
        (["--tcp", "10.1.2.3:1", "--token", "t"], 2, "it needs TLS"),
        (["--tcp", "0.0.0.0:1", "--token", "t"], 2, "every address of this host"),
        (["--tcp", "[::]:1", "--token", "t"], 2, "every address of this host"),
        (["--tcp", "127.0.0.1", "--token", "t"], 2, "is not an address"),
        (["--tcp", "::1:80", "--token", "t"], 2, "is not an address"),
        (["--tcp", "127.0.0.1:65536", "--token", "t"], 2, "is not an address"),
        (["--tcp", "127.0.0.1:0", "--token", "t", "--cert", "c"], 2, "given together"),
        (["--socket", "s", "--cert", "c", "--key", "k"], 2, "a unix socket has no TLS"),
        (["--tcp", "127.0.0.1:0", "--token", "t", "--cert", "c", "--key", "k"], 3, "no such file"),
        (["--tcp", "127.0.0.1:0", "--token", "no/such/file"], 3, "mkdir -p -m 700"),
        (["--workers", "0"], 2, "workers"),
        (["--link"], 2, "for a unix socket"),
        (["--link", "--tcp", "127.0.0.1:1"], 2, "give the server's `--tcp` and `--token` again"),
        (["--link", "--tcp", "127.0.0.1:0", "--token", "t"], 2, "name the port that it has printed"),
        (["--link", "--tcp", "127.0.0.1:1", "--token", "missing"], 3, "no such file"),
        (["--root", "/nowhere"], 25, "/nowhere"),
    ],
)
@pytest.mark.usefixtures("root")
def test_it_refuses_what_would_be_open_to_others_or_means_nothing(words: list[str], code: int, why: str) -> None:
    """And says what to do."""
    done = result_of("serve", *words)
    assert done.returncode == code, done
    assert why in done.stderr
    assert not done.stdout


def test_more_than_one_root_is_refused_as_by_a_check(root: Path) -> None:
    """A nested directory must not widen what an outer one allows."""
    inner = root / "inner"
    (inner / ".cortex" / "policy" / "tools").mkdir(parents=True)
    assert result_of("serve", cwd=inner).returncode == 26


@pytest.mark.parametrize("name", ["uvicorn", "starlette", "httptools", "prometheus_client"])
@pytest.mark.usefixtures("root")
def test_without_the_extra_it_says_what_to_install(name: str) -> None:
    """It is no part of the ordinary package."""
    with patch.dict(sys.modules, {name: None}):
        done = result_of("serve")
    assert done.returncode == 2
    assert f"`{name}` is not installed" in done.stderr
    assert "pip install 'cortex-policy[serve]'" in done.stderr


@pytest.mark.parametrize("number", ["0", "2", "x"])
@pytest.mark.usefixtures("root")
def test_systemd_must_give_one_socket(number: str) -> None:
    """Else a unit is wrong."""
    done = result_of("serve", LISTEN_PID=str(os.getpid()), LISTEN_FDS=number)
    assert done.returncode == 2
    assert "ListenStream" in done.stderr


def test_a_socket_that_systemd_has_not_given_is_an_error_of_its_unit(root: Path) -> None:
    """The variables alone say nothing."""
    starter = (
        "import os, sys; os.closerange(3, 99);"
        "os.environ |= {'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '1'}; os.execv(sys.argv[1], sys.argv[1:])"
    )
    argv = [sys.executable, "-c", starter, *PROGRAM, "serve", "--root", str(root)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "descriptor 3 is not a socket" in done.stderr


@pytest.mark.parametrize(
    ("host", "words", "why"),
    [("127.0.0.1", [], "name a file with `--token`"), ("0.0.0.0", ["--token", "t"], "every address of this host")],  # noqa: S104 - refused
)
def test_a_port_of_systemd_needs_what_every_port_needs(root: Path, host: str, words: list[str], why: str) -> None:
    """Its unit names the address."""
    with socket.socket() as given:
        given.bind((host, 0))
        given.listen()
        starter = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3);"
            "os.environ |= {'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '1'}; os.execv(sys.argv[2], sys.argv[2:])"
        )
        argv = [sys.executable, "-c", starter, str(given.fileno()), *PROGRAM, "serve", "--root", str(root), *words]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, pass_fds=[given.fileno()])
    assert done.returncode == 2
    assert why in done.stderr


def test_a_link_names_the_address_of_the_server_by_its_own_words(root: Path) -> None:
    """Nothing else is printed, so that it can be piped; with a certificate it is that of TLS, by name."""
    token = root / "token"
    token.write_text("t" * 40)
    token.chmod(0o600)
    words = ["serve", "--link", "--tcp", "LocalHost:8930", "--token", "token"]
    assert re.fullmatch(r"http://127\.0\.0\.1:8930/#[0-9a-f]{16}\.[0-9a-f]{32}\n", run_command(*words).stdout)
    link = json.loads(run_command(*words, "--cert", "c", "--key", "k", "--json").stdout)["link"]
    assert link.startswith("https://localhost:8930/#")
