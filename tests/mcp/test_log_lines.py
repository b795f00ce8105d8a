"""Log lines of `mcp serve`: a client that does not read them does not stop the server."""

import subprocess
import sys

from tests.support.mcp_client import PATIENCE

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
