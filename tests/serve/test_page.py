"""The page of a running server: who gets it, with which fields, and what is in its data."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cortex_policy.serve.page import endpoints
from cortex_policy.serve.page.link import make_page_link_from_token_file
from tests.support.command import PROGRAM
from tests.support.roots import grant_file
from tests.support.serve import EVALUATION, Reply, Server, call, environment, make_root, running
from tests.support.users import CALLER

SCRIPT = "text/javascript; charset=utf-8"
FILES = {
    "/": "text/html; charset=utf-8", "/page/style.css": "text/css; charset=utf-8", "/page/icon.svg": "image/svg+xml",
    "/page/page.mjs": SCRIPT, "/page/parts.mjs": SCRIPT, "/page/nodes.mjs": SCRIPT,
}  # fmt: skip
STATE, SESSION = "/page/state", "/page/session"
TOOL_NAME = "only-in-this-root"


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a root, with an audit log."""
    top = tmp_path_factory.mktemp("page")
    root = make_root(top, git={"actions": ["tree"], "rate": {"perMinute": 30}, "fsScope": ["docs"]})
    for number in range(120):
        grant = {"tool": TOOL_NAME, "actions": ["a"], "rate": {"perMinute": 9}}
        (grant_file(root).parent / f"many-{number:03}.json").write_text(json.dumps(grant))
    settings = top / "settings" / "cortex-policy"
    settings.mkdir(parents=True, mode=0o700)
    log = top / "audit.jsonl"
    (settings / "config.toml").write_text(f'[audit]\nfile = "{log}"\nargs = "full"\n')
    return top


@pytest.fixture(scope="module")
def server(top: Path) -> Iterator[Server]:
    """Run two workers on a port."""
    words = ("--tcp", "127.0.0.1:0", "--token", str(top / "token"), "--workers", "2")
    with running(top / "root", *words, env=variables(top)) as server:
        yield server


@pytest.fixture(scope="module")
def session(top: Path, server: Server) -> str:
    """Open the page."""
    opened: str = open_session(server, code(top, server)).json["session"]
    return opened


def variables(top: Path) -> dict[str, str]:
    """Return the environment of the server."""
    return {**environment(top), "XDG_CONFIG_HOME": str(top / "settings")}


def code(top: Path, server: Server) -> str:
    """Make a code as the command does."""
    return make_page_link_from_token_file(server.host, str(top / "token"), has_tls=False).partition("#")[2]


def open_session(server: Server, code: str, **fields: str) -> Reply:
    """Use a code."""
    return server.post(SESSION, b"", content_type="", authorization=f"Bearer {code}", **fields)


def state(server: Server, session: str, path: str = STATE, **fields: str) -> Reply:
    """Ask for the data of the page."""
    return server.get(path, authorization=f"Bearer {session}", **fields)


def test_every_answer_of_the_page_tells_browsers_to_trust_nothing_else(server: Server, session: str) -> None:
    """Also the data, which nobody should open as a page."""
    for path, kind in {**FILES, STATE: "application/json"}.items():
        reply = state(server, session, path)
        assert reply.status == 200
        assert reply.fields["content-type"] == kind
        policy = dict(part.split(" ", 1) for part in reply.fields["content-security-policy"].split("; "))
        assert policy == {
            "default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'", "connect-src": "'self'",
            "base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
            "require-trusted-types-for": "'script'", "trusted-types": "'none'",
        }  # fmt: skip
        expected = {
            "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store",
            "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp",
            "cross-origin-resource-policy": "same-origin",
        }  # fmt: skip
        assert expected.items() <= reply.fields.items()
        assert "set-cookie" not in reply.fields


