"""Log lines of `mcp serve` and of the proxy: a client that does not read them stops nothing."""

import subprocess
import sys

from tests.support.mcp_client import PATIENCE
from tests.support.mcp_proxy import running

LOGS_MUCH = """
import logging
from cortex_policy.mcp.log_lines import prepare_logging
prepare_logging("mcp serve")
for number in range(2000):
    logging.getLogger("mcp").warning("line %d %s", number, "\\x1b" * 5000)
"""


def test_a_log_that_nobody_reads_stops_nothing() -> None:
    """A client may cause a line by each message that it sends; lines for which there is no room are left out."""
    with subprocess.Popen([sys.executable, "-c", LOGS_MUCH], stderr=subprocess.PIPE) as process:
        try:
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
        assert process.stderr is not None
        lines = process.stderr.read().splitlines()
    assert lines[0].startswith(b"brAInwav cortex-policy mcp serve: line 0 \\x1b")
    assert len(lines) < 2000


def test_lines_that_nobody_reads_delay_no_answer_of_the_proxy() -> None:
    """Each of them is for a message that was dropped; waiting for a reader would keep the next request for an hour."""
    dropped = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "x" * 1000}}
    with running() as proxy:
        proxy.send(*[dropped] * 3000)
        assert proxy.ask({"jsonrpc": "2.0", "id": 1, "method": "ping"})["id"] == 1
