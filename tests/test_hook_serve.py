"""The resident hook: the same answers and counts as `hook`, and a denial whatever goes wrong."""

import fcntl
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.core.hooks.payload import AGENTS
from tests.support.command import result_of
from tests.support.hook_calls import PAYLOADS
from tests.support.hook_server import (
    NONCE,
    USUAL_PLACE,
    Server,
    as_answer,
    body_of,
    children_of,
    read_all,
    request,
    running,
    signature,
    socket_path,
    start_server,
    stop_process,
)
from tests.support.hooks import (
    RULES,
    Answer,
    Scene,
    assert_allowed,
    assert_denial_json,
    assert_denied,
    make_scene,
    open_descriptors,
)
from tests.support.processes import is_alive, wait_until
from tests.support.users import CALLER

HANGS = """
import cortex_policy.hook_decision as d, time
real = d.decide_denial_text
def decide(data, *rest):
    if data == b"{}":
        rest[-1]("gemini")
        time.sleep(600)
    return real(data, *rest)
d.decide_denial_text = decide
"""
HANGING = b"{}"


@pytest.fixture
def scene(root: Path, tmp_path: Path) -> Scene:
    """Make a root in which agents may write below `docs`."""
    return make_scene(root, tmp_path)


def wait_until_gone(process: int) -> None:
    """Fail unless a process ends soon."""
    wait_until(lambda: not is_alive(process), "it goes on")


def denial_of(answer: bytes, agent: str = "claude") -> str:
    """Return the reason of a denial that is JSON."""
    members = json.loads(body_of(answer))
    reason = str(members["hookSpecificOutput"]["permissionDecisionReason"])
    assert_denial_json(members, agent, reason)
    return reason


def write_rules(scene: Scene) -> None:
    """Let more tools have a rule, so that the recorded payloads get many answers."""
    more = '\n[[rule]]\ntools = ["Read", "read_*", "Bash", "run_shell_command"]\ndecide = "pass"\n'
    scene.rules.write_text(RULES + more)


def test_the_recorded_payloads_are_answered_as_by_the_hook(scene: Scene) -> None:
    """Byte for byte, in the terms of each agent, by a client of five lines too."""
    write_rules(scene)
    codes = Counter[int]()
    with running(scene, "claude", "--install", "resident") as server:
        for file in PAYLOADS:
            data = file.read_bytes()
            expected = scene.ask("claude", data)
            assert server.ask(data) == expected
            codes[expected.code] += 1
    assert codes[0] > 1
    assert codes[2] > 1


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_is_answered_in_its_own_terms(scene: Scene, agent: str) -> None:
    """Whatever agent the server names."""
    with running(scene) as server:
        assert_allowed(server.ask(scene.payload(agent)))
        denied = scene.payload(agent, path="x")
        answer = server.ask(denied)
        assert answer == scene.ask("claude", denied)
        body = body_of(server.send(server.request(denied, "/")))
        assert body == answer.out or agent == "cursor"
        assert json.loads(body)
        assert body_of(server.send(server.request(scene.payload(agent), "/"))) == b"{}\n"


def test_the_client_says_what_the_hook_says(scene: Scene) -> None:
    """Exit code, output and error."""
    with running(scene) as server:
        assert_allowed(server.ask_client(scene.payload("claude")))
        for agent in ("codex", "cursor"):
            denied = scene.payload(agent, path="x")
            assert server.ask_client(denied) == scene.ask("claude", denied)
        assert server.ask_client(b"") == scene.ask("claude", b"")


def test_calls_are_counted_once_with_those_of_the_hook(scene: Scene) -> None:
    """Two lines that deliver one call, of which one is resident."""
    data = scene.payload("claude")
    with running(scene, "claude", "--install", "resident") as server:
        scene.words = ["--install", "user"]
        for hits in (1, 2, 3):
            assert_allowed(server.ask(data))
            assert_allowed(scene.ask("claude", data))
            assert scene.used() == hits


def test_eight_clients_take_exactly_the_rate(scene: Scene) -> None:
    """800 calls, of which 500 are allowed."""
    scene.write_grant(rate={"perMinute": 500})
    with running(scene) as server:

        def ask_all(client: int) -> Counter[int]:
            payloads = [scene.payload("claude", call=f"{client}-{number}") for number in range(100)]
            return Counter(server.ask(data).code for data in payloads)

        with ThreadPoolExecutor(8) as threads:
            codes = sum(threads.map(ask_all, range(8)), Counter[int]())
        assert len(children_of(server.process.pid)) <= 16
    assert codes == {0: 500, 2: 300}
    assert scene.used() == 500


