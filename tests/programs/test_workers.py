"""The pool does what the budget lets it, with every other process, waits for the rest, and ends when it is told to."""

import asyncio
import json
import os
import select
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cortex_policy import PolicyStore
from tests.support.examples import Example

if TYPE_CHECKING:
    import subprocess

TOLD = 60.0  # seconds that a test waits for a line before it fails


@pytest.fixture
def workers(tmp_path: Path) -> Example:
    """Copy them, with forty jobs that can all be done."""
    example = Example("workers", tmp_path)
    (example.root / "jobs.txt").write_text("".join(f"sha256 {number}\n" for number in range(40)))
    return example


def started(workers: Example) -> "subprocess.Popen[str]":
    """Start a pool on its forty jobs."""
    return workers.start(str(workers.root), str(workers.root / "jobs.txt"))


def lines_of(pools: "list[subprocess.Popen[str]]", count: int) -> list[str]:
    """Return so many lines, whichever of the pools print them."""
    pipes = {pool.stdout.fileno(): b"" for pool in pools if pool.stdout is not None}
    deadline = time.monotonic() + TOLD
    while (whole := sum(text.count(b"\n") for text in pipes.values())) < count:
        ready, _, _ = select.select(list(pipes), [], [], deadline - time.monotonic())
        assert ready, f"{whole} of {count} lines"
        for pipe in ready:
            pipes[pipe] += os.read(pipe, 1 << 16)
    return [line for text in pipes.values() for line in text.decode().splitlines()]


def told(lines: list[str]) -> list[dict[str, Any]]:
    """Return what was told."""
    return [json.loads(line) for line in lines]


def test_two_processes_share_one_budget_to_the_last_job(workers: Example) -> None:
    """Thirty of eighty are done between them; all others wait, and each is told once when the pools end."""
    jobs = workers.root / "jobs.txt"
    jobs.write_text("md5 denied, which shows that a pool runs\n" + jobs.read_text())
    pools = [started(workers), started(workers)]
    at_first = told(lines_of(pools, 32))
    for pool in pools:
        pool.send_signal(signal.SIGTERM)
    ends = [pool.communicate(timeout=TOLD) for pool in pools]
    rest = told([line for out, _ in ends for line in out.splitlines()])
    assert [(pool.returncode, err) for pool, (_, err) in zip(pools, ends, strict=True)] == [(1, "")] * 2
    assert (sum(job["done"] for job in at_first), sum(job["done"] for job in rest)) == (30, 0)
    assert {job["reason"] for job in rest} == {"rate_limited", "shutdown"}
    assert sorted(job["job"] for job in [*at_first, *rest]) == sorted([*range(1, 42)] * 2)


def test_a_waiting_worker_gets_the_budget_that_frees(workers: Example) -> None:
    """Thirty hits that leave their window in a second or two: nobody gives up meanwhile, and all is done."""
    workers.spend("digests", "compute", *[59.0 - number / 20 for number in range(30)])
    (workers.root / "jobs.txt").write_text("sha256 a\nblake2b b\n" * 5)
    pool = started(workers)
    out, err = pool.communicate(timeout=TOLD)
    assert (pool.returncode, err) == (0, "")
    assert sorted(job["job"] for job in told(out.splitlines())) == list(range(1, 11))


def test_a_waiting_worker_does_not_ask_meanwhile(workers: Example) -> None:
    """Four jobs that wait a second are refused when they first ask, and hardly again before there is budget."""
    workers.spend("digests", "compute", *[58.5] * 30)
    program, done = workers.module(), []

    async def main() -> int:
        async with PolicyStore(workers.root) as store:
            pool = program.Pool(program.worker_of(store), lambda number, what: done.append((number, what["done"])))
            await pool.run((number, "sha256", "text") for number in range(4))
            return store.stats().refusals

    assert asyncio.run(main()) <= 12
    assert sorted(done) == [(number, True) for number in range(4)]


def test_a_denial_that_no_waiting_cures_ends_one_job_alone(workers: Example) -> None:
    """Its reason is told, the others are done, and the exit code says that not all were."""
    (workers.root / "jobs.txt").write_text("sha256 a\nmd5 b\n\nsha256 c")
    done = workers.run(str(workers.root), str(workers.root / "jobs.txt"))
    jobs = {job.pop("job"): job for job in told(done.stdout.splitlines())}
    assert done.returncode == 1
    assert {number for number, job in jobs.items() if job["done"]} == {1, 4}
    assert {jobs[2]["reason"], jobs[3]["reason"]} == {"argument_not_allowed"}


def test_work_that_fails_ends_no_worker(workers: Example) -> None:
    """The grant allows what the program cannot do: that job is told, the others are done."""
    grant = workers.root / ".cortex" / "policy" / "tools" / "digests.json"
    grant.write_text(grant.read_text().replace('"sha256"', '"sha256", "crc"'))
    (workers.root / "jobs.txt").write_text("crc a\n" * 8 + "sha256 b\n")
    done = workers.run(str(workers.root), str(workers.root / "jobs.txt"))
    jobs = told(done.stdout.splitlines())
    assert (done.returncode, done.stderr, len(jobs)) == (1, "", 9)
    assert sorted((job["done"], job.get("reason")) for job in jobs) == [(False, "failed")] * 8 + [(True, None)]


def test_a_stop_ends_waiting_workers(workers: Example) -> None:
    """Whoever sleeps learns of it when it asks again; what is asked from now on learns of it at once."""
    workers.operator("stop", "--reason", "token leaked")
    done = workers.run(str(workers.root), str(workers.root / "jobs.txt"))
    jobs = told(done.stdout.splitlines())
    assert (done.returncode, len(jobs), {job["reason"] for job in jobs}) == (1, 40, {"stopped"})


def test_unreadable_input_is_reported(workers: Example, tmp_path: Path) -> None:
    """A file that is absent, one that is no text, a root that is none."""
    (tmp_path / "binary").write_bytes(b"sha256 \xff\n")
    jobs = str(workers.root / "jobs.txt")
    for root, file in ((workers.root, tmp_path / "absent"), (workers.root, tmp_path / "binary"), (tmp_path, jobs)):
        done = workers.run(str(root), str(file))
        assert (done.returncode, done.stderr.count("\n"), done.stderr[:9]) == (3, 1, "workers: "), done.stderr


def test_a_reader_that_goes_away_ends_the_workers(workers: Example) -> None:
    """Without a traceback."""
    pool = started(workers)
    assert pool.stdout is not None
    assert pool.stderr is not None
    pool.stdout.close()
    assert "Traceback" not in pool.stderr.read()
    pool.stderr.close()
    assert pool.wait(TOLD) != 0
