"""Give calls to workers: each that hangs is killed, and those that have ended are replaced (docs/hook-install.md)."""

import selectors
from collections import deque
from functools import partial

from cortex_policy.hook import HookWords, format_bug_by_type, format_uncaught_error
from cortex_policy.hook_server.log_line import COMMAND, print_server_log_line
from cortex_policy.hook_server.workers import ENDED, Worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_WORKERS = 16
CALLS_OF_A_WORKER = 1000
READY_WORKERS = 2


class Job:
    """A call of a tool that is to be decided; `answer` takes the agent and why it is denied, '' if it is not."""

    def __init__(self, payload: bytes, answer: "Callable[[str, str], object]") -> None:
        """Take what the agent sent, and who wants to know."""
        self.payload: bytes = payload
        self.answer: Callable[[str, str], object] = answer
        self.worker: Worker | None = None


class WorkerPool:
    """The workers of a server, and the calls that wait for one."""

    def __init__(self, words: HookWords, selector: selectors.BaseSelector) -> None:
        """Start the first workers; raises OSError."""
        self._words, self._selector = words, selector
        self._jobs: deque[Job] = deque()
        self._workers: set[Worker] = set()  # those that were killed too, until they have ended
        self._idle: list[Worker] = []
        for _ in range(READY_WORKERS):
            self._set_idle(self._start_worker())

    def submit_call(self, payload: bytes, answer: "Callable[[str, str], object]") -> Job:
        """Let a worker decide a call, as soon as there is one."""
        job = Job(payload, answer)
        self._jobs.append(job)
        self._assign_jobs()
        return job

    def cancel_call(self, job: Job) -> str:
        """End the work on a call that is late; return the agent that it is of, as far as that is known."""
        if job.worker is None:
            self._jobs.remove(job)
            return self._words.agent
        self._discard_worker(job.worker)
        return job.worker.agent_of_call(self._words.agent)

    def kill_workers(self) -> None:
        """Kill all workers; their calls get no answer from them."""
        for worker in self._workers:
            worker.kill()

    def _start_worker(self) -> Worker:
        worker = Worker(self._words)
        self._workers.add(worker)
        self._selector.register(worker.socket, selectors.EVENT_READ)
        return worker

    def _set_idle(self, worker: Worker) -> None:
        self._idle.append(worker)
        self._selector.modify(worker.socket, selectors.EVENT_READ, partial(self._forget_ended_worker, worker))

    def _forget_ended_worker(self, worker: Worker) -> None:
        """Take note that a worker without a call has ended."""
        self._idle.remove(worker)
        self._discard_worker(worker)

    def _assign_jobs(self) -> None:
        while self._jobs:
            try:
                worker = self._free_worker()
            except OSError as error:
                denial = format_uncaught_error(error, format_bug_by_type)
                print_server_log_line(COMMAND, denial)
                self._jobs.popleft().answer(self._words.agent, denial)
                continue
            if worker is None:
                return
            self._begin_job(self._jobs.popleft(), worker)

    def _free_worker(self) -> Worker | None:
        if self._idle:
            return self._idle.pop()
        return self._start_worker() if len(self._workers) < MAX_WORKERS else None

    def _begin_job(self, job: Job, worker: Worker) -> None:
        job.worker = worker
        worker.begin_call(job.payload)
        self._selector.modify(worker.socket, selectors.EVENT_WRITE, partial(self._send_payload, job, worker))

    def _send_payload(self, job: Job, worker: Worker) -> None:
        try:
            is_more = worker.send_part()
        except OSError:
            self._end_job(job, worker, ENDED)
            return
        if not is_more:
            self._selector.modify(worker.socket, selectors.EVENT_READ, partial(self._receive_denial, job, worker))

    def _receive_denial(self, job: Job, worker: Worker) -> None:
        try:
            denial = worker.try_receive_denial()
        except OSError:
            denial = ENDED
        if denial is not None:
            self._end_job(job, worker, denial)

    def _end_job(self, job: Job, worker: Worker, denial: str) -> None:
        if denial == ENDED:
            print_server_log_line(COMMAND, f"{ENDED} (process {worker.process})")
        if denial == ENDED or worker.calls >= CALLS_OF_A_WORKER:
            self._discard_worker(worker)
        else:
            self._set_idle(worker)
        job.answer(worker.agent_of_call(self._words.agent), denial)
        self._assign_jobs()

    def _discard_worker(self, worker: Worker) -> None:
        self._selector.unregister(worker.socket)
        worker.kill()
        self._selector.register(worker.end, selectors.EVENT_READ, partial(self._reap_worker, worker))

    def _reap_worker(self, worker: Worker) -> None:
        self._selector.unregister(worker.end)
        worker.reap()
        self._workers.remove(worker)
        self._assign_jobs()
