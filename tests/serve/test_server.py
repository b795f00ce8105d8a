"""`serve` as a process: who may connect, what a change does, how it ends, and how much clients may take of it."""

import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import PROGRAM, run_command
from tests.support.roots import grant_file
from tests.support.serve import (
    EVALUATION,
    EVALUATIONS,
    JSON,
    Server,
    call,
    environment,
    make_root,
    parse_reply,
    read_all,
    running,
    server_of,
    start_server,
)
from tests.support.users import CALLER

CONNECT_AS = """
import os, socket, sys
os.setgid(int(sys.argv[1])), os.setuid(int(sys.argv[1]))
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[2])
try:
    client.sendall(b"GET /healthz HTTP/1.0\\r\\n\\r\\n")
    print(len(client.recv(1000)))
except ConnectionError:
    print(0)
"""


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Make a root."""
    make_root(tmp_path, git={"actions": ["tree"], "rate": {"perMinute": 30}, "fsScope": ["docs"]})
    return tmp_path


@pytest.fixture
def root(top: Path) -> Path:
    """Return the root."""
    return top / "root"


@pytest.fixture
def server(top: Path, root: Path) -> Iterator[Server]:
    """Run a server on a socket."""
    with running(root, env=environment(top)) as server:
        yield server


def loopback(top: Path, *words: str) -> tuple[str, ...]:
    """Return the words for a port."""
    return "--tcp", "127.0.0.1:0", "--token", str(top / "token"), *words


def test_the_socket_is_ours_alone_and_goes_with_the_server(top: Path, root: Path) -> None:
    """Also by its mode, and that of its directory."""
    path = top / "private" / "s.sock"
    with running(root, env=environment(top)) as server:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        assert server.end() == 0
    assert not path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_gets_nothing_even_if_the_socket_lets_it_in(top: Path, server: Server) -> None:
    """The system says who a client is; root may ask."""
    path = top / "private" / "s.sock"
    for each in (path.parent, *path.parents[:-2]):
        each.chmod(each.stat().st_mode | 0o755)
    path.chmod(0o666)
    for user, is_let_in in ((CALLER, False), (0, True)):
        words = [sys.executable, "-I", "-c", CONNECT_AS, str(user), str(path)]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        assert (int(done.stdout) > 0) is is_let_in
    assert b'cortex_policy_refused_connections_total{why="user"} 1.0' in server.get("/metrics").body


def test_what_is_at_the_place_of_the_socket_is_not_replaced(top: Path, root: Path, server: Server) -> None:
    """A file, a link, or the socket of another server."""
    assert server.evaluate(call()).decision
    busy = start_server(root, env=environment(top))
    busy.communicate(timeout=30)
    assert busy.returncode == 3
    for name in ("file", "link"):
        path = top / "private" / name
        path.write_text("mine") if name == "file" else path.symlink_to(top / "elsewhere")
        other = start_server(root, "--socket", str(path), env=environment(top))
        other.communicate(timeout=30)
        assert other.returncode == 3
        assert path.is_symlink() or path.read_text() == "mine"
    assert not (top / "elsewhere").exists()
    assert server.evaluate(call()).decision


def test_a_socket_that_a_killed_server_left_is_made_again(top: Path, root: Path) -> None:
    """Nobody listens on it."""
    first = server_of(start_server(root, env=environment(top)))
    first.end(signal.SIGKILL)
    with running(root, env=environment(top)) as server:
        assert server.evaluate(call()).decision
    first.process.communicate()


def test_the_token_is_made_once_and_nobody_else_can_read_it(top: Path, root: Path) -> None:
    """The next server has the same."""
    with running(root, *loopback(top), env=environment(top)) as server:
        token = server.token
        assert stat.S_IMODE((top / "token").stat().st_mode) == 0o600
        assert token not in Path(f"/proc/{server.process.pid}/cmdline").read_text()
        assert token not in Path(f"/proc/{server.process.pid}/environ").read_text()
    with running(root, *loopback(top), env=environment(top)) as server:
        assert server.token == token
        assert server.evaluate(call()).decision


def test_a_token_that_others_know_is_refused(top: Path, root: Path) -> None:
    """Readable by others, a link, too short, a pipe."""
    (top / "good").write_text("x" * 64)
    (top / "good").chmod(0o600)
    (top / "open").write_text("x" * 64)
    (top / "open").chmod(0o640)
    (top / "link").symlink_to(top / "good")
    (top / "short").write_text("x")
    (top / "short").chmod(0o600)
    os.mkfifo(top / "pipe", 0o600)
    for name in ("open", "link", "short", "pipe"):
        process = start_server(root, "--tcp", "127.0.0.1:0", "--token", str(top / name), env=environment(top))
        out, err = process.communicate(timeout=30)
        assert process.returncode == 3, (name, out, err)
        assert b"x" * 64 not in out + err


def test_edits_and_stops_count_at_once(root: Path, server: Server) -> None:
    """Without a signal to the server."""
    assert server.evaluate(call(path="docs/x")).decision
    file = grant_file(root)
    grant = json.loads(file.read_text())
    for actions, expected in ((["log"], False), (["tree"], True)) * 5:
        file.write_text(json.dumps({**grant, "actions": actions}))
        assert server.evaluate(call(path="docs/x")).decision is expected
    run_command("stop", "--reason", "test", "--root", str(root))
    assert server.evaluate(call(path="docs/x")).json["context"]["reason"] == "stopped"
    assert server.get("/readyz").status == 200  # it can decide
    run_command("resume", "--root", str(root))
    assert server.evaluate(call(path="docs/x")).decision
    file.chmod(0o666)
    assert server.evaluate(call(path="docs/x")).json["context"]["reason"] == "grant_unsafe"


def test_relative_paths_start_at_the_root(root: Path, server: Server) -> None:
    """Wherever the server was started."""
    (root / "docs" / "link").symlink_to("/etc")
    for path, expected in (("docs/x", True), (f"{root}/docs/x", True), ("src/x", False), ("docs/link/x", False)):
        for consume in (False, True):
            assert server.evaluate(call(path=path, consume=consume)).decision is expected


def test_an_argument_called_consume_is_an_error(root: Path, server: Server) -> None:
    """A request cannot carry it."""
    grant = json.loads(grant_file(root).read_text())
    grant_file(root).write_text(json.dumps({**grant, "args": {"consume": {"type": "boolean"}}}))
    assert server.evaluate(call(consume=False)).status == 400


def test_readiness_says_why_nothing_can_be_decided(root: Path, server: Server) -> None:
    """Health is another thing."""
    assert server.get("/readyz").json == {"status": "ready", "problems": []}
    (root / ".cortex" / "policy").chmod(0o777)
    reply = server.get("/readyz")
    assert reply.status == 503
    assert len(reply.json["problems"]) == 1
    assert server.get("/healthz").json == {"status": "ok"}
    assert not server.evaluate(call()).decision
    (root / ".cortex" / "policy").chmod(0o755)
    assert server.get("/readyz").status == 200
    root.rename(root.parent / "moved")
    assert server.get("/readyz").status == 503
    assert server.evaluate(call()).json["context"]["reason"] == "root_not_found"


def test_metrics_count_decisions_by_reason(server: Server) -> None:
    """And requests by our own paths only."""
    for action in ("tree", "tree", "x"):
        server.evaluate(call(action=action))
    server.get("/nothing/{of}/ours")
    text = server.get("/metrics").body.decode()
    assert 'cortex_policy_decisions_total{decision="true",reason="allowed"} 2.0' in text
    assert 'cortex_policy_decisions_total{decision="false",reason="action_not_allowed"} 1.0' in text
    assert f'cortex_policy_requests_total{{path="{EVALUATION}",status="200"}} 3.0' in text
    assert 'cortex_policy_requests_total{path="other",status="404"} 1.0' in text
    assert f'cortex_policy_request_seconds_count{{path="{EVALUATION}"}} 3.0' in text
    assert "nothing" not in text


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 130)])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_ends_it_after_what_has_begun(top: Path, root: Path, number: int, code: int, workers: str) -> None:
    """Idle connections are closed; a request that is half there is still answered."""
    with running(root, "--workers", workers, env=environment(top)) as server, server.connect() as half:
        idle = server.connect()
        idle.sendall(server.head("/healthz", connection=""))
        seen = b""
        while not seen.endswith(b"}"):
            seen += idle.recv(10000)
        body = json.dumps(call()).encode()
        half.sendall(server.head(EVALUATION, "POST", content_type=JSON, content_length=str(len(body))) + body[:10])
        time.sleep(0.2)  # it has read that
        server.process.send_signal(number)
        time.sleep(0.2)
        half.sendall(body[10:])
        assert parse_reply(read_all(half)).decision
        assert read_all(idle) == b""
        idle.close()
        assert server.process.wait(30) == code
        assert not (top / "private" / "s.sock").exists()


def test_workers_share_one_exact_budget(top: Path, root: Path) -> None:
    """With the command line, too; all of them answer, and one that dies is replaced."""
    words = ("--workers", "3", *loopback(top))
    said = r"brAInwav cortex-policy serve: worker [0-9]+ ended with status -9; another one is started\n"
    with running(root, *words, says=said, env=environment(top)) as server:
        children = children_of(server.process.pid)
        assert len(children) == 3
        os.kill(children[0], signal.SIGKILL)
        variables = {"CORTEX_POLICY_STATE_DIR": str(top / "state")}
        assert run_command("check", "git", "tree", "--root", str(root), **variables).returncode == 0
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _: server.evaluate(call(consume=True)), range(90)))
        assert Counter(reply.decision for reply in replies) == {True: 29, False: 61}
        assert replies[-1].json["context"]["reason"] == "rate_limited"
        assert run_command("check", "git", "tree", "--root", str(root), code=14, **variables)
        text = server.get("/metrics").body.decode()
        assert 'cortex_policy_decisions_total{decision="true",reason="allowed"} 29.0' in text
        deadline = time.monotonic() + 20
        while len(children_of(server.process.pid)) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_workers_end_with_their_parent(top: Path, root: Path) -> None:
    """Nobody else would end them."""
    server = server_of(start_server(root, "--workers", "2", env=environment(top)))
    children = children_of(server.process.pid)
    server.end(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{child}").exists() and is_running(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    server.process.communicate()


@contextmanager
def crowded_server(root: Path, *words: str, env: dict[str, str]) -> Iterator[tuple[Server, list[socket.socket]]]:
    """Run a server with few descriptors, and a list of clients to close; it must end well and report no error."""
    process = limited_server(root, *words, env=env)
    server, clients = server_of(process), list[socket.socket]()
    try:
        yield server, clients
        assert server.end() == 0
    finally:
        process.kill()
        _, errors = process.communicate()
        for client in clients:
            client.close()
    assert not errors


def test_clients_that_do_not_go_on_take_nothing_from_others(top: Path, root: Path) -> None:
    """Silent, slow, half-closed and gone ones, more than may be open: those that have waited longest are closed."""
    with crowded_server(root, *loopback(top), env=environment(top)) as (server, clients):
        for number in range(500):
            client = server.connect()
            clients.append(client)
            if number % 4 == 1:
                client.sendall(b"POST ")
            elif number % 4 == 2:
                client.sendall(b"GET /healthz HTTP/1.1\r\n")
                client.shutdown(socket.SHUT_WR)
            elif number % 4 == 3:
                client.sendall(server.head(EVALUATION, "POST", content_type=JSON, content_length="100"))
            if number % 100 == 99:
                assert server.evaluate(call()).decision
        assert server.evaluate(call()).decision


@pytest.mark.storm
def test_a_client_that_is_late_is_closed(server: Server) -> None:
    """One that sends a byte now and then, and those that never read their answers, many or a long one."""
    with server.connect() as slow, server.connect() as deaf, server.connect() as lazy:
        body = json.dumps({"evaluations": [call()] * 1000}).encode()
        head = server.head(EVALUATIONS, "POST", connection="", content_type=JSON, content_length=str(len(body)))
        lazy.sendall(head + body)
        deaf.settimeout(1)
        request = server.head("/openapi.json", connection="")
        try:
            for _ in range(2000):
                deaf.sendall(request)
        except TimeoutError:
            pass
        try:
            for byte in server.head("/healthz")[:60]:
                slow.sendall(bytes([byte]))
                time.sleep(0.25)
            got = read_all(slow)
        except OSError:
            got = b""
        assert got == b""
        assert server.get("/healthz").status == 200
        deaf.settimeout(30)
        read_all(deaf)
        read_all(lazy)
    assert b'why="late"} 3.0' in server.get("/metrics").body


def test_a_stopped_holder_of_a_budget_delays_no_other_request(top: Path, server: Server) -> None:
    """A call that waits for its lock is denied after a second; the others are answered meanwhile."""
    server.evaluate(call(consume=True))
    process = hold_budgets(top)
    try:
        with ThreadPoolExecutor(8) as pool:
            waiting = [pool.submit(server.evaluate, call(consume=True)) for _ in range(4)]
            others = [server.get("/healthz").status for _ in range(20)]
            reasons = {one.result().json["context"]["reason"] for one in waiting}
        assert set(others) == {200}
        assert reasons == {"state_unavailable"}
    finally:
        process.kill()
        process.communicate()
    assert server.evaluate(call(consume=True)).decision


@pytest.mark.storm
def test_batches_that_wait_delay_no_single_call_and_end_with_the_server(top: Path, server: Server) -> None:
    """Each of their calls may wait a second: they take no thread of others, and nothing is said about them at the end."""
    server.evaluate(call(consume=True))
    process = hold_budgets(top)
    clients = [server.connect() for _ in range(16)]
    try:
        body = json.dumps({"evaluations": [call(consume=True)] * 1000}).encode()
        for client in clients:
            client.sendall(server.head(EVALUATIONS, "POST", content_type=JSON, content_length=str(len(body))) + body)
        time.sleep(1)
        assert server.get("/readyz").status == 200
        assert server.evaluate(call(consume=True)).json["context"]["reason"] == "state_unavailable"
        assert server.end() == 0
    finally:
        process.kill()
        process.communicate()
        for client in clients:
            client.close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for this host, and its key."""
    top = tmp_path_factory.mktemp("tls")
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", "key", "-out", "cert"]  # fmt: skip
    try:
        subprocess.run(words, cwd=top, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    (top / "key").chmod(0o600)
    return top


def test_tls_is_answered_on_any_address(top: Path, root: Path, certificate: Path) -> None:
    """The metadata has the scheme; without TLS nothing is answered."""
    import ssl  # noqa: PLC0415 - only here

    words = loopback(top, "--cert", str(certificate / "cert"), "--key", str(certificate / "key"))
    context = ssl.create_default_context(cafile=str(certificate / "cert"))
    with running(root, *words, env=environment(top)) as server:
        with context.wrap_socket(server.connect(), server_hostname="localhost") as client:
            client.sendall(server.head("/.well-known/authzen-configuration"))
            assert parse_reply(read_all(client)).json["policy_decision_point"] == f"https://{server.host}"
        assert b"200" not in server.raw(server.head("/healthz"))


def test_clients_that_do_not_shake_hands_take_nothing_from_others(top: Path, root: Path, certificate: Path) -> None:
    """More than there are descriptors: those that have waited longest are closed."""
    import ssl  # noqa: PLC0415 - see above

    words = loopback(top, "--cert", str(certificate / "cert"), "--key", str(certificate / "key"))
    context = ssl.create_default_context(cafile=str(certificate / "cert"))
    with crowded_server(root, *words, env=environment(top)) as (server, silent):
        for number in range(600):
            silent.append(server.connect())
            if number % 200 == 199:
                with context.wrap_socket(server.connect(), server_hostname="localhost") as client:
                    client.sendall(server.head("/metrics"))
                    assert b'why="full"' in read_all(client)


def test_the_directory_in_which_another_server_counts_is_not_ours(top: Path, root: Path) -> None:
    """A variable that was meant for another program changes nothing, even if it names nothing."""
    for name in ("PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"):
        with running(root, env={**environment(top), name: str(top / "nothing")}) as server:
            assert server.evaluate(call(path="docs/x")).decision
            assert b'cortex_policy_decisions_total{decision="true",reason="allowed"} 1.0' in server.get("/metrics").body
    assert not (top / "nothing").exists()


def test_a_key_that_everyone_can_read_is_refused(top: Path, root: Path, certificate: Path) -> None:
    """It is nobody's secret."""
    (top / "key").write_bytes((certificate / "key").read_bytes())
    (top / "key").chmod(0o644)
    words = loopback(top, "--cert", str(certificate / "cert"), "--key", str(top / "key"))
    process = start_server(root, *words, env=environment(top))
    _, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert b"chmod" in err


@pytest.mark.parametrize("family", ["unix", "inet"])
def test_a_socket_of_systemd_is_taken(top: Path, root: Path, family: str) -> None:
    """As descriptor 3, with the variables that name it."""
    listener = socket.socket(socket.AF_UNIX if family == "unix" else socket.AF_INET)
    listener.bind(str(top / "given") if family == "unix" else ("127.0.0.1", 0))
    listener.listen()
    words = ["serve", "--root", str(root), "--json", *(["--token", str(top / "token")] if family == "inet" else [])]
    starter = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ |= {'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '1'}; os.execv(sys.argv[2], sys.argv[2:])"
    argv = [sys.executable, "-c", starter, str(listener.fileno()), *PROGRAM, *words]
    process = subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(top), pass_fds=[listener.fileno()]
    )
    try:
        server = server_of(process)
        assert server.evaluate(call()).decision
        assert server.end() == 0
    finally:
        process.kill()
        process.communicate()
    listener.close()
    assert family == "inet" or (top / "given").exists()  # it is systemd's


def test_it_says_where_it_listens(top: Path, root: Path) -> None:
    """In words."""
    argv = [*PROGRAM, "serve", "--root", str(root), *loopback(top)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment(top), text=True)
    assert process.stdout is not None
    first, second = process.stdout.readline(), process.stdout.readline()
    process.terminate()
    assert process.wait(30) == 0
    process.stdout.close()
    assert first.startswith("listening on `http://127.0.0.1:")
    assert second == f"the token of its clients is in `{top}/token`\n"


def test_it_needs_few_descriptors_after_many_clients(server: Server) -> None:
    """Connections that are over leave nothing."""
    before = len(os.listdir(f"/proc/{server.process.pid}/fd"))
    for _ in range(50):
        server.evaluate(call())
    assert len(os.listdir(f"/proc/{server.process.pid}/fd")) <= before + 4
    assert resource.getrlimit(resource.RLIMIT_NOFILE)


def hold_budgets(top: Path) -> "subprocess.Popen[bytes]":
    """Start a process that holds the locks of all budgets."""
    holder = (
        "import fcntl, os, sys, time\n"
        "for top, _, names in os.walk(sys.argv[1]):\n"
        "    for name in names:\n"
        "        fcntl.flock(os.open(os.path.join(top, name), os.O_RDWR), fcntl.LOCK_EX)\n"
        "print(flush=True)\ntime.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", holder, str(top / "state")], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def limited_server(root: Path, *words: str, **options: Any) -> "subprocess.Popen[bytes]":
    """Start a server that may have 256 descriptors."""
    argv = ["x", "serve", "--root", str(root), "--json", *words]
    code = f"import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)); sys.argv = {argv}; runpy.run_module('cortex_policy', run_name='__main__')"
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


def children_of(process: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(text) for text in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_running(process: int) -> bool:
    """Whether a process has not ended."""
    try:
        return b"Z" not in Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except OSError:
        return False
