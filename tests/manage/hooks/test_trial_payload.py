"""What `hook doctor` sends is read as what the agent itself sends."""

import json

import pytest

from cortex_policy.core.hooks.payload import AGENTS, read_tool_call
from cortex_policy.manage.hooks.trial_payload import make_trial_payload


@pytest.mark.parametrize("agent", AGENTS)
def test_a_trial_is_a_call_of_its_agent(agent: str) -> None:
    """Whichever agent the hook was installed for."""
    call = read_tool_call(json.loads(make_trial_payload(agent, "Tool", {"path": "x"}, "/srv/repo")), "")
    assert (call.agent, call.tool, call.inputs, call.cwd, call.mcp) == (agent, "Tool", {"path": "x"}, "/srv/repo", ())


@pytest.mark.parametrize("agent", AGENTS)
def test_each_trial_is_a_call_of_its_own(agent: str) -> None:
    """None is taken for a repeat of another."""
    sessions = {
        read_tool_call(json.loads(make_trial_payload(agent, "Tool", {}, "/srv/repo")), agent).session for _ in range(2)
    }
    assert len(sessions) == 2
