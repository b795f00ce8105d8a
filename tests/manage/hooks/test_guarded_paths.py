"""Paths are added to `guard`, and nothing else of the text changes."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.core.model import GrantError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.toml import decode_toml
from cortex_policy.manage.hooks.guarded_paths import add_guarded_paths, insert_guarded_paths, preview_add_guarded_paths
from cortex_policy.manage.hooks.install_checks import check_paths_can_be_guarded
from cortex_policy.state import Root
from tests.support.stamps import stamp_grants, stamp_version

RULE = '\n# readers\n[[rule]]\ntools = ["Read"]   # and no other\ndecide = "pass"\nignore = [\n  "x",\n]\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("format = 1\n", 'format = 1\nguard = ["/a"]\n'),
        ("format = 1 # one\n# the end\n", 'format = 1 # one\nguard = ["/a"]\n# the end\n'),
        ("format = 1\nguard = []\n", 'format = 1\nguard = ["/a"]\n'),
        ('format = 1\nguard = ["/b"] # b\n', 'format = 1\nguard = ["/a", "/b"] # b\n'),
        ('format = 1\nguard = [\n    "/b", # b\n]\n', 'format = 1\nguard = [\n    "/a",\n    "/b", # b\n]\n'),
        ('guard = [ # mine\n  "/b"]\nformat = 1\n', 'guard = [ # mine\n    "/a",\n  "/b"]\nformat = 1\n'),
        ('guard = [ # mine\r\n"/b"]\r\nformat = 1\r\n', 'guard = [ # mine\r\n    "/a",\r\n"/b"]\r\nformat = 1\r\n'),
        ('format = 1\nguard = ["/a"]\n', 'format = 1\nguard = ["/a"]\n'),
    ],
)
def test_the_list_grows_and_the_rest_stays(before: str, after: str) -> None:
    """Above the rules, in the layout that it has."""
    ending = "\r\n" if "\r\n" in before else "\n"
    rule = RULE.replace("\n", ending)
    assert insert_guarded_paths(before + rule, ("/a", "/a")) == after + rule


def test_a_text_without_an_end_of_line_gets_one() -> None:
    """TOML wants it between two keys."""
    assert insert_guarded_paths("format = 1", ["/a"]) == 'format = 1\nguard = ["/a"]\n'


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: f"/{text}"), max_size=4))
def test_any_path_is_written_as_what_it_is(paths: list[str]) -> None:
    """With quotes, line ends and control characters in it."""
    text = f'format = 1\nguard = [\n  "/x", # x\n]\n{RULE}'
    new = insert_guarded_paths(text, paths)
    expected = [path for path in dict.fromkeys(paths) if path != "/x"]
    assert decode_toml(new.encode()) == {**decode_toml(text.encode()), "guard": [*expected, "/x"]}
    assert new.endswith(f'  "/x", # x\n]\n{RULE}')


def test_what_cannot_be_written_is_told() -> None:
    """A name that is not UTF-8, and a list that is spelled as no other."""
    with pytest.raises(NotDoneError, match="UTF-8"):
        insert_guarded_paths("format = 1\n", ["/\udcff"])
    with pytest.raises(NotDoneError, match="guard"):
        insert_guarded_paths('format = 1\n"guard" = ["/x"]\n', ["/a"])


def test_adding_a_guarded_path_is_a_stamped_write(root: Path) -> None:
    """Stamped; nothing is written if nothing is missing, or if the file is not what was stamped."""
    policy = Root(str(root), trusts_owner=True)
    file = Path(policy.policy_path, HOOKS_TOML)
    with pytest.raises(GrantError, match="there is no") as caught:
        add_guarded_paths(policy, ["/a"])
    assert "hook init" in caught.value.hint
    file.write_text(f"format = 1\n{RULE}")
    stamp_grants(policy)
    assert '+guard = ["/a"]' in preview_add_guarded_paths(policy, ["/a"]).diff
    written = add_guarded_paths(policy, ["/a"])
    assert (written.is_written, written.version, written.change.meaning.verdict) == (True, 2, "narrowed")
    assert not add_guarded_paths(policy, ["/a"]).is_written
    assert stamp_version(policy) == 2
    with pytest.raises(GrantError):
        add_guarded_paths(policy, ["relative"])
    file.write_text("format = 1\n")
    for act in (preview_add_guarded_paths, add_guarded_paths, check_paths_can_be_guarded):
        with pytest.raises(GrantError) as caught:
            act(policy, ("/a",))
        assert caught.value.exit_code == 23
