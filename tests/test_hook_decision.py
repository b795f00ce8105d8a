"""What an agent may do by the rules and the grants of a root, and what that costs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cortex_policy.hook_decision import decide_denial_text
from tests.support.command import run_command
from tests.support.hooks import RULES, Scene, make_scene, payload
from tests.support.logs import events
from tests.support.roots import grant_file

Decide = Callable[..., str]
SUBAGENTS = """\
format = 1
[[rule]]
tools = ["Write"]
subagents = ["reviewer"]
grant = "review"
action = "write"
ignore = ["content"]
[[rule]]
tools = ["Write"]
grant = "fs"
action = "write"
ignore = ["content"]
"""


@pytest.fixture
def scene(root: Path, tmp_path: Path) -> Scene:
    """Make a root in which agents may write below `docs`."""
    return make_scene(root, tmp_path)


@pytest.fixture
def decide(scene: Scene) -> Decide:
    """Return what decides a payload in this process: why it is denied, '' if it is not."""

    def decide(agent: str = "claude", tag: str = "user", subagent: str = "", **more: Any) -> str:
        document = payload(agent, **{"cwd": str(scene.root), **more})
        if subagent:
            document |= {"agent_id": "a1", "agent_type": subagent}
        return decide_denial_text(json.dumps(document).encode(), agent, str(scene.root), tag, lambda _: None)

    return decide


def rules(scene: Scene, more: str, *, tools: str = '"Write"') -> None:
    """Write one rule that asks the grant, with more keys."""
    head = f'format = 1\n[[rule]]\ntools = [{tools}]\ngrant = "fs"\naction = "write"\n'
    scene.rules.write_text(f"{head}{more}\n")


def used(scene: Scene) -> int:
    """Return the hits of the grant's budget."""
    return scene.used()


def test_each_delivery_by_one_line_is_counted(scene: Scene, decide: Decide) -> None:
    """A loop may repeat the id of a call."""
    assert [decide() for _ in range(5)] == [""] * 5
    assert used(scene) == 5


def test_a_call_that_three_lines_deliver_is_counted_once(scene: Scene, decide: Decide) -> None:
    """Whatever the rate leaves by then."""
    scene.write_grant(rate={"perMinute": 1})
    assert [decide(tag=tag) for tag in ("user", "project", "")] == [""] * 3
    assert used(scene) == 1
    assert "Wait" in decide()
    assert "Wait" in decide(call="call-2", tag="project")


@pytest.mark.parametrize(
    "other",
    [
        {"session": "session-2"},
        {"call": "call-2"},
        {"path": "docs/y"},
        {"inputs": {"file_path": "docs/x", "content": "other"}},
    ],
)
def test_another_session_id_or_input_is_another_call(scene: Scene, decide: Decide, other: dict[str, Any]) -> None:
    """Ignored text too."""
    assert decide() == ""
    assert decide(tag="project", **other) == ""
    assert used(scene) == 2


def test_agents_without_ids_are_counted_once_as_well(scene: Scene, decide: Decide) -> None:
    """By the inputs alone, however the time differs."""
    assert [decide("gemini", tag=tag) for tag in ("user", "user", "project")] == [""] * 3
    assert used(scene) == 2


def test_a_repeat_says_so_in_the_audit_log(decide: Decide, log: Path) -> None:
    """And is decided by every rule."""
    decide()
    decide(tag="project")
    decide(tag="project", path="x")
    assert [event["data"].get("repeat") for event in events(log)] == [None, True, None]
    assert [event["data"]["decision"] for event in events(log)] == [True, True, False]


def test_what_the_rules_decide_alone_is_in_the_audit_log(scene: Scene, decide: Decide, log: Path) -> None:
    """As calls of `hooks.toml`, whose actions are the tools; without what a rule ignores."""
    scene.rules.write_text(scene.rules.read_text() + '[[rule]]\ntools = ["Plan"]\ndecide = "pass"\n')
    assert decide(tool="Unknown", inputs={"query": "x", "content": "secret"})
    assert decide(path=".env")
    assert decide(tool="Plan") == ""
    assert decide(tool="cortex_policy_canary")  # a test of the hook
    found = [event["data"] for event in events(log)]
    assert [(data["grant"], data["action"], data["decision"], data["reason"]) for data in found] == [
        ("hooks.toml", "Unknown", False, "action_not_allowed"),
        ("hooks.toml", "Write", False, "action_not_allowed"),
        ("hooks.toml", "Plan", True, "allowed"),
    ]
    assert list(found[0]["args"]) == ["query"]
    assert {data["root"] for data in found} != {None}