def test_who_has_no_token_gets_only_files_that_are_the_same_everywhere(server: Server, top: Path) -> None:
    """Such as another user of this host: nothing of the root is in them."""
    for path in FILES:
        reply = server.get(path, authorization="")
        assert reply.status == 200
        for ours in (TOOL_NAME, str(top), server.token):
            assert ours.encode() not in reply.body
    for path in (
        STATE,
        "/healthz",
        "/metrics",
        "/page",
        "/page/",
        "/page/index.html",
        "/page/access.py",
        "/page/state/",
    ):
        for authorization in ("", "Bearer ", f"Basic {server.token}", "Bearer " + "0" * 16 + "." + "0" * 32):
            assert server.get(path, authorization=authorization).status == 401
    assert server.post(SESSION, b"", content_type="", authorization="").status == 401
    assert open_session(server, server.token).status == 401


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_cannot_make_a_link(server: Server, top: Path) -> None:
    """The token is in a file of ours alone."""
    words = ["serve", "--link", "--tcp", server.host, "--token", str(top / "token")]
    allowed = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=True, env=variables(top))
    assert allowed.stdout.startswith(f"{server.url}/#")
    for each in (top, *top.parents[:-2]):
        each.chmod(each.stat().st_mode | 0o711)
    as_other = (
        "import os, sys; from cortex_policy.serve.page.link import make_page_link_from_token_file;"
        "os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]));"
        "make_page_link_from_token_file(sys.argv[2], sys.argv[3], has_tls=False)"
    )
    argv = [sys.executable, "-c", as_other, str(CALLER), server.host, str(top / "token")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert "permission denied" in done.stderr
    assert not done.stdout


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_link_names_the_number_of_the_server(server: Server, top: Path, host: str) -> None:
    """At another number of `localhost`, another user may have the same port: his page could use the code."""
    assert server.token  # it is there
    made = make_page_link_from_token_file(f"{host}:8930", str(top / "token"), has_tls=False)
    assert made.partition("/#")[0] in {"http://127.0.0.1:8930", "http://[::1]:8930"}
    named = make_page_link_from_token_file(f"{host}:8930", str(top / "token"), has_tls=True)
    assert named.startswith(f"https://{host}:8930/#")  # the name is in the certificate


def test_a_page_of_another_origin_and_a_rebound_name_get_nothing(server: Server, top: Path, session: str) -> None:
    """With a session too, and the code is not even used up."""
    fresh = code(top, server)
    for fields in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"host": "evil.example"},
        {"host": f"evil.example:{server.host.rpartition(':')[2]}"},
        {"host": "127.0.0.1"},
    ):
        for path in (*FILES, STATE):
            assert state(server, session, path, **fields).status == 403
        assert open_session(server, fresh, **fields).status == 403
    assert open_session(server, fresh, origin=server.url).status == 200


def test_a_session_reads_the_page_and_nothing_else(server: Server, session: str) -> None:
    """It cannot use up a budget."""
    assert state(server, session).status == 200
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/.well-known/authzen-configuration"):
        assert state(server, session, path).status == 401
    body = json.dumps(call(consume=True)).encode()
    assert server.post(EVALUATION, body, authorization=f"Bearer {session}").status == 401
    assert server.get(STATE).status == 200  # with the token itself


def test_of_many_clients_with_the_same_code_one_gets_a_session_whichever_worker_it_asks(
    server: Server, top: Path
) -> None:
    """And every worker knows it."""
    for _ in range(5):
        fresh = code(top, server)
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(open_session, [server] * 8, [fresh] * 8))
        assert sorted(reply.status for reply in replies) == [200] + [401] * 7
    (opened,) = [reply.json["session"] for reply in replies if reply.status == 200]
    assert {state(server, opened).status for _ in range(10)} == {200}


def test_the_page_only_reads(server: Server, session: str) -> None:
    """No other method is there."""
    for path in (*FILES, STATE):
        reply = server.post(path, b"{}", authorization=f"Bearer {session}")
        assert reply.status == 405
    assert state(server, session, SESSION).status == 405


