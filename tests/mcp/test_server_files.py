"""Which files a client may see as resources, under which names, and what is said of each."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cortex_policy.core.decode import HOOKS_TOML, is_grant_id
from cortex_policy.manage.listing import read_all_grant_rows
from cortex_policy.mcp.server_files import (
    GRANTS_URI,
    HOOKS_URI,
    list_possible_policy_files,
    load_policy_file_or_none,
    make_policy_file_uri,
    parse_policy_file_uri_or_none,
    read_stamp_or_none,
)
from cortex_policy.state import Root
from tests.support.chance import inputs
from tests.support.roots import GIT, grant_file
from tests.support.stamps import stamp_grants

HOOKS_TEXT = 'format = 1\nunmapped = "deny"\n'


@inputs(300)
@given(text=st.text() | st.from_regex(r"[A-Za-z0-9._/%-]{1,130}", fullmatch=True))
def test_a_uri_names_a_grant_or_nothing(text: str) -> None:
    """No other file, whatever it holds; and each name has one URI."""
    name = parse_policy_file_uri_or_none(f"{GRANTS_URI}{text}")
    assert name is None or (is_grant_id(name) and make_policy_file_uri(name) == f"{GRANTS_URI}{text}")
    assert parse_policy_file_uri_or_none(text) is None


@pytest.mark.parametrize(
    "uri",
    [
        "", GRANTS_URI, f"{GRANTS_URI}../stamp", f"{GRANTS_URI}git/", f"{GRANTS_URI}git?x", f"{GRANTS_URI}%67it", f"{GRANTS_URI}g\0t",
        f"{GRANTS_URI}hooks.toml", f"{HOOKS_URI}/", "cortex-policy://stamp.json", "cortex-policy://GRANTS/git", "file:///etc/passwd",
    ],
)  # fmt: skip
def test_other_uris_name_nothing(uri: str) -> None:
    """They are compared as they are written."""
    assert parse_policy_file_uri_or_none(uri) is None


def test_states_are_those_of_list(stamped_root: Root) -> None:
    """Of each kind; the text is what is on disk."""
    (grant_file(stamped_root)).write_text(json.dumps(GIT) + "\n")
    for name, text in (
        ("new", json.dumps(GIT)),
        ("wrong", '{"tool": 1}'),
        ("binary", "\ud800"),
        ("open", json.dumps(GIT)),
    ):
        grant_file(stamped_root, name).write_bytes(text.encode("utf-8", "surrogatepass"))
    grant_file(stamped_root, "open").chmod(0o666)
    grant_file(stamped_root, "huge").write_bytes(b" " * (1 << 20) + b"{}")
    grant_file(stamped_root, "link").symlink_to("git.json")
    os.link(grant_file(stamped_root, "new"), stamped_root.path + "/second-name") if os.geteuid() else None
    stamp = read_stamp_or_none(stamped_root)
    files = {name: load_policy_file_or_none(stamped_root, name) for name in list_possible_policy_files(stamped_root)}
    states = {name: file.listed_state(stamp) for name, file in files.items() if file is not None}
    assert states == {row.id: row.state for row in read_all_grant_rows(stamped_root)}
    assert set(states.values()) >= {"ok", "differs", "unstamped", "invalid", "unsafe"}
    shown = {name for name, file in files.items() if file is not None and file.data is not None}
    assert shown == states.keys() - {"open", "huge", "link"}


def test_what_others_could_have_written_is_not_shown(found_root: Root) -> None:
    """A file below a directory that everyone can write could be anybody's."""
    Path(found_root.tools_path).chmod(0o777)
    file = load_policy_file_or_none(found_root, "git")
    assert file is not None
    assert file.data is None
    assert file.listed_state(None) == "unsafe"
    assert "chmod" in (file.error.hint if file.error is not None else "")


def test_the_rules_of_hooks_are_a_file_too(found_root: Root) -> None:
    """If they exist: valid or not, stamped or not."""
    path = Path(found_root.policy_path, HOOKS_TOML)
    assert load_policy_file_or_none(found_root, HOOKS_TOML) is None
    path.write_text(HOOKS_TEXT)
    file = load_policy_file_or_none(found_root, HOOKS_TOML)
    assert file is not None
    assert (file.data, file.error, file.listed_state(None)) == (HOOKS_TEXT.encode(), None, "unstamped")
    assert file.listed_state(stamp_grants(found_root)) == "ok"
    path.write_text("format = 99\n")
    file = load_policy_file_or_none(found_root, HOOKS_TOML)
    assert file is not None
    assert file.listed_state(None) == "invalid"
    assert file.data is not None
