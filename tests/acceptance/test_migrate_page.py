"""The page for users of the original package: its rows are the original's recorded answers, and ours."""

import json
import re
from pathlib import Path

import pytest

from tests.support.checkout import page
from tests.support.command import result_of

PAGE = page("migrate")
CALLS = [
    (json.loads(scope), action, json.loads(args), original, here)
    for scope, action, args, original, here in re.findall(
        r"^\| `(\[.*?\])` \| `(\w+)` \| `({.*?})` \| ([^|]+) \| ([^|]+) \|", PAGE, re.MULTILINE
    )
]
FILES = re.findall(r"^\| `({.*})` \| (\w+) \| ([^|]+) \|", PAGE, re.MULTILINE)
ALLOWED, SCOPE, ACTION = "allowed", "path not within fsScope", "action not allowed"
OPEN, DOCS = json.dumps([]), json.dumps(["docs"])
# what `enforce` of the original's packages/policy/src/index.ts returned or threw under Node 20, run with each call
RECORDED = {
    (DOCS, "read", '{"path": "docs/x"}'): ALLOWED,
    (DOCS, "write", '{"path": "docs/x"}'): ACTION,
    (DOCS, "read", '{"path": "docs/../x"}'): SCOPE,
    (DOCS, "read", '{"path": "docs/link/passwd"}'): ALLOWED,
    (DOCS, "read", '{"path": ""}'): ALLOWED,
    (DOCS, "read", '{"path": "~/docs"}'): SCOPE,
    (DOCS, "read", '{"path": 7}'): ALLOWED,
    (DOCS, "read", '{"path": ["/etc/passwd"]}'): ALLOWED,
    (DOCS, "read", '{"path": "docs/x", "targetPath": "/etc/x"}'): ALLOWED,
    (DOCS, "read", '{"targetPath": "/etc/x"}'): SCOPE,
    (DOCS, "read", '{"file": "/etc/passwd"}'): ALLOWED,
    (DOCS, "read", '{"options": {"path": "/etc/passwd"}}'): ALLOWED,
    (DOCS, "read", "{}"): ALLOWED,
    (DOCS, "read", '{"n": "many"}'): ALLOWED,
    ('["docs/"]', "read", '{"path": "docs"}'): SCOPE,
    (DOCS, "read", '{"path": "docs "}'): SCOPE,
    ('[""]', "read", '{"path": "."}'): ALLOWED,
    ('["../other"]', "read", '{"path": "../other/x"}'): ALLOWED,
    ('["docs/**"]', "read", '{"path": "docs/x"}'): SCOPE,
    ('[".cortex"]', "read", '{"path": ".cortex/policy/tools/files.json"}'): ALLOWED,
    (OPEN, "read", '{"path": ".cortex/policy/tools/files.json"}'): ALLOWED,
    (OPEN, "read", '{"path": "/etc/passwd"}'): ALLOWED,
    (OPEN, "read", '{"path": "https://example.org/x"}'): ALLOWED,
}
# what its `loadGrant` did with each file: whether it returned a grant
LOADED = ["loads", "loads", "loads", "loads", "fails", "fails", "fails", "fails"]


def test_the_page_gives_the_recorded_answers_of_the_original() -> None:
    """Each row of both tables, and no other."""
    rows = {
        (json.dumps(scope), action, json.dumps(args)): original.strip() for scope, action, args, original, _ in CALLS
    }
    assert rows == RECORDED
    assert [original for _, original, _ in FILES] == LOADED


@pytest.mark.parametrize(("scope", "action", "args", "original", "here"), CALLS)
def test_a_call_is_answered_as_the_page_says(
    root: Path, scope: list[str], action: str, args: dict[str, object], original: str, here: str
) -> None:
    """The text of a denial is the one that the page gives; `docs/` alone allows what the original denied."""
    grant = {
        "tool": "files",
        "actions": ["read"],
        "args": {"n": {"type": "integer"}},
        "rate": {"perMinute": 30},
        "fsScope": scope,
    }
    (root / ".cortex" / "policy" / "tools" / "files.json").write_text(json.dumps(grant))
    done = result_of("check", "files", action, "--args", json.dumps(args), "--json")
    answer = json.loads(done.stdout)
    assert answer["message"].partition(": ")[0] == here.strip()
    assert answer["decision"] == (here.strip() == ALLOWED)
    assert original.strip() == ALLOWED or not answer["decision"] or scope == ["docs/"]


@pytest.mark.parametrize(("text", "original", "here"), FILES)
def test_a_file_loads_as_the_page_says(root: Path, text: str, original: str, here: str) -> None:
    """Whatever the original rejects is rejected."""
    (root / ".cortex" / "policy" / "tools" / "files.json").write_text(text)
    answer = json.loads(result_of("check", "files", "a", "--json").stdout)
    assert answer["message"].partition(": ")[0].replace("allowed", "loads") == here.strip()
    assert original == "loads" or not answer["decision"]