def test_edits_are_seen_at_once(scene: Scene) -> None:
    """Rules, grants, settings, a stop, and files that disappear."""
    data = scene.payload("claude")
    config = scene.top / "home" / ".config" / "cortex-policy" / "config.toml"
    config.parent.mkdir(parents=True)
    with running(scene) as server:
        for _ in range(3):
            assert server.ask(data).code == 0
        edits = (
            lambda: scene.rules.write_text(RULES.replace('"Write", ', "")),
            lambda: scene.write_grant(fsScope=["other"]),
            lambda: config.write_text('stamp = "require"\n'),
            scene.rules.unlink,
            lambda: (scene.policy / "stop").write_text("x"),
        )
        for edit in edits:
            edit()
            assert [server.ask(data).code for _ in range(3)] == [2] * 3, server.ask(data)
            (scene.policy / "stop").unlink(missing_ok=True)
            config.unlink(missing_ok=True)
            scene.write_grant()
            scene.rules.write_text(RULES)
            assert [server.ask(data).code for _ in range(3)] == [0] * 3


def test_no_call_leaves_anything_to_the_next(scene: Scene) -> None:
    """Relative paths start where each call says."""
    other = scene.root / "docs"
    other.mkdir(exist_ok=True)
    with running(scene) as server:
        for _ in range(4):
            assert server.ask(scene.payload("claude", cwd=str(other), path="x")).code == 0
            assert server.ask(scene.payload("claude", path="x")).code == 2


def test_clients_leave_nothing_open(scene: Scene) -> None:
    """Whether they are allowed, denied, wrong, or gone in the middle."""

    def opened(server: Server) -> tuple[int, set[int]]:
        workers = children_of(server.process.pid)
        own = len(open_descriptors(server.process.pid)) - 2 * len(workers)  # a socket and a pidfd of each
        return own, {len(open_descriptors(worker)) for worker in workers}

    with running(scene) as server:
        for path in ("docs/x", "x", "docs/x"):
            server.ask(scene.payload("claude", path=path))
        before = opened(server)
        for number in range(20):
            server.ask(scene.payload("claude", path="docs/x" if number % 2 else "x", call=str(number)))
            server.send(b"x\r\n\r\n")
            with server.connect() as client:
                client.sendall(server.request(scene.payload("claude"))[: number * 40])

        def is_as_before() -> bool:
            own, of_workers = opened(server)
            return own <= before[0] and of_workers == before[1]

        wait_until(is_as_before, f"not back at {before}")


def test_workers_are_replaced_after_many_calls(scene: Scene) -> None:
    """So that nothing that grows in them grows for ever."""
    scene.before = "import cortex_policy.hook_server.worker_pool as p\np.CALLS_OF_A_WORKER = 2"
    with running(scene) as server:
        first = children_of(server.process.pid)
        for number in range(8):
            assert server.ask(scene.payload("claude", call=str(number))).code == 0
        for worker in first:
            wait_until_gone(worker)
    assert scene.used() == 8


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"key": "x" * 64}, "signature was not made"),
        ({"nonce": "short"}, "must be signed"),
        ({"nonce": "x" * 200}, "must be signed"),
    ],
)
def test_a_wrong_signature_is_denied(scene: Scene, change: dict[str, str], why: str) -> None:
    """And counts nothing."""
    with running(scene) as server:
        data = scene.payload("claude")
        assert why in denial_of(server.send(server.request(data, "/", **change)))
        assert "must be signed" in denial_of(server.send(request(data)))
        changed = server.request(data, "/").replace(b"docs/x", b"docs/y")
        assert "signature was not made" in denial_of(server.send(changed))
        assert scene.used() == 0
        assert server.ask(data).code == 0


