"""`mcp serve` as a process: each revision of the protocol, notices of changes, hostile clients, and how it ends."""

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.mcp.server_notices import MAX_STREAMS
from cortex_policy.mcp.server_stdio import MAX_MESSAGE_BYTES, MAX_REQUESTS
from tests.support.command import process_of, result_of, run_command
from tests.support.mcp_client import (
    HANDSHAKES,
    MODERN,
    PATIENCE,
    McpClient,
    environment_of,
    mcp_client,
    start_mcp_server,
)
from tests.support.roots import GIT, grant_file
from tests.support.serve import make_root

GIT_URI = "cortex-policy://grants/git"
ABOUT = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
HAS_MEMBERS = ("2025-06-18", "2025-11-25", MODERN)
ALL = [pytest.param(one, marks=[pytest.mark.storm] * (one != HANDSHAKES[0])) for one in (*HANDSHAKES, MODERN)]


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a root that the tests of this module share."""
    top = tmp_path_factory.mktemp("mcp")
    top.chmod(0o700)
    make_root(top, git={name: value for name, value in GIT.items() if name != "tool"})
    return top


@pytest.fixture
def top_root(top: Path) -> Path:
    """Return the root, with its one grant as it was."""
    root = top / "root"
    for file in grant_file(root).parent.iterdir():
        if file.name != "git.json":
            file.unlink()
    return root


@pytest.fixture(scope="module")
def client(top: Path) -> Iterator[McpClient]:
    """Return a client of the newest revision that the tests of this module share."""
    with mcp_client(top / "root", env=environment_of(top)) as client:
        yield client


@pytest.mark.parametrize("revision", ALL)
def test_a_client_of_each_revision_asks_reads_and_is_told(top: Path, top_root: Path, revision: str) -> None:
    """With the tools, the resources, and the notices that the revision has; without the extra `watch`."""
    blind = "import sys; sys.modules['watchfiles'] = None; from cortex_policy import main; main.main()"
    words = [sys.executable, "-c", blind, "mcp", "serve", "--root", str(top_root)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(words, env=environment_of(top), **pipes) as process:  # type: ignore[call-overload]
        client = McpClient(process, revision)
        if revision != MODERN:
            assert client.greeting["protocolVersion"] == revision
            assert client.greeting["capabilities"]["resources"] == {"subscribe": True, "listChanged": True}
        tools = {one["name"]: one for one in client.request("tools/list")["tools"]}
        assert list(tools) == ["check_grant", "list_grants", "explain_call"]
        if revision != HANDSHAKES[0]:
            assert all(one["annotations"]["readOnlyHint"] is True for one in tools.values())
        answer = client.call_tool("check_grant", grant="git", action="tree", args={"path": "docs/x"})
        assert answer["content"][0]["text"] == "allowed, 30 of 30 left"
        members = answer["structuredContent"] if revision in HAS_MEMBERS else json.loads(answer["content"][1]["text"])
        assert members["decision"] is True
        assert len(answer["content"]) == (1 if revision in HAS_MEMBERS else 2)
        assert [one["uri"] for one in client.request("resources/list")["resources"]] == [GIT_URI]
        content = client.request("resources/read", uri=GIT_URI)["contents"][0]
        assert content["text"] == grant_file(top_root).read_text()
        check_notices(client, top_root)
        assert (client.end_input() if revision == MODERN else client.end(signal.SIGINT)) == (
            130 if revision != MODERN else 0
        )


def check_notices(client: McpClient, root: Path) -> None:
    """Hold a server to tell of each write after its command has exited, and of grants that come and go."""
    stream = -1
    if client.revision == MODERN:
        wanted = {"resourceSubscriptions": [GIT_URI], "resourcesListChanged": True}
        stream = client.start_request("subscriptions/listen", notifications=wanted)
        client.wait_for(method="notifications/subscriptions/acknowledged")
    else:
        assert client.request("resources/subscribe", uri=GIT_URI) == {}
    for words in (("set", "git", "--rate", "20"), ("undo", "git", "--allow-widening")):
        run_command(*words, "--root", str(root))
        client.wait_for_update(GIT_URI)
    grant_file(root).write_text(grant_file(root).read_text() + " ")
    client.wait_for_update(GIT_URI)
    run_command("stamp", "write", "--root", str(root), "--allow-widening")
    client.wait_for_update(GIT_URI)
    run_command("copy", "git", "other", "--root", str(root), "--allow-widening")
    client.wait_for(method="notifications/resources/list_changed")
    run_command("remove", "other", "--root", str(root), "--yes")
    notice = client.wait_for(method="notifications/resources/list_changed")
    if stream >= 0:
        assert notice["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == stream


def test_resources_say_what_is_wrong_and_which_version_holds(client: McpClient, top_root: Path) -> None:
    """Of each file, also of one that checks refuse; those that others can write are not shown."""
    run_command("stamp", "write", "--root", str(top_root), "--allow-widening")
    grant_file(top_root, "wrong").write_text("{\x1b[31m")
    grant_file(top_root, "binary").write_bytes(b"\xff")
    grant_file(top_root, "open").write_text("{}")
    grant_file(top_root, "open").chmod(0o666)
    listed = client.request("resources/list")
    about = {one["name"]: one["_meta"]["cortex-policy"] for one in listed["resources"]}
    assert {name: one["state"] for name, one in about.items()} == {
        "binary": "invalid", "git": "ok", "open": "unsafe", "wrong": "invalid",
    }  # fmt: skip
    version = listed["_meta"]["cortex-policy"]
    stamp = json.loads((top_root / ".cortex" / "policy" / "stamp.json").read_text())
    assert (version["version"], version["checksum"]) == (stamp["version"], stamp["checksum"])
    content = client.request("resources/read", uri=GIT_URI)["contents"][0]
    assert content["_meta"]["cortex-policy"] == {
        **about["git"],
        "version": stamp["version"],
        "checksum": stamp["checksum"],
    }
    assert client.request("resources/read", uri="cortex-policy://grants/wrong")["contents"][0]["text"] == "{\x1b[31m"
    assert client.request("resources/read", uri="cortex-policy://grants/binary")["contents"][0]["blob"] == "/w=="
    refused = client.request("resources/read", uri="cortex-policy://grants/open")["error"]
    assert refused["data"]["reason"] == "grant_unsafe"
    assert "chmod" in refused["data"]["hint"]
    for uri in ("cortex-policy://grants/none", "cortex-policy://grants/../stamp", "file:///etc/passwd", "\x1b[2J"):
        assert client.request("resources/read", uri=uri)["error"]["code"] == -32602


@pytest.mark.parametrize(
    ("line", "identifier", "code"),
    [
        (b"{", None, -32700),
        (b"\xff\xfe", None, -32700),
        (b"[]", None, -32600),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', None, -32600),
        (b"null", None, -32600),
        (b'{"jsonrpc": "1.0", "id": "x", "method": "ping"}', "x", -32600),
        (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', None, -32600),
        (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', None, -32600),
        (b'{"jsonrpc": "2.0", "id": "d", "method": "tools/call", "params": ' + b'{"a":' * 80 + b"1" + b"}" * 81, "d", -32700),
        (b'{"jsonrpc": "2.0", "id": "n", "method": "tools/call", "params": {"a": NaN}}', "n", -32700),
        (b'{"jsonrpc": "2.0", "id": "t", "id": "t", "method": "ping"}', "t", -32700),
        (b'{"a": "' + b"x" * MAX_MESSAGE_BYTES + b'"}', None, -32700),
        (b"[" * MAX_MESSAGE_BYTES, None, -32700),
    ],
    ids=lambda value: repr(value)[:50],
)  # fmt: skip
def test_what_is_no_message_is_answered(client: McpClient, line: bytes, identifier: str | None, code: int) -> None:
    """With its id, if it has one, so that nobody waits for ever; and the next one is answered."""
    client.send_line(line)
    answer = client.next_message()
    assert (answer["id"], answer["error"]["code"]) == (identifier, code)
    assert client.call_tool("list_grants")["isError"] is False


def test_requests_for_what_is_not_there_are_errors_of_the_protocol(client: McpClient) -> None:
    """A tool, a method, input that is no object."""
    unknown = client.call_tool("check\x1b[31m")["error"]
    assert unknown["message"] == "there is no tool `check\\x1b[31m`; there are check_grant, list_grants, explain_call"
    assert client.request("prompts/list")["error"]["code"] == -32601
    for method in ("tools/list", "resources/list", "resources/templates/list"):
        assert "error" not in client.request(method)
        assert client.request(method, cursor="x")["error"]["code"] == -32602
    assert client.request("tools/call", name="check_grant", arguments="x")["error"]["code"] == -32602
    assert client.request("resources/subscribe", uri=GIT_URI)["error"]["code"] == -32601


def test_wrong_input_is_an_error_that_the_model_reads(client: McpClient) -> None:
    """With a hint, and no member that looks like an answer."""
    answer = client.call_tool("check_grant", grant="git", acton="tree")
    assert answer["isError"] is True
    assert answer["content"] == [{"type": "text", "text": "unknown member `acton`\nhint: did you mean `action`?"}]
    assert "structuredContent" not in answer


def test_many_questions_at_once_are_all_answered(client: McpClient) -> None:
    """More than are taken at a time, and than a pipe holds."""
    asked = {client.start_request("tools/list") for _ in range(4 * MAX_REQUESTS)}
    assert {client.next_message()["id"] for _ in asked} == asked


def test_few_requests_may_wait_for_changes(client: McpClient) -> None:
    """One more is refused; one that is cancelled makes room."""
    first = [client.start_request("subscriptions/listen", notifications={}) for _ in range(MAX_STREAMS)]
    for _ in first:
        client.wait_for(method="notifications/subscriptions/acknowledged")
    assert "error" in client.request("subscriptions/listen", notifications={})
    for stream in first:
        client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": stream}})
    last = client.start_request("subscriptions/listen", notifications={})
    client.wait_for(method="notifications/subscriptions/acknowledged")
    client.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": last}})
    for _ in range(MAX_REQUESTS):  # each of them has given back its place
        assert "tools" in client.request("tools/list")


def test_requests_of_a_pipe_that_ends_are_answered_first(top: Path) -> None:
    """Those that wait for changes too: they end in good order."""
    calls: list[tuple[str, dict[str, Any]]] = [
        ("subscriptions/listen", {"notifications": {"resourcesListChanged": True}}),
        *[("tools/call", {"name": "check_grant", "arguments": {"grant": "git", "action": "tree"}})] * 20,
    ]
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": {**params, "_meta": ABOUT}})
        for number, (method, params) in enumerate(calls)
    ]
    done = process_of("mcp", "serve", "--root", str(top / "root"), given="\n".join(lines))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["id"] for one in answers if "result" in one} == set(range(21))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.storm
def test_a_client_that_reads_nothing_keeps_nobody(top: Path) -> None:
    """The server stops reading, so that it holds little; a signal ends it, though its output is full."""
    process = start_mcp_server("serve", "--root", str(top / "root"), env=environment_of(top))
    assert process.stdin is not None
    assert process.stdout is not None
    line = json.dumps({
        "jsonrpc": "2.0", "id": 1, "method": "tools/list",
        "params": {"_meta": ABOUT},
    }).encode() + b"\n"  # fmt: skip
    os.write(process.stdin.fileno(), line)
    assert process.stdout.read(1) == b"{"  # it has started
    os.set_blocking(process.stdin.fileno(), False)
    sent = 0
    while sent < 64 << 20 and is_writable(process.stdin.fileno()):
        sent += os.write(process.stdin.fileno(), line * 100)
    assert sent < 64 << 20
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()


def is_writable(descriptor: int) -> bool:
    """Whether a pipe takes more within two seconds."""
    import select  # noqa: PLC0415 - only this asks

    return bool(select.select([], [descriptor], [], 2)[1])


@pytest.mark.storm
def test_a_client_that_goes_away_ends_the_server(top: Path) -> None:
    """Its output cannot be written any more; that is no error."""
    process = start_mcp_server("serve", "--root", str(top / "root"), env=environment_of(top))
    assert process.stdout is not None
    process.stdout.close()
    client_line = b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n'
    assert process.stdin is not None
    process.stdin.write(client_line)
    process.stdin.flush()
    assert process.wait(PATIENCE) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stdin.close()
    process.stderr.close()


def test_a_bug_is_a_denial_in_one_line_and_prints_nothing_to_the_client(top: Path) -> None:
    """What the code prints goes to standard error; the model hears that the call is denied."""
    broken = """
