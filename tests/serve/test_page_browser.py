"""The page as operators see it: in Chromium, with axe-core, by keyboard, in light and dark, on small and wide screens."""

import re
import shutil
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.serve.page.link import make_page_link_from_token_file
from tests.support.browser import Browser, missing, running_browser
from tests.support.command import PROGRAM
from tests.support.roots import grant_file
from tests.support.serve import Server, call, environment, make_root, running

pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(missing()), reason=missing())]

HOSTILE = "<img src=x onerror=alert(1)>\u202egnp.exe\x1b[31m"
ESCAPED = "<img src=x onerror=alert(1)>\\u202egnp.exe\\x1b[31m"
BAR = "document.querySelector('#grants-list .bar[aria-label=\"git tree\"]')"
OPENED = "document.querySelectorAll('#grants-list > li').length > 0 && !document.getElementById('open').hidden"


class Place:
    """A root with a server, and commands in it."""

    def __init__(self, top: Path, server: Server) -> None:
        self.top, self.server, self.root = top, server, top / "root"

    def run(self, *words: str) -> str:
        """Run a command as the operator."""
        done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=True, env=variables(self.top))
        return done.stdout.strip()

    def link(self) -> str:
        """Return a link to the page."""
        return make_page_link_from_token_file(self.server.host, str(self.top / "token"), has_tls=False)

    def ask(self, grant: str, action: str, **context: Any) -> None:
        """Make a call."""
        self.server.evaluate(call(grant, action, consume=True, **context))


def variables(top: Path) -> dict[str, str]:
    """Return the environment of server and commands."""
    return {**environment(top), "XDG_CONFIG_HOME": str(top / "settings")}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Make a root with all that a page shows, also from who means harm."""
    top = tmp_path_factory.mktemp("page")
    path = {"path": {"type": "string", "format": "path"}}
    root = make_root(
        top,
        git={"tool": "git", "actions": ["tree", HOSTILE], "rate": {"perMinute": 20}, "fsScope": ["docs", HOSTILE], "args": path},
        deploy={"tool": "deploy", "actions": ["apply"], "rate": {"perMinute": 5}, "dataClass": "sensitive"},
        chat={"tool": HOSTILE, "actions": ["chat"], "rate": {"perMinute": 2}, "args": {HOSTILE: {"type": "string"}}},
    )  # fmt: skip
    for number in range(8):
        shutil.copy(grant_file(root, "git"), grant_file(root, f"more-{number}"))
    grant_file(root, "broken").write_text("{")
    settings = top / "settings" / "cortex-policy"
    settings.mkdir(parents=True, mode=0o700)
    text = f'sensitive = "ask"\n[audit]\nfile = "{top / "audit.jsonl"}"\nargs = "full"\n'
    (settings / "config.toml").write_text(text)
    words = ("--tcp", "127.0.0.1:0", "--token", str(top / "token"))
    with running(root, *words, env=variables(top)) as server:
        place = Place(top, server)
        place.ask("git", "push", path="docs")
        place.ask("git", HOSTILE + HOSTILE, path=HOSTILE)
        place.ask("deploy", "apply", target=HOSTILE)
        for _ in range(4):
            place.ask("chat", "chat")
        yield place


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run a browser."""
    with running_browser() as browser:
        yield browser


@pytest.fixture
def opened(place: Place, browser: Browser) -> Iterator[Browser]:
    """Open the page by a link; no policy of it was violated, and no script failed."""
    browser.do("look", width=1600)
    browser.do("open", url=f"{place.server.url}/page/style.css")  # else only the fragment differs
    browser.do("open", url=place.link())
    browser.wait(OPENED)
    browser.do("problems")
    yield browser
    assert browser.do("problems") == []


def test_a_link_opens_the_page_once_and_its_code_is_not_left_behind(place: Place, browser: Browser) -> None:
    """A reload needs no other link; another tab does."""
    browser.do("look", width=800)
    link = place.link()
    assert browser.do("open", url=link) == 200
    browser.wait(OPENED)
    assert browser.value("location.href") == f"{place.server.url}/"
    assert browser.value("document.cookie + localStorage.length") == "0"
    browser.do("reload")
    browser.wait(OPENED)
    browser.value("sessionStorage.clear()")
    browser.do("open", url=f"{place.server.url}/page/style.css")
    browser.do("open", url=link)
    browser.wait("!document.getElementById('closed').hidden")
    assert "used before" in browser.text("#closed")
    assert "--link" in browser.text("#closed-command")
    assert browser.value("document.querySelectorAll('#open li').length") == 0
    assert browser.do("axe") == []
    assert [one for one in browser.do("problems") if "401" not in one] == []


