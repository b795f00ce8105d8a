"""The page about shared budgets is pasted on two hosts, which then share a budget."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cortex_policy.core.settings import BY_NAME
from tests.support.checkout import page
from tests.support.redis_servers import RedisServer, running_server

PAGE = page("shared-budgets")
(SET_UP,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(KEY,) = re.findall(r"`(\(umask 077; openssl .*?)`", PAGE)
COUNTED = "cortex-policy check git tree --path docs/x; cortex-policy rate show git | head -1"


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """Run a server, as somebody has one."""
    if shutil.which("redis-cli") is None:
        pytest.skip("redis-cli is not installed")
    with running_server("--maxmemory-policy", "allkeys-lru") as running:
        yield running


def pasted(block: str, home: Path, server: RedisServer) -> str:
    """Run a block in a shell of a host, with the server of the test and time enough; return what it prints."""
    (home / ".config/cortex-policy").mkdir(parents=True, exist_ok=True)
    (home / "state").mkdir(mode=0o700, exist_ok=True)
    block = block.replace("-h 10.0.0.5", f"-s {server.path}").replace("redis://10.0.0.5:6379", server.url)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables = {name: value for name, value in os.environ.items() if name != "XDG_CONFIG_HOME"}
    done = subprocess.run(
        ["bash", "-c", block], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env=variables | {
            "PATH": path, "HOME": str(home), "CORTEX_POLICY_STATE_DIR": str(home / "state"),
            "CORTEX_POLICY_BUDGETS_TIMEOUT_MS": "5000", "SHELL": "/bin/sh",
        },
    )  # fmt: skip
    return done.stdout + done.stderr


@pytest.mark.usefixtures("root")
def test_two_hosts_share_a_budget_after_the_commands_of_the_page(server: RedisServer, tmp_path: Path) -> None:
    """The first one sees a server that may evict; after the first command nothing is wrong but that it is new."""
    first, second = tmp_path / "a", tmp_path / "b"
    shown = pasted(f"{KEY}\n{SET_UP}", first, server)
    found = dict(re.findall(r"^(?:ok|warning|problem) +(budget-\w+) +(.*)", shown, re.MULTILINE))
    assert found["budget-eviction"] == "the server evicts nothing"
    assert re.search(
        r"denies every budget that was not reset, for \d+ more seconds: the server", found["budget-server"]
    )
    (second / ".config/cortex-policy").mkdir(parents=True)
    shutil.copy(first / ".config/cortex-policy/budgets.key", second / ".config/cortex-policy")
    shown = pasted(SET_UP, second, server)
    assert "ok       budget-key" in shown
    pasted("cortex-policy rate reset git --yes", second, server)
    assert re.search(r"^git\ttree\t1\t30\t29", pasted(COUNTED, first, server), re.MULTILINE)
    assert re.search(r"^git\ttree\t2\t30\t28", pasted(COUNTED, second, server), re.MULTILINE)


def test_the_page_explains_every_setting_of_budgets() -> None:
    """In the order of the reference, with the defaults."""
    rows = re.findall(r"^\| `(budgets\.\w+)` \|", PAGE, re.MULTILINE)
    assert rows == [name for name in BY_NAME if name.startswith("budgets.")]
    assert BY_NAME["budgets.timeout_ms"].default == 50


@pytest.mark.parametrize(
    "form", re.findall(r"`((?:redis|rediss|unix|redis\+\w+)://[^`]*HOST[^`]*|unix://[^`]*)`", PAGE)
)
def test_each_form_of_a_url_on_the_page_is_accepted(form: str) -> None:
    """With a host, a port and a database in place of their names."""
    words = {
        "HOST": "cache",
        "PORT": "6379",
        "/DB": "/1",
        "=DB": "=1",
        "SERVICE": "main",
        "/PATH": "/run/r",
        "/FILE": "/etc/ca",
    }
    for old, new in words.items():
        form = form.replace(old, new)
    assert BY_NAME["budgets.url"].accepts(form)