def test_another_user_is_denied(scene: Scene) -> None:
    """Who has got past the modes of the directory and the socket, and has the key."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with running(scene) as server:
        data = server.request(scene.payload("claude"), "/")
        with pytest.raises(PermissionError):
            ask_as_other(server, data)
        with reachable(socket_path(scene)):
            assert "another user" in denial_of(ask_as_other(server, data))
        assert scene.used() == 0


@contextmanager
def reachable(path: Path) -> Iterator[None]:
    """Let every user write to a path for a while, through the directories that are closed to them."""
    before = {one: one.stat().st_mode & 0o7777 for one in (path, *path.parents)}
    closed = {one: mode for one, mode in before.items() if one == path or not mode & 0o001}
    for one, mode in closed.items():
        one.chmod(mode | (0o777 if one == path else 0o001))
    try:
        yield
    finally:
        for one, mode in closed.items():
            one.chmod(mode)


def ask_as_other(server: Server, data: bytes) -> bytes:
    """Connect as another user; a thread of its own cannot, as Python changes the user of all of them."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(CALLER, CALLER, CALLER)
            os.setresuid(CALLER, CALLER, CALLER)
            os.write(writer, server.send(data))
        except PermissionError:
            os._exit(13)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        answer = file.read()
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 13:
        raise PermissionError
    return answer