def test_it_shows_what_operators_need(place: Place, opened: Browser) -> None:
    """Each with the command to type."""
    assert opened.text("#root") == str(place.root)
    waiting, denied, grants = (opened.text(f"#{name}") for name in ("waiting", "denied", "grants"))
    assert "deploy apply" in waiting
    assert "cortex-policy approve " in waiting
    assert re.search(r"4 min \d\d s left", waiting)
    assert f"cortex-policy set git --allow push --root {place.root}" in denied
    assert "rate limit exceeded" in denied
    assert "2 times" in denied
    assert "sensitive: a human approves each call" in grants
    assert "full for " in grants
    assert "invalid" in grants
    assert opened.value(f"{BAR}.getAttribute('aria-valuemax')") == "20"


def test_a_bar_moves_after_a_hit(place: Place, opened: Browser) -> None:
    """Without a reload."""
    width = f"{BAR}.firstElementChild.getBoundingClientRect().width / {BAR}.getBoundingClientRect().width"
    assert opened.value(width) == pytest.approx(0.0)
    for _ in range(10):
        place.ask("git", "tree", path="docs")
    opened.wait(f"{BAR}.getAttribute('aria-valuenow') === '10'")
    opened.wait(f"Math.abs({width} - 0.5) < 0.02")
    assert opened.value(f"{BAR}.getAttribute('aria-valuetext')") == "10 of 20 used"


def test_texts_of_others_are_text(opened: Browser) -> None:
    """Nothing of them is an element, and what turns lines around or acts on terminals is written out."""
    shown = opened.text("#open")
    assert shown.count(ESCAPED) >= 8
    assert opened.value("document.querySelectorAll('img, script:not([src])').length") == 0
    assert not {"\u202e", "\x1b"} & set(opened.value("document.documentElement.textContent"))


def test_a_stop_is_first_and_said_aloud(place: Place, opened: Browser) -> None:
    """Until it ends."""
    place.run("stop", "--root", str(place.root), "--reason", "why not")
    try:
        opened.wait("document.querySelector('.alarm')")
        assert "why not" in opened.text(".alarm")
        assert f"cortex-policy resume --root {place.root}" in opened.text(".alarm")
        assert opened.text("#news") == "Stopped: every call is denied"
        assert opened.value("document.title").startswith("Stopped")
        assert opened.value("document.querySelector('.alarm').getBoundingClientRect().bottom < innerHeight")
        assert opened.do("axe") == []
    finally:
        place.run("resume", "--root", str(place.root))
    opened.wait("!document.querySelector('.alarm')")
    assert opened.text("#news") == "Calls can be allowed again"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 800, 1600])
def test_axe_finds_nothing_and_nothing_is_cut_off(opened: Browser, width: int, scheme: str) -> None:
    """In light and dark, on small and wide screens."""
    opened.do("look", width=width, scheme=scheme)
    assert opened.do("axe") == []
    assert opened.value("document.documentElement.scrollWidth") <= width
    small = "[...document.querySelectorAll('button, input')].filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 24).length"
    assert opened.value(small) == 0


def test_the_keyboard_reaches_everything_in_the_order_of_the_page(opened: Browser) -> None:
    """And it is seen where it is."""
    order = []
    for _ in range(40):
        opened.do("press", key="Tab")
        found = opened.value(
            "((one) => one === document.body ? null : [one.className || one.id || one.textContent.trim().split(' ')[0] || one.tagName,"
            "getComputedStyle(one).outlineStyle, one.getBoundingClientRect().width])(document.activeElement)"
        )
        if found is None:
            break
        order.append(found)
    names = [name for name, _, _ in order]
    assert names[:4] == ["skip", "Waiting", "Denied", "Grants"]
    assert names[4] == "Copy"
    assert names[-1] == "find"
    assert all(style != "none" and width > 1 for _, style, width in order)