def test_the_data_are_those_of_the_root_and_bounded(server: Server, session: str) -> None:
    """A search finds the others."""
    server.evaluate(call(consume=True, path="docs"))
    data = state(server, session).json
    git, *others = data["grants"]["items"]
    assert git["id"] == "git"
    assert git["scopes"] == ["docs"]
    assert git["budgets"][0]["limit"] == 30
    assert len(others) == 99
    assert (data["grants"]["more"], data["grants"]["total"]) == (21, 121)
    found = state(server, session, f"{STATE}?find=ANY-11").json["grants"]
    assert [one["id"] for one in found["items"]] == [f"many-{number}" for number in range(110, 120)]
    assert state(server, session, f"{STATE}?find={'a' * 200}").status == 400
    assert state(server, session, f"{STATE}?find=%00%E2%80%AE%3Cb%3E").json["grants"]["items"] == []


def test_a_denied_call_comes_with_the_command_that_allows_it(server: Server, session: str) -> None:
    """The server itself has logged it."""
    server.evaluate(call(action="push", consume=True))
    server.evaluate(call(action="push", consume=True))
    search = f"{STATE}?find=git"  # no data of another test are kept for it
    (push,) = [one for one in state(server, session, search).json["denied"]["items"] if one["action"] == "push"]
    assert push["count"] == 2
    assert push["text"] == "action not allowed"
    assert push["command"].startswith("cortex-policy set git --allow push --root /")


def test_data_that_a_client_has_are_not_sent_again(server: Server, session: str) -> None:
    """By their tag."""
    search = f"{STATE}?find=many-00"
    first = state(server, session, search)
    again = server.raw(server.head(search, authorization=f"Bearer {session}", if_none_match=first.fields["etag"]))
    assert again.startswith(b"HTTP/1.1 304 ")
    assert again.endswith(b"\r\n\r\n")
    assert state(server, session, search, if_none_match='"other"').status == 200


def test_over_a_socket_the_kernel_knows_who_asks_and_only_a_name_of_this_host_opens_the_page(tmp_path: Path) -> None:
    """A forwarded socket has a port in the browser of whoever forwarded it; what tells of the root needs it, too."""
    root = make_root(tmp_path, git={"actions": ["tree"]})
    with running(root, env=environment(tmp_path)) as server:
        for path in (*FILES, STATE, "/readyz", "/metrics"):
            for host in ("localhost:8930", "127.0.0.1:8930"):
                assert server.get(path, host=host).status == 200
            for host in ("evil.example:8930", "localhost.evil.example"):
                assert server.get(path, host=host).status == 403
        assert server.get(STATE).json["root"] == str(root)
        for origin, status in (("http://localhost:8930", 200), ("http://localhost:1", 403), ("null", 403)):
            assert server.get(STATE, host="localhost:8930", origin=origin).status == status
        assert server.get("/healthz", host="localhost:8930", origin="http://localhost:8930").status == 403
        assert server.post(SESSION, b"", content_type="").status == 401
        assert server.get("/healthz", host="pdp").status == 200
        reply = server.get(STATE).json
        assert reply["denied"]["problem"].startswith("the audit log is off: turn it on with `cortex-policy config set")


def test_a_root_that_is_gone_is_said_on_the_page(tmp_path: Path) -> None:
    """The page is what an operator looks at then."""
    root = make_root(tmp_path, git={"actions": ["tree"]})
    with running(root, env=environment(tmp_path)) as server:
        root.rename(tmp_path / "away")
        data = server.get(STATE).json
    assert "no policy root" in data["errors"][0]["text"]
    assert data["errors"][0]["hint"]


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_scripts_of_the_page_can_be_read() -> None:
    """By a reader of today's JavaScript."""
    scripts = sorted(Path(endpoints.__file__).parent.glob("*.mjs"))
    assert len(scripts) == 3
    for script in scripts:
        subprocess.run(["node", "--check", str(script)], check=True)