@pytest.mark.parametrize("text", [None, "format = 2"])
def test_a_call_without_valid_rules_is_in_the_audit_log(
    scene: Scene, decide: Decide, log: Path, text: str | None
) -> None:
    """Each is denied."""
    scene.rules.unlink() if text is None else scene.rules.write_text(text)
    assert decide()
    (event,) = events(log)
    assert event["data"]["reason"] == ("grant_not_found" if text is None else "grant_invalid")
    assert event["data"]["grant"] == "hooks.toml"


def test_commands_read_the_decisions_of_rules(decide: Decide, log: Path) -> None:
    """`suggest` and `replay` skip them: no grant would change them."""
    decide(tool="Unknown")
    decide(path="docs/../x")
    assert "hooks.toml\tUnknown" in run_command("audit", "show", code=0).stdout
    assert "Unknown" in run_command("audit", "stats", code=0).stdout
    run_command("audit", "verify", code=0)
    assert "hooks.toml" not in run_command("suggest").stdout
    assert "hooks.toml" not in run_command("replay").stdout
    assert len(events(log)) == 2


def test_a_tool_that_passes_needs_a_log_that_can_be_written(decide: Decide, log: Path, scene: Scene) -> None:
    """As an allowed call does."""
    scene.rules.write_text('format = 1\nunmapped = "pass"\n')
    assert decide() == ""
    log.unlink()
    log.mkdir()
    assert "a human has fixed it" in decide()


def test_a_repeat_is_denied_once_the_grant_denies_it(scene: Scene, decide: Decide) -> None:
    """Only its hit was taken."""
    assert decide() == ""
    scene.write_grant(actions=["read"])
    assert "allows only `read`" in decide(tag="project")


def test_a_repeat_spends_no_second_approval(scene: Scene, decide: Decide, monkeypatch: pytest.MonkeyPatch) -> None:
    """And asks no human again."""
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    scene.write_grant(dataClass="sensitive")
    assert "a human must approve" in decide()
    assert "a human must approve" in decide(tag="project")
    (request,) = json.loads(run_command("approvals", "--json", code=0).stdout)["requests"]
    assert used(scene) == 0
    run_command("approve", request["id"], "--yes")
    assert [decide(tag=tag) for tag in ("user", "project")] == ["", ""]
    assert used(scene) == 1
    assert "a human must approve" in decide()