def test_what_has_the_focus_keeps_it_while_the_page_changes(place: Place, opened: Browser) -> None:
    """Else who uses a keyboard starts again every two seconds."""
    opened.value("document.querySelector('#denied-list button').focus()")
    label = opened.value("document.activeElement.getAttribute('aria-label')")
    place.ask("git", "new-action", path="docs")
    opened.wait("document.querySelector('#denied-list').innerText.includes('new-action')")
    assert opened.value("document.activeElement.getAttribute('aria-label')") == label


def test_a_command_is_copied_by_its_button(place: Place, opened: Browser) -> None:
    """And that is said."""
    opened.do("permit", origin=place.server.url, names=["clipboard-read", "clipboard-sanitized-write"])
    opened.value("document.querySelector('#waiting-list button').focus()")
    opened.do("press", key="Enter")
    opened.wait("document.getElementById('news').textContent === 'Command copied'")
    assert opened.value("navigator.clipboard.readText()") == opened.text("#waiting-list code")
    assert opened.value("document.activeElement.getAttribute('aria-label')") == "Copy the command: deploy apply"


def test_the_last_denials_are_few_until_all_are_wanted(place: Place, opened: Browser) -> None:
    """So that what is below them is near."""
    for number in range(9):
        place.ask("git", f"kind-{number}", path="docs")
    opened.wait("!document.getElementById('denied-rest').hidden")
    assert opened.value("document.querySelectorAll('#denied-list > li').length") == 8
    opened.value("document.getElementById('denied-all').focus()")
    opened.do("press", key="Enter")
    assert opened.value("document.querySelectorAll('#denied-list > li').length") > 10
    assert opened.value("document.activeElement.getAttribute('aria-expanded')") == "true"


def test_a_search_finds_grants_by_their_ids(opened: Browser) -> None:
    """Of a root with many."""
    opened.value("document.getElementById('find').focus()")
    opened.do("type", text="more-3")
    opened.wait("document.querySelectorAll('#grants-list > li').length === 1")
    assert opened.text("#grants-list .id") == "more-3"


def test_a_forwarded_socket_opens_the_page_without_a_link(tmp_path: Path, browser: Browser) -> None:
    """Its server knows who forwards it."""
    root = make_root(tmp_path, git={"actions": ["tree"]})
    with running(root, env=variables(tmp_path)) as server, forwarded(server) as port:
        browser.do("look", width=800)
        browser.do("open", url=f"http://localhost:{port}/")
        browser.wait(OPENED)
        assert browser.text("#root") == str(root)
        assert "The audit log is off" in browser.text("#denied")
        assert browser.do("axe") == []
        browser.do("open", url="about:blank")
    browser.do("problems")


@contextmanager
def forwarded(server: Server) -> Iterator[int]:
    """Forward a port of this host to a socket, as `ssh -L` does."""

    class Forwarder(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with server.connect() as there:
                pair = (self.request, there), (there, self.request)
                threads = [threading.Thread(target=copy, args=each, daemon=True) for each in pair]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join(30)

    def copy(source: socket.socket, target: socket.socket) -> None:
        """Copy until one of both is closed."""
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Forwarder) as port:
        port.daemon_threads = True
        threading.Thread(target=port.serve_forever, daemon=True).start()
        yield port.server_address[1]
        port.shutdown()


def test_a_page_whose_server_is_gone_says_so(tmp_path: Path, browser: Browser) -> None:
    """What it shows may be old; after a restart it needs another link."""
    root = make_root(tmp_path, git={"actions": ["tree"]})
    words = ("--tcp", "127.0.0.1:0", "--token", str(tmp_path / "token"))
    with running(root, *words, env=variables(tmp_path)) as server:
        place = Place(tmp_path, server)
        browser.do("open", url=place.link())
        browser.wait(OPENED)
        address = server.host
    browser.wait("document.getElementById('freshness').innerText.startsWith('No answer since')")
    browser.do("problems")
    with running(root, "--tcp", address, *words[2:], env=variables(tmp_path)):
        browser.wait("document.getElementById('closed-why').innerText === 'The session has ended.'", 40)
    assert browser.value("document.querySelectorAll('#open li').length") == 0
    browser.do("problems")