WRONG = {
    "not HTTP": b"hello\r\n\r\n",
    "another method": b"GET / HTTP/1.1\r\n\r\n",
    "another place": b"POST /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    "no length": b"POST / HTTP/1.1\r\n\r\n",
    "a negative length": b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "digits of another script": "POST / HTTP/1.1\r\nContent-Length: ²\r\n\r\n".encode("latin-1"),
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 0\r\ncontent-length: 9\r\n\r\n",
    "a huge length": b"POST / HTTP/1.1\r\nContent-Length: 33554433\r\n\r\n",
    "an endless length": b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 9000 + b"\r\n\r\n",
    "chunks": b"POST / HTTP/1.1\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    "a long head": b"POST / HTTP/1.1\r\nx: " + b"y" * (1 << 15) + b"\r\n\r\n",
    "a long head without an end": b"y" * (1 << 16),
    "bytes": bytes(range(256)) + b"\r\n\r\n",
    "signature of another script": f"POST / HTTP/1.1\r\nContent-Length: 0\r\nCortex-Policy-Nonce: {NONCE}\r\nCortex-Policy-Signature: \xff\r\n\r\n".encode("latin-1"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_request_that_is_wrong_is_denied(scene: Scene, name: str) -> None:
    """With the status that Claude Code heeds."""
    with running(scene) as server:
        assert "in a wrong way" in denial_of(server.send(WRONG[name]))
        assert server.ask(scene.payload("claude")).code == 0


def test_a_client_that_sends_more_than_is_read_gets_its_denial(scene: Scene) -> None:
    """A connection that is reset would take the answer away, and Claude Code would let the call run."""
    with running(scene) as server:
        answer = server.send(request(bytes(33 << 20)))
        assert "32 MiB" in denial_of(answer)


def test_a_large_payload_is_allowed(scene: Scene) -> None:
    """It does not fit in any buffer."""
    data = scene.payload("claude", inputs={"file_path": "docs/x", "content": "é" * (4 << 20)})
    with running(scene) as server:
        assert_allowed(server.ask(data))


def test_a_request_that_does_not_end_is_denied(scene: Scene) -> None:
    """It stops, it ends in the middle, or it comes byte by byte; others are answered meanwhile."""
    with running(scene) as server:
        whole = server.request(scene.payload("claude"), "/")
        with server.connect() as slow, server.connect() as half:
            half.sendall(whole[:-1])
            half.shutdown(socket.SHUT_WR)
            assert "it is incomplete" in denial_of(read_all(half))
            slow.sendall(whole[:100])
            assert server.ask(scene.payload("claude")).code == 0
            assert "did not end its input" in denial_of(read_all(slow))


def test_a_client_that_closes_its_side_is_answered(scene: Scene) -> None:
    """As long as its request is whole."""
    with running(scene) as server, server.connect() as client:
        client.sendall(server.request(scene.payload("claude"), "/"))
        client.shutdown(socket.SHUT_WR)
        assert body_of(read_all(client)) == b"{}\n"


def test_clients_that_say_nothing_do_not_keep_others_out(scene: Scene) -> None:
    """There are more of them than are accepted at once."""
    with running(scene) as server:
        silent = [server.connect() for _ in range(80)]
        assert server.ask(scene.payload("claude")).code == 0
        for one in silent:
            one.close()


def test_a_call_that_hangs_is_denied_at_the_deadline(scene: Scene) -> None:
    """In the terms of the agent that is known by then; its worker is killed, and others are answered meanwhile."""
    scene.before = HANGS
    with running(scene, "claude", "--deadline", "3") as server, server.connect() as client:
        client.sendall(server.request(HANGING))
        for number in range(20):
            assert server.ask(scene.payload("claude", call=str(number))).code == 0
        before = children_of(server.process.pid)
        assert "within 3 s;" in assert_denied(as_answer(body_of(read_all(client))), "gemini")
        wait_until(lambda: set(before) - set(children_of(server.process.pid)), "the worker goes on")
        assert server.process.stderr is not None
        said = b"brAInwav cortex-policy hook serve: the policy was not read and applied within 3 s; "
        assert server.process.stderr.readline().startswith(said)


def test_a_log_that_nobody_reads_stops_no_call(scene: Scene) -> None:
    """Lines that do not fit into the pipe are left out."""
    with running(scene) as server:
        assert server.process.stderr is not None
        fcntl.fcntl(server.process.stderr, fcntl.F_SETPIPE_SZ, 4096)
        for _ in range(60):
            server.send(request(b"{}", "/\x1b[31m", **{"Cortex-Policy-Nonce": "x"}))
        assert server.ask(scene.payload("claude")).code == 0
        server.end()
        lines = server.process.stderr.read().splitlines()
    assert len(lines) < 60
    assert {line.partition(b": ")[0] for line in lines} == {b"brAInwav cortex-policy hook serve"}
    assert b"\x1b" not in b"".join(lines)


def test_more_calls_that_hang_than_there_are_workers_are_denied(scene: Scene) -> None:
    """Those that wait for a worker too, and then calls are decided again."""
    scene.before = HANGS
    with running(scene, "claude", "--deadline", "2") as server:
        clients = [server.connect() for _ in range(20)]
        for client in clients:
            client.sendall(server.request(HANGING))
        for client in clients:
            answer = as_answer(body_of(read_all(client)))
            assert answer.code == 2
            assert b"within 2 s;" in answer.err
            client.close()
        assert server.ask(scene.payload("claude")).code == 0


def test_a_worker_that_stops_or_is_killed_denies(scene: Scene) -> None:
    """And the next call is decided by another one."""
    with running(scene, "claude", "--deadline", "2") as server:
        for worker in children_of(server.process.pid):
            stop_process(worker)
        for _ in range(2):
            assert "within 2 s;" in assert_denied(server.ask(scene.payload("claude")), "claude")
        assert server.ask(scene.payload("claude")).code == 0
        for worker in children_of(server.process.pid):
            os.kill(worker, signal.SIGKILL)
        time.sleep(0.1)
        codes = [server.ask(scene.payload("claude")).code for _ in range(4)]
        assert codes[-1] == 0


def test_a_signal_denies_the_calls_in_flight(scene: Scene) -> None:
    """Those that are read, those that are decided; then the socket and the workers are gone."""
    scene.before = HANGS
    with running(scene) as server, server.connect() as decided, server.connect() as read:
        workers = children_of(server.process.pid)
        decided.sendall(server.request(HANGING))
        read.sendall(b"POST")
        assert server.ask(scene.payload("claude")).code == 0
        assert server.end() == 0
        assert "was stopped" in assert_denied(as_answer(body_of(read_all(decided))), "gemini")
        assert "was stopped" in denial_of(read_all(read))
        assert not socket_path(scene).exists()
        for worker in workers:
            wait_until_gone(worker)


def test_it_ends_by_an_interrupt(scene: Scene) -> None:
    """With the code of one."""
    with running(scene) as server:
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(30) == 130


def test_it_ends_with_its_parent(scene: Scene) -> None:
    """However that ends."""
    words = scene.argv("claude", ["serve", "claude", "--root", str(scene.root), "--socket", str(socket_path(scene))])
    code = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); print(p.pid, flush=True); p.wait()"
    argv = [sys.executable, "-c", code, *words]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, env=scene.environment()) as parent:
        assert parent.stdout is not None
        server = int(parent.stdout.readline())
        assert b"listening" in parent.stdout.readline()
        workers = children_of(server)
        parent.kill()
    for process in (server, *workers):
        wait_until_gone(process)
    assert not socket_path(scene).exists()


def test_workers_end_with_a_server_that_is_killed(scene: Scene) -> None:
    """And the next one takes the place of the socket."""
    with running(scene) as server:
        workers = children_of(server.process.pid)
        assert workers
        server.process.kill()
        server.process.wait()
        for worker in workers:
            wait_until_gone(worker)
        assert socket_path(scene).exists()
    with running(scene) as server:
        assert_allowed(server.ask_client(scene.payload("claude")))


