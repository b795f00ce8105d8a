"""The part of a grant that a call meets answers it as the whole grant does."""

import json

from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.model import Grant, Rate, Settings
from cortex_policy.manage.audit.reader import ReadCounts, decode_calls
from cortex_policy.manage.replay.decision_without_rate import find_denial_or_undecided_without_rate
from cortex_policy.manage.replay.relevant_part_of_grant import GrantParts
from tests.support.logs import event, place

WORDS = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(WORDS, min_size=1, max_size=3).map("/".join)
SCOPES = st.lists(st.one_of(PATHS, PATHS.map(lambda path: f"{path}/"), st.sampled_from(["*", "/", "", "a//b"])))
DECLARATIONS = st.dictionaries(
    st.sampled_from(["path", "x"]), st.sampled_from([{"type": "string"}, {"enum": ["a"]}, 1])
)


@given(
    st.lists(WORDS), SCOPES, DECLARATIONS, WORDS, PATHS, PATHS, PATHS, st.booleans(),
    st.sampled_from(["allowed", "action_not_allowed", "path_outside_scope"]), st.sampled_from(["allow", "deny"]),
)  # fmt: skip
def test_the_relevant_part_of_a_grant_decides_as_the_whole(  # noqa: PLR0913, PLR0917 - all that an answer depends on
    actions: list[str], scopes: list[str], args: dict[str, object], action: str, path: str, collapsed: str,
    landed: str, full: bool, reason: str, undeclared: str,
) -> None:  # fmt: skip
    """Whatever its actions, scopes and arguments are, and wherever the path of the call leads."""
    grant = Grant("git", "git", tuple(actions), Rate(1), args, "internal", tuple(scopes))
    known = [place(path, collapsed=collapsed, landed=landed)]
    line = event(0, action, reason, args={"path": path, "x": "a"} if full else ["path"], paths=known, full=full)
    [(_, data)] = decode_calls([line.encode()], None, ReadCounts())
    settings = Settings(undeclared_args=undeclared)
    assert find_denial_or_undecided_without_rate(
        GrantParts(grant).relevant_part(data), data, settings
    ) == find_denial_or_undecided_without_rate(grant, data, settings), json.dumps(data)