import os, subprocess, sys
from cortex_policy.mcp import server_handlers
def answer(*_):
    print("printed", flush=True)
    os.write(1, b"written\\n")
    subprocess.run(["echo", "started"])
    raise ValueError("secret\\x1b[31m")
server_handlers.answer_tool_call = answer
from cortex_policy import main
main.main()
"""
    words = [sys.executable, "-c", broken, "mcp", "serve", "--root", str(top / "root")]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(words, env=environment_of(top), **pipes) as process:  # type: ignore[call-overload]
        answer = McpClient(process, MODERN).call_tool("list_grants")
        process.terminate()
        errors = process.stderr.read().decode()
        assert process.wait(PATIENCE) == 0
    assert answer["isError"] is True
    assert answer["content"][0]["text"].endswith("ValueError; take the call for denied")
    *printed, last = errors.splitlines()
    assert printed == ["printed", "written", "started"]
    assert last.startswith("brAInwav cortex-policy mcp serve: a bug in this program at ")
    assert "secret" not in errors


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, top: Path) -> None:
    """In a line that can be typed."""
    monkeypatch.setitem(sys.modules, "cortex_policy.mcp.server", None)  # as if it could not be imported
    done = result_of("mcp", "serve", "--root", str(top / "root"))
    assert done.returncode == 2
    assert done.stderr.endswith("hint: run `pip install 'cortex-policy[mcp]'`\n")


def test_without_a_root_it_does_not_start(tmp_path: Path) -> None:
    """The agent shows that its server failed."""
    done = result_of("mcp", "serve", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (25, "")


@pytest.mark.storm
@pytest.mark.skipif(sys.platform != "linux", reason="it reads a process file of Linux")
def test_a_message_without_end_takes_little_memory(client: McpClient) -> None:
    """Only as much is kept as shows that it is too long."""

    def peak() -> int:
        """Return the most memory that the server has had, in kB."""
        lines = Path(f"/proc/{client.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))

    client.send_line(b"[" * MAX_MESSAGE_BYTES)
    assert client.next_message()["error"]["code"] == -32700
    before = peak()
    client.send_line(b"[" * (64 << 20))
    assert client.next_message()["error"]["code"] == -32700
    assert peak() - before < 16_000


@pytest.mark.storm
@pytest.mark.parametrize("how", ["signal", "end of input"])
def test_a_question_that_hangs_keeps_nobody(top: Path, how: str) -> None:
    """As on a disk that does not answer: its thread is left behind."""
    hanging = """