@pytest.mark.parametrize("out", ["closed", "full", "nobody"])
def test_an_output_that_cannot_be_written_changes_nothing(scene: Scene, out: str) -> None:
    """Only whoever waits for the line does not get it."""
    reader, writer = os.pipe()
    os.close(reader)
    with open("/dev/full", "wb") as full:
        process = start_server(
            scene, stdout={"closed": None, "full": full, "nobody": writer}[out],
            preexec_fn=(lambda: os.close(1)) if out == "closed" else None,
        )  # fmt: skip
    os.close(writer)
    try:
        key = Path(f"{socket_path(scene)}.key")
        wait_until(lambda: key.exists() and key.stat().st_size)
        server = Server(process, {"socket": str(socket_path(scene)), "key": str(key)})
        assert server.ask(scene.payload("claude")).code == 0
        assert server.end() == (3 if out == "full" else 0)
    finally:
        process.kill()
        process.communicate()


def answering(path: Path, make: Callable[[bytes], bytes]) -> threading.Thread:
    """Answer one client in place of the server."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def serve() -> None:
        with listener, listener.accept()[0] as client:
            client.sendall(make(client.recv(1 << 20)))

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_the_client_denies_what_the_server_has_not_signed(scene: Scene) -> None:
    """An answer without a signature, of another key, to another request, cut off, or none."""
    path = socket_path(scene)
    allowed = b"0\n{}\n"
    with running(scene) as server:
        replayed = server.send(server.request(scene.payload("claude")))
        assert allowed in replayed
        server.end()
        signed = replayed.partition(b"\r\n\r\n")[0]
        answers = (
            b"HTTP/1.1 200 OK\r\n\r\n" + allowed, b"", b"0\n{}\n", replayed, signed, signed + b"\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncortex-policy-signature: \r\n\r\n" + allowed,
        )  # fmt: skip
        for answer in answers:
            thread = answering(path, lambda _, answer=answer: answer)
            assert_not_answered(server.ask_client(scene.payload("claude")))
            thread.join()
            path.unlink()
        assert_not_answered(server.ask_client(scene.payload("claude")))


def assert_not_answered(answer: Answer) -> None:
    """Assert what the client says by itself."""
    assert (answer.code, answer.out) == (2, b"")
    assert answer.err.startswith(b"denied: the resident hook gave no valid answer")


def test_the_client_denies_with_a_key_of_another_server(scene: Scene) -> None:
    """Or without any."""
    with running(scene) as server:
        other = scene.top / "other"
        other.write_text("x" * 64)
        for key in (other, scene.top / "missing"):
            server.where["key"] = str(key)
            assert_not_answered(server.ask_client(scene.payload("claude")))


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_the_client_denies_with_a_closed_descriptor(scene: Scene, closed: int) -> None:
    """An agent that cannot hear the answer must not take silence for one."""
    with running(scene) as server:
        answer = server.ask_client(scene.payload("claude"), preexec_fn=lambda: os.close(closed))
        assert answer.code == 2
        with open("/dev/full", "wb") as full:
            assert server.ask_client(scene.payload("claude"), stdout=full).code == 2


def test_a_port_wants_the_token(scene: Scene) -> None:
    """As the handlers of Claude Code send it; a denial has status 200 even for a wrong one."""
    token = scene.top / "token"
    with running(scene, "claude", "--port", "0", "--token", str(token)) as server:
        bearer = f"Bearer {token.read_text().strip()}"
        assert token.stat().st_mode & 0o777 == 0o600
        data = scene.payload("claude")
        assert body_of(server.send(request(data, authorization=bearer))) == b"{}\n"
        assert scene.used() == 1
        denial_of(server.send(request(scene.payload("claude", path="x"), authorization=bearer)))
        for wrong in ("", "Bearer ", bearer + "x", bearer[:-1], "Basic x", "\xff"):
            assert "its token" in denial_of(server.send(request(data, authorization=wrong)))
        assert "its token" in denial_of(server.send(request(data)))
        assert "its token" in denial_of(server.send(b"POST / HTTP/1.1\r\nContent-Length: 30000000\r\n\r\n"))
        assert scene.used() == 1


def test_a_port_answers_signed_requests_too(scene: Scene) -> None:
    """So that a wrong process on the port is noticed."""
    token, key = scene.top / "token", scene.top / "key"
    words = ("--port", "0", "--token", str(token))
    with running(scene, "claude", *words, "--key", str(key)) as server:
        bearer, data = f"Bearer {token.read_text().strip()}", scene.payload("claude")
        fields = {"Cortex-Policy-Nonce": NONCE, "Cortex-Policy-Signature": signature(server.key, data)}
        answer = server.send(request(data, authorization=bearer, **fields))
        assert body_of(answer) == b"{}\n"
        assert re.search(rb"(?m)^cortex-policy-signature: [0-9a-f]{64}\r$", answer)
        fields["Cortex-Policy-Signature"] = signature("x" * 64, data)
        assert "signature was not made" in denial_of(server.send(request(data, authorization=bearer, **fields)))
    with running(scene, "claude", *words) as server:  # it has no key
        fields["Cortex-Policy-Signature"] = signature("", data)
        assert "signature was not made" in denial_of(server.send(request(data, authorization=bearer, **fields)))


def refused(scene: Scene, *words: str, **options: Any) -> str:
    """Start a server that must not start; return what it says."""
    process = start_server(scene, "claude", *words, **options)
    out, err = process.communicate(timeout=30)
    assert process.returncode in (2, 3, 24), (out, err)
    assert b"Traceback" not in err
    return err.decode()


def test_a_place_that_is_not_ours_alone_is_refused(scene: Scene) -> None:
    """A directory that others can read, a file, a long path."""
    directory = socket_path(scene).parent
    directory.mkdir(mode=0o755)
    assert str(directory) in refused(scene)
    directory.chmod(0o700)
    socket_path(scene).write_text("x")
    assert "not a socket" in refused(scene)
    assert socket_path(scene).read_text() == "x"
    assert "107 bytes" in refused(scene, "--socket", f"/{'x' * 200}/sock")


def test_the_usual_place_is_in_the_directory_of_rate_state(scene: Scene) -> None:
    """One for each agent and root."""
    with running(scene, "claude", USUAL_PLACE) as server:
        path = Path(server.where["socket"])
        assert path.parent == scene.state
        assert path.name.startswith("hook-claude-")
        assert path.stat().st_mode & 0o777 == 0o600
        assert server.where["key"] == f"{path}.key"
        assert_allowed(server.ask_client(scene.payload("claude")))


def test_two_servers_in_one_place_are_refused(scene: Scene) -> None:
    """The first one goes on."""
    with running(scene) as server:
        assert "another process listens" in refused(scene)
        assert server.ask(scene.payload("claude")).code == 0


@pytest.mark.parametrize("kind", ["open", "short", "link", "directory", "binary"])
def test_a_key_that_others_could_know_is_refused(scene: Scene, kind: str) -> None:
    """And nothing is left behind."""
    key = scene.top / "key"
    target = scene.top / "target"
    target.write_text("x" * 64)
    target.chmod(0o600)
    make = {
        "open": lambda: (key.write_text("x" * 64), key.chmod(0o644)),
        "short": lambda: (key.write_text("x"), key.chmod(0o600)),
        "link": lambda: key.symlink_to(target),
        "directory": key.mkdir,
        "binary": lambda: (key.write_bytes(bytes(64)), key.chmod(0o600)),
    }
    make[kind]()
    assert str(key) in refused(scene, "--key", str(key))
    assert not socket_path(scene).exists()


def test_a_key_that_cannot_be_written_is_not_left_behind(scene: Scene) -> None:
    """Half of one would be refused for ever."""
    key = scene.top / "key"
    said = refused(scene, "--key", str(key), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
    assert f"`{key}` cannot be made" in said
    assert not key.exists()


def test_a_key_that_is_there_is_kept(scene: Scene) -> None:
    """So that clients go on after a restart."""
    with running(scene) as server:
        first = server.key
        assert len(first) == 64
    with running(scene) as server:
        assert server.key == first


def test_variables_that_a_hook_does_not_see_are_refused(scene: Scene) -> None:
    """As `hook install` does."""
    scene.variables = {"CORTEX_POLICY_STATE_DIR": "/x"}
    assert "CORTEX_POLICY_STATE_DIR" in refused(scene)


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize(
    "words",
    ["--port 1", "--token x", "--port 1 --socket /x --token x", "--port x --token x", "--port 65536 --token x", "--install a/b", "--deadline 0", "--deadline x"],
)  # fmt: skip
def test_words_that_mean_nothing_are_refused(words: str) -> None:
    """Before anything is made."""
    done = result_of("hook", "serve", "claude", *words.split())
    assert done.returncode == 2
    assert not Path("x").exists()
