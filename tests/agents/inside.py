"""Run one session of an agent in namespaces of its own: no network but loopback, and no process outlives it.

`python -m tests.agents.inside JOB RESULT` is what `session.py` starts with `unshare`.
"""

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.agents.mock_model import Model, serve

_SET_FLAGS, _UP_AND_RUNNING = 0x8914, 0x1 | 0x40  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING


def raise_loopback() -> None:
    """Bring up loopback, which must be the only interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, _SET_FLAGS, struct.pack("16sh14x", b"lo", _UP_AND_RUNNING))
    names = [name for _, name in socket.if_nameindex()]
    assert names == ["lo"], names


def mount_shared_memory(size: str) -> None:
    """Give the session shared memory of its own, of this size: the rate state is there."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=1777", "tmpfs", "/dev/shm"], check=True)  # noqa: S108 - mounted for us


def run_agent(job: dict[str, Any]) -> int | None:
    """Run the agent; return its exit code, None if it took too long."""
    folder = Path(job["base"])
    with (folder / "agent.out").open("wb") as out, (folder / "agent.err").open("wb") as err:
        agent = subprocess.Popen(
            job["argv"], cwd=job["cwd"], env=job["env"], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            start_new_session=True,
        )  # fmt: skip
        try:
            return agent.wait(job["limit"])
        except subprocess.TimeoutExpired:
            os.killpg(agent.pid, signal.SIGKILL)
            agent.wait()
            return None


def main(job_file: str, result_file: str) -> None:
    """Serve the model, run the agent, and write what happened."""
    job = json.loads(Path(job_file).read_text())
    raise_loopback()
    mount_shared_memory(job["shared_memory"])
    model = Model(job["steps"], job["sub_steps"])
    with serve(model, job["port"]):
        code = run_agent(job)
    Path(result_file).write_text(json.dumps({"code": code, "requests": model.requests}))


if __name__ == "__main__":
    main(*sys.argv[1:])
