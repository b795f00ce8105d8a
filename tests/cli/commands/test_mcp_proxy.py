"""`mcp proxy`: the rules and grants of a root, before the tools of a small server."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.command import PROGRAM, run_command
from tests.support.logs import events
from tests.support.mcp import hits, make_mcp_root
from tests.support.mcp_messages import call, request
from tests.support.mcp_proxy import Proxy, running


@pytest.fixture
def proxy(root: Path) -> Iterator[Proxy]:
    """Run the command in a root with rules for the server `files`."""
    make_mcp_root(root)
    with running("files", command=[*PROGRAM, "mcp", "proxy", "--server", "files", "--root", str(root), "--"]) as proxy:
        yield proxy


def test_calls_are_decided_by_the_rules_and_grants_of_the_root(
    root: Path, state: Path, log: Path, proxy: Proxy
) -> None:
    """Those that reach the server take their hits, and each is in the audit log."""
    assert [tool["name"] for tool in proxy.ask(request("tools/list"))["result"]["tools"]] == ["read", "ping"]
    assert proxy.ask(call("read", path="docs/x"))["result"] == {"content": [{"type": "text", "text": ""}]}
    denied = proxy.ask(call("read", path="packages/a"))["result"]
    assert denied["isError"] is True
    assert denied["structuredContent"].items() >= {"reason": "path_outside_scope", "exit_code": 12, "rule": 5}.items()
    assert "in no scope" in denied["content"][0]["text"]
    assert proxy.ask(call("wipe"))["result"]["structuredContent"]["decision"] is False
    assert proxy.ask(call("ping"))["result"]["content"]
    assert hits(root, state) == 1
    assert [event["data"]["decision"] for event in events(log)] == [True, False, False, True]
    assert proxy.end()[0] == 0


def test_an_edit_counts_at_the_next_call(root: Path, proxy: Proxy) -> None:
    """Nothing is kept from one call to the next."""
    assert "isError" not in proxy.ask(call("ping"))["result"]
    (root / ".cortex" / "policy" / "hooks.toml").write_text('format = 1\nunmapped = "deny"\n')
    assert proxy.ask(call("ping"))["result"]["isError"] is True
    assert proxy.ask(request("tools/list"))["result"]["tools"] == []


@pytest.mark.storm
def test_of_a_thousand_calls_by_four_clients_exactly_the_rate_reaches_a_server(root: Path, state: Path) -> None:
    """All are sent before an answer is read."""
    make_mcp_root(root, rate={"perMinute": 600})
    command = [*PROGRAM, "mcp", "proxy", "--server", "files", "--root", str(root), "--"]
    with ExitStack() as stack:
        proxies = [stack.enter_context(running("files", command=command)) for _ in range(4)]
        for proxy in proxies:
            proxy.send(*[call("read", number, path="docs/x") for number in range(250)])
        answers = [proxy.receive() for proxy in proxies for _ in range(250)]
    assert sorted(answer["id"] for answer in answers) == sorted([*range(250)] * 4)
    denied = [answer["result"] for answer in answers if answer["result"].get("isError")]
    assert len(denied) == 400
    assert {result["structuredContent"]["reason"] for result in denied} == {"rate_limited"}
    assert hits(root, state) == 600


@pytest.mark.usefixtures("root")
class TestWords:
    """What the command does not start with."""

    def test_the_server_follows_two_dashes(self) -> None:
        """Its options are never options of ours."""
        assert "the command goes after `--`" in run_command("mcp", "proxy", "--server", "x", code=2).stderr
        assert "the command goes after `--`" in run_command("mcp", "proxy", "--server", "x", "true", code=2).stderr

    def test_a_command_that_is_not_found_starts_nothing(self) -> None:
        """With the exit code of a shell."""
        assert (
            "`absent` is not in PATH" in run_command("mcp", "proxy", "--server", "x", "--", "absent", code=127).stderr
        )

    @pytest.mark.parametrize("name", ["", "a/b", "a\nb"])
    def test_a_name_that_no_rule_can_have_is_refused(self, name: str) -> None:
        """Each call would be denied."""
        run_command("mcp", "proxy", "--server", name, "--", "true", code=2)

    def test_a_directory_without_policy_is_refused(self, tmp_path: Path) -> None:
        """Nothing could be allowed."""
        done = run_command("mcp", "proxy", "--server", "x", "--root", str(tmp_path), "--", "true", code=25)
        assert ".cortex/policy" in done.stderr