def test_an_approval_holds_for_the_ignored_text_too(
    scene: Scene, decide: Decide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another text is another call, although nobody sees it."""
    monkeypatch.setenv("CORTEX_POLICY_SENSITIVE", "ask")
    scene.write_grant(dataClass="sensitive")
    given = {"file_path": "docs/x", "content": "a"}
    assert "a human must approve" in decide(call="1", inputs=given)
    (request,) = json.loads(run_command("approvals", "--json", code=0).stdout)["requests"]
    assert "content" not in request["args"]
    run_command("approve", request["id"], "--yes")
    assert "a human must approve" in decide(call="2", inputs=given | {"content": "b"})
    assert decide(call="3", inputs=given) == ""


def test_two_grants_are_asked_and_one_hit_is_taken(scene: Scene, decide: Decide) -> None:
    """Of the first rule; the other one is only asked."""
    scene.rules.write_text(SUBAGENTS)
    grant_file(scene.root, "review").write_text(
        json.dumps({"tool": "review", "actions": ["write"], "rate": {"perMinute": 9}})
    )
    assert decide(subagent="reviewer") == ""
    budgets = json.loads(run_command("rate", "show", "--json", code=0).stdout)
    assert "review" in json.dumps(budgets)
    assert used(scene) == 0
    assert decide() == ""
    assert used(scene) == 1


def test_no_hit_is_taken_if_the_second_grant_denies(scene: Scene, decide: Decide) -> None:
    """So it is asked first."""
    scene.rules.write_text(SUBAGENTS.replace('"fs"', '"other"').replace('"review"', '"fs"'))
    grant_file(scene.root, "other").write_text(json.dumps({"tool": "other", "actions": [], "rate": {"perMinute": 9}}))
    assert "grant `other`" in decide(subagent="reviewer")
    assert used(scene) == 0


def test_one_budget_that_both_grants_share_is_asked_with_its_own_hit(scene: Scene, decide: Decide) -> None:
    """A repeat is not denied because its first delivery filled the budget."""
    scene.rules.write_text(SUBAGENTS)
    scene.write_grant(rate={"perMinute": 1})
    grant_file(scene.root, "review").write_text(grant_file(scene.root, "fs").read_text())
    assert decide(subagent="reviewer") == ""
    assert decide(subagent="reviewer", tag="project") == ""
    assert "Wait" in decide(subagent="reviewer", call="call-2")
    assert used(scene) == 1


def test_a_path_outside_of_the_root_is_denied_before_the_grant_is_asked(scene: Scene, decide: Decide) -> None:
    """As text, and once its links are followed."""
    rules(scene, 'within = "root"\nignore = ["content"]')
    scene.write_grant(fsScope=[], actions=[])
    for path in ("/etc/x", "../x", "docs/link/x", "docs/link-to-etc"):
        assert "is outside the project" in decide(path=path)
    assert "the grant allows only nothing" in decide()


@pytest.mark.parametrize("path", ["~/x", "~root/x", "file:///etc/x", "\\etc\\x", " /etc/x", "docs/x\n"])
def test_a_path_that_tools_read_in_several_ways_is_not_known_to_be_in_the_root(
    scene: Scene, decide: Decide, path: str
) -> None:
    """A tool may take `~` for the home directory: a grant without scopes does not look at that."""
    scene.write_grant(fsScope=[])
    rules(scene, 'ignore = ["content"]')
    assert decide(path=path) == ""
    rules(scene, 'within = "root"\nignore = ["content"]')
    assert f"`{path}` " in decide(path=path)


def test_what_a_rule_says_is_a_path_is_one_for_the_grant(scene: Scene, decide: Decide) -> None:
    """Even if the grant exempts an input of that name."""
    rules(scene, 'paths = ["target"]')
    scene.write_grant(args={"target": {"format": "not-path"}, "paths": {"format": "not-path"}})
    assert decide(inputs={"target": "docs/x"}) == ""
    assert "`packages/x` is in no scope" in decide(inputs={"target": "packages/x"})
    assert "takes its path from the input `target`" in decide(inputs={})


def test_the_declared_name_of_other_paths_does_not_hide_them(scene: Scene, decide: Decide) -> None:
    """Inputs may have the name under which the other paths are judged."""
    rules(scene, 'paths = ["target"]')
    for taken in ("paths", "_paths"):
        assert "in no scope" in decide(inputs={"target": "packages/x", taken: ["docs/y"]})
        assert decide(inputs={"target": "docs/x", taken: ["docs/y"]}) == ""


def test_each_file_of_a_patch_is_judged(scene: Scene, decide: Decide) -> None:
    """One that is moved at both ends."""
    rules(scene, 'patch = ["command"]', tools='"apply_patch"')

    def patch(*lines: str) -> dict[str, str]:
        return {"command": "\n".join(["*** Begin Patch", *lines, "*** End Patch"])}

    moved = ("*** Update File: docs/a", "*** Move to: {}/b", "@@", "-x", "+y")
    inside, outside = ([line.format(place) for line in moved] for place in ("docs", "packages"))
    assert decide("codex", tool="apply_patch", inputs=patch(*inside)) == ""
    assert "`packages/b` is in no scope" in decide("codex", tool="apply_patch", inputs=patch(*outside))


def test_a_scoped_grant_denies_a_call_without_a_path(scene: Scene, decide: Decide) -> None:
    """Unless the rule says that there need be none."""
    rules(scene, "")
    assert "no path" in decide(inputs={"text": "x"})
    rules(scene, "no_path = true")
    assert decide(inputs={"text": "x"}) == ""
    scene.write_grant(fsScope=[])
    rules(scene, "")
    assert decide(inputs={"text": "x"}) == ""


def test_a_relative_path_is_judged_from_each_directory_of_the_call(scene: Scene, decide: Decide) -> None:
    """The one of the payload, and the one that an input names."""
    rules(scene, "")
    (scene.root / "docs" / "docs").mkdir()
    assert decide(inputs={"file_path": "x", "workdir": "docs"}, cwd=str(scene.root / "docs")) == ""
    assert "in no scope" in decide(inputs={"file_path": "docs/x", "workdir": "packages"})


def test_a_grant_that_knows_another_path_does_not_let_it_lead_to_a_guarded_file(scene: Scene, decide: Decide) -> None:
    """The settings of an agent, behind a link."""
    rules(scene, "")
    scene.write_grant(args={"target": {"format": "path"}})
    (scene.root / ".claude").mkdir()
    (scene.root / ".claude" / "settings.json").write_text("{}")
    (scene.root / "docs" / "settings").symlink_to("../.claude/settings.json")
    scene.write_grant(args={"target": {"format": "path"}}, fsScope=[])
    assert decide(inputs={"target": "docs/x"}) == ""
    assert decide(inputs={"target": "docs/settings"})
    assert used(scene) == 1


def test_a_link_to_a_guarded_file_is_denied_for_a_tool_that_no_grant_limits(scene: Scene, decide: Decide) -> None:
    """Whatever a rule passes."""
    scene.rules.write_text('format = 1\nunmapped = "pass"\n')
    (scene.root / "settings").symlink_to(".claude/settings.json")
    assert decide(path="docs/x") == ""
    assert decide(path="settings")
    assert decide(path=".claude/settings.json")
    assert decide(path="docs/link-to-nowhere/../../settings")


def test_a_way_that_cannot_be_followed_is_denied(scene: Scene, decide: Decide) -> None:
    """It may lead anywhere."""
    scene.rules.write_text('format = 1\nunmapped = "pass"\n')
    (scene.root / "loop").symlink_to("loop")
    assert "cannot be resolved" in decide(path="loop")


def test_the_audit_log_has_the_directory_and_the_session_of_the_call(
    scene: Scene, decide: Decide, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ignored text is not in it."""
    monkeypatch.setenv("CORTEX_POLICY_AUDIT_ARGS", "full")
    assert decide(inputs={"file_path": "x", "content": "a secret"}, cwd=str(scene.root / "docs")) == ""
    (event,) = events(log)
    assert event["data"]["cwd"] == str(scene.root / "docs")
    assert event["data"]["args"] == {"file_path": "x"}


def test_a_project_that_tightens_settings_is_heard(scene: Scene, decide: Decide) -> None:
    """As by any check."""
    (scene.policy / "config.toml").write_text('undeclared_args = "deny"\n')
    assert "is not declared" in decide(inputs={"file_path": "docs/x", "mode": 7})


def test_the_stamp_is_required_of_the_rules_as_well(scene: Scene, decide: Decide) -> None:
    """A hand edit of them denies every call."""
    run_command("stamp", "write", "--root", str(scene.root), "--allow-widening")
    (scene.policy / "config.toml").write_text('stamp = "require"\n')
    assert decide() == ""
    scene.rules.write_text(RULES + "\n")
    assert "stamp" in decide()


def test_a_directory_behind_a_link_is_taken_both_ways(scene: Scene, decide: Decide) -> None:
    """An agent collapses `..` in the text of the directory, a shell follows the link first."""
    rules(scene, "")
    (scene.root / "docs" / "sub").mkdir()
    (scene.root / "packages" / "link").symlink_to("../docs/sub")
    (scene.root / "docs" / "link-to-a").symlink_to("../packages/a")
    for cwd, path in (
        ("packages/link", "../x"),
        ("packages/link", "x"),
        ("docs/link-to-a", "../x"),
        ("docs/link-to-a", "x"),
    ):
        assert "scope" in decide(inputs={"file_path": path}, cwd=str(scene.root / cwd)), (cwd, path)
    assert decide(inputs={"file_path": "../x"}, cwd=str(scene.root / "docs" / "sub")) == ""
