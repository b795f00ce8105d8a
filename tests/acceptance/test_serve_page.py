"""docs/serve.md says what the server does: its paths, its counts, its bounds, and a command to paste."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.manage import overview
from cortex_policy.serve import access_guard, decisions, limited_http_protocol, server
from cortex_policy.serve.openapi import make_openapi_document
from cortex_policy.serve.page import access
from tests.support.checkout import page
from tests.support.serve import Server, call, environment, make_root, running

PAGE = page("serve")


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server for the grant of the page."""
    top = tmp_path_factory.mktemp("page")
    with running(make_root(top, git={"actions": ["tree"], "fsScope": ["docs"]}), env=environment(top)) as server:
        yield server


def test_the_command_of_the_page_is_answered(asked: Server, tmp_path: Path) -> None:
    """As it is there, with the socket of this server."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    (block,) = [block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if block.startswith("curl ")]
    command = re.sub(r"/dev/\S+\.sock", asked.url.removeprefix("unix:"), block)
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True, cwd=tmp_path)
    assert json.loads(done.stdout)["decision"] is True


def test_the_page_has_every_path() -> None:
    """With its method."""
    described = {
        (method.upper(), path) for path, methods in make_openapi_document()["paths"].items() for method in methods
    }
    assert set(re.findall(r"^\| `(GET|POST) (\S+)` \|", PAGE, re.MULTILINE)) == described


def test_the_page_has_every_count(asked: Server) -> None:
    """By the name that Prometheus sees."""
    asked.evaluate(call())
    names = set(re.findall(r"^# TYPE (cortex_policy\w+) ", asked.get("/metrics").body.decode(), re.MULTILINE))
    names = {name for name in names if not name.endswith("_created")}
    assert set(re.findall(r"`(cortex_policy\w+)`", PAGE)) == names


def test_the_page_has_the_bounds_of_the_code() -> None:
    """Each as a person would write it."""
    for text in (
        f"at most {server.MAX_CONNECTIONS:,} connections",
        f"within {limited_http_protocol.REQUEST_SECONDS:g} seconds",
        f"closed after {limited_http_protocol.IDLE_SECONDS:g}",
        f"at most {limited_http_protocol.MAX_HEAD >> 10} KiB and {limited_http_protocol.MAX_HEADERS} fields",
        f"up to {decisions.MAX_EVALUATIONS:,} calls",
        f"at most {access_guard.MAX_REQUEST_ID} printable",
        f"more than {MAX_BYTES >> 20} MiB",
        f"in its tab for {access.SESSION_SECONDS // 3600} hours",
        f"more than {overview.MAX_GRANTS} grants",
    ):
        assert text in " ".join(PAGE.split())