import time
from cortex_policy.mcp import server_handlers
server_handlers.answer_tool_call = lambda *_: time.sleep(600)
from cortex_policy import main
main.main()
"""
    words = [sys.executable, "-c", hanging, "mcp", "serve", "--root", str(top / "root")]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(words, env=environment_of(top), **pipes) as process:  # type: ignore[call-overload]
        client = McpClient(process, MODERN)
        client.start_request("tools/call", name="list_grants", arguments={})
        assert "tools" in client.request("tools/list")
        assert (client.end() if how == "signal" else client.end_input()) == 0
        assert process.stderr.read() == b""


@pytest.mark.storm
@pytest.mark.parametrize("revision", [HANDSHAKES[0], MODERN])
def test_random_messages_end_nothing(top: Path, revision: str) -> None:
    """A thousand requests with random members: the next one is answered, and the log stays tagged."""
    chance = random.Random(7)  # noqa: S311 - no secret
    values = [
        None,
        True,
        -1,
        0,
        10**30,
        1.5,
        "",
        "git",
        "\x1b[31m",
        "x" * 9000,
        [],
        {},
        [[]],
        {"a": {}},
        GIT_URI,
        "tools/list",
    ]
    methods = [
        "tools/call", "tools/list", "resources/list", "resources/read", "resources/subscribe", "resources/templates/list",
        "subscriptions/listen", "ping", "server/discover", "initialize", "notifications/cancelled", "completion/complete", "x",
    ]  # fmt: skip
    names = [
        "name",
        "arguments",
        "uri",
        "notifications",
        "_meta",
        "cursor",
        "requestId",
        "protocolVersion",
        "grant",
        "\ud800",
    ]
    process = start_mcp_server("serve", "--root", str(top / "root"), env=environment_of(top))
    client = McpClient(process, revision)
    assert "tools" in client.request("tools/list")
    for number in range(1000):
        params: Any = {chance.choice(names): chance.choice(values) for _ in range(chance.randrange(4))}
        if chance.random() < 0.5:
            arguments = {
                chance.choice(["grant", "action", "args", "cost", "z"]): chance.choice(values) for _ in range(3)
            }
            params |= {"name": chance.choice(["check_grant", "explain_call", "list_grants"]), "arguments": arguments}
        if revision == MODERN and chance.random() < 0.9:
            params["_meta"] = ABOUT
        message = {"jsonrpc": "2.0", "method": chance.choice(methods), "params": params, "id": f"r{number}"}
        if chance.random() < 0.1:
            message[chance.choice(list(message))] = chance.choice(values)
        client.send(message)
        while not client.messages.empty():
            client.messages.get()
    assert "tools" in client.request("tools/list")
    assert client.end() == 0
    assert process.stderr is not None
    assert all(line.startswith(b"brAInwav cortex-policy mcp serve: ") for line in process.stderr.read().splitlines())
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        pipe.close()
