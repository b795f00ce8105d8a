"""Codes that open the page once, and the sessions that they open."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_policy.core.model import UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.serve.page import access as page_access
from cortex_policy.serve.page.access import (
    CODE_SECONDS,
    SESSION_SECONDS,
    PageAccess,
    is_loopback_host,
    make_signed_page_code,
)
from cortex_policy.serve.page.link import make_page_link_from_token_file
from tests.support.users import CALLER, by_caller

TOKEN, ORIGIN = "t" * 40, "http://127.0.0.1:8930"
SECOND = 1_000_000_000
START = 1_800_000_000 * SECOND


class Clock:
    """The clock of the codes, which a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * SECOND)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Stop the clock."""
    clock = Clock()
    monkeypatch.setattr(page_access, "time_ns", clock)
    return clock


@pytest.fixture
def access(clock: Clock) -> PageAccess:
    """Start a server, a second ago."""
    made = PageAccess(TOKEN, frozenset((ORIGIN, "http://localhost:8930")))
    clock.advance(1)
    return made


def session(access: PageAccess, clock: Clock) -> str:
    """Open a session with a code that is made now."""
    opened = access.open_session(make_signed_page_code(TOKEN, ORIGIN, clock.now))
    assert opened is not None
    return opened


def test_a_code_opens_one_session(access: PageAccess, clock: Clock) -> None:
    """Whoever has seen it gets nothing afterwards."""
    code = make_signed_page_code(TOKEN, ORIGIN, clock.now)
    assert access.has_session(access.open_session(code) or "")
    assert access.open_session(code) is None
    clock.advance(1)
    assert access.has_session(session(access, clock))


def test_a_code_is_good_for_any_name_of_the_server_and_for_no_other_server(access: PageAccess, clock: Clock) -> None:
    """Another server may have the same token, and another user may have got the port of this one."""
    assert access.open_session(make_signed_page_code(TOKEN, "http://127.0.0.1:8931", clock.now)) is None
    assert access.open_session(make_signed_page_code(TOKEN, "https://127.0.0.1:8930", clock.now)) is None
    assert access.open_session(make_signed_page_code(TOKEN, "http://localhost:8930", clock.now))


@pytest.mark.parametrize(("seconds", "is_good"), [(CODE_SECONDS, True), (CODE_SECONDS + 0.1, False), (-0.1, False)])
def test_a_code_is_good_for_a_minute(access: PageAccess, clock: Clock, seconds: float, is_good: bool) -> None:
    """And not before it was made."""
    clock.advance(1)
    code = make_signed_page_code(TOKEN, ORIGIN, clock.now)
    clock.advance(seconds)
    assert (access.open_session(code) is not None) is is_good


def test_a_code_from_before_the_server_or_before_the_last_one_is_refused(clock: Clock) -> None:
    """What a server that has ended knew of used codes is lost, so that all of them count as used."""
    before = make_signed_page_code(TOKEN, ORIGIN, clock.now)
    access = PageAccess(TOKEN, frozenset((ORIGIN,)))
    assert access.open_session(before) is None
    clock.advance(1)
    older = make_signed_page_code(TOKEN, ORIGIN, clock.now)
    clock.advance(1)
    session(access, clock)
    assert access.open_session(older) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda _: ".",
        lambda code: code.partition(".")[0],
        lambda code: code[:-1],
        lambda code: code[:-1] + ("0" if code[-1] != "0" else "1"),
        lambda code: code.upper(),
        lambda code: "0" + code,
        lambda code: "0x" + code,
        lambda code: "+" + code[1:],
        lambda code: " " + code,
        lambda code: code + "0",
        lambda _: "f" * 40 + "." + "0" * 32,
        lambda code: "ä" + code[1:],
        lambda code: code[:5] + "_" + code[6:],
        lambda _: "é" * 32 + "." + "é" * 32,
    ],
)
def test_anything_but_the_code_itself_is_refused(
    access: PageAccess, clock: Clock, change: Callable[[str], str]
) -> None:
    """Also as a session, and also what differs only in its spelling."""
    code = make_signed_page_code(TOKEN, ORIGIN, clock.now)
    assert access.open_session(change(code)) is None
    assert not access.has_session(change(code))
    opened = access.open_session(code)
    assert opened is not None
    assert not access.has_session(change(opened))
    assert access.open_session(opened) is None


def test_a_code_needs_the_token(access: PageAccess, clock: Clock) -> None:
    """Nobody else can make one."""
    assert access.open_session(make_signed_page_code("u" * 40, ORIGIN, clock.now)) is None


def test_a_session_ends_after_half_a_day_and_with_its_server(access: PageAccess, clock: Clock) -> None:
    """Who listens on the port afterwards, and is sent the session, can do nothing with it."""
    opened = session(access, clock)
    clock.advance(SESSION_SECONDS)
    assert access.has_session(opened)
    assert not PageAccess(TOKEN, frozenset((ORIGIN,))).has_session(opened)
    clock.advance(1)
    assert not access.has_session(opened)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "[::1]", "[::1]:8930"])
def test_a_forwarded_socket_is_asked_by_a_name_of_this_host(host: str) -> None:
    """With any port: the browser's own end of it."""
    assert is_loopback_host(host)


@pytest.mark.parametrize(
    "host",
    ["", "LOCALHOST", "evil.example", "evil.example:8930", "localhost.evil.example", "localhost:", "localhost:8930.evil.example",
     "127.0.0.1.evil.example:80", "::1", "[::1", "127.0.0.1:8930@evil", "127.0.0.2:1", "localhost:\xb2"],
)  # fmt: skip
def test_any_other_name_may_have_been_rebound(host: str) -> None:
    """A name that others give away leads to this host as soon as they say so."""
    assert not is_loopback_host(host)


def test_a_link_has_its_code_behind_the_hash_where_browsers_keep_it(tmp_path: Path) -> None:
    """The file of the token is read by the rules of the server."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    access = PageAccess(TOKEN, frozenset(("https://[::1]:8930",)))
    start, mark, code = make_page_link_from_token_file("[::1]:8930", str(file), has_tls=True).partition("#")
    assert (start, mark) == ("https://[::1]:8930/", "#")
    assert access.open_session(code)
    with pytest.raises(UsageError):
        make_page_link_from_token_file("127.0.0.1:0", str(file), has_tls=False)
    file.chmod(0o640)
    with pytest.raises(NotDoneError):
        make_page_link_from_token_file("127.0.0.1:8930", str(file), has_tls=False)
    with pytest.raises(NotDoneError):
        make_page_link_from_token_file("127.0.0.1:8930", str(tmp_path / "none"), has_tls=False)
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_root_makes_links_for_services_of_other_users_and_nobody_else_does(tmp_path: Path) -> None:
    """A service that systemd started has a user of its own, who makes no links."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    os.chown(file, CALLER, CALLER)
    assert make_page_link_from_token_file("127.0.0.1:8930", str(file), has_tls=False)
    os.chown(file, 0, 0)
    file.chmod(0o644)
    tmp_path.chmod(0o755)
    with by_caller(), pytest.raises(NotDoneError):
        make_page_link_from_token_file("127.0.0.1:8930", str(file), has_tls=False)
