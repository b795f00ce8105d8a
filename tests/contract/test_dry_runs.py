"""A dry run answers what the write would answer: it refuses the same, with the same code and the same words."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cortex_policy.manage.emergency_stop import stop_root
from cortex_policy.state import Root
from tests.support.command import run_command
from tests.support.stamps import stamp_grants

# each command with the word that makes it write without a question
COMMANDS = {
    "set": ("set git --rate 3", "--allow-widening"),
    "new": ("new other --allow tree --rate 3", "--allow-widening"),
    "copy": ("copy git other", "--allow-widening"),
    "remove": ("remove git", "--yes"),
    "rename": ("rename git other", "--json"),
    "undo": ("undo git", "--allow-widening"),
    "hook init": ("hook init --agent claude", "--yes"),
}
NOT_DONE = "not done, nothing was changed: "  # a dry run changes nothing anyway
RULES = 'format = 1\n[[rule]]\ntools = ["Read"]\ngrant = "git"\naction = "tree"\n'
Damage = Callable[[Path], object]


def _edit_by_hand(policy: Path) -> None:
    grant = json.loads((policy / "tools/git.json").read_text())
    (policy / "tools/git.json").write_text(json.dumps({**grant, "rate": {"perMinute": 7}}))


def _remove_by_hand(policy: Path) -> None:
    """Remove what `copy`, `new` and `rename` make and `hook init` makes, though it is stamped."""
    (policy / "hooks.toml").write_text(RULES)
    shutil.copy(policy / "tools/git.json", policy / "tools/other.json")
    stamp_grants(Root(str(policy.parent.parent), trusts_owner=False))
    (policy / "hooks.toml").unlink()
    (policy / "tools/other.json").unlink()


def _make_link(policy: Path) -> None:
    (policy / "tools/git.json").rename(policy / "real.json")
    (policy / "tools/git.json").symlink_to("../real.json")


def _newer_stamp(policy: Path) -> None:
    stamp = json.loads((policy / "stamp.json").read_text())
    (policy / "stamp.json").write_text(json.dumps({**stamp, "from_the_future": 1}))


def _replace_others(policy: Path) -> None:
    shutil.copy(policy / "tools/git.json", policy / "tools/other.json")
    (policy / "hooks.toml").write_text(RULES)


DAMAGES: dict[str, Damage] = {
    "nothing": lambda _: None,
    "stop": lambda policy: stop_root(Root(str(policy.parent.parent), trusts_owner=False)),
    "hand edit": _edit_by_hand,
    "removed by hand": _remove_by_hand,
    "missing": lambda policy: (policy / "tools/git.json").unlink(),
    "exists": _replace_others,
    "others can write": lambda policy: (policy / "tools/git.json").chmod(0o646),
    "invalid": lambda policy: (policy / "tools/git.json").write_text('{\n "tool": }'),
    "link": _make_link,
    "broken stamp": lambda policy: (policy / "stamp.json").write_text("{}"),
    "newer stamp": _newer_stamp,
    "no stamp": lambda policy: (policy / "stamp.json").unlink(),
}
OUTCOMES = {
    "nothing": "set 0, new 0, copy 0, remove 0, rename 0, undo 0, hook init 0",
    "stop": "set 0",
    "hand edit": "set 23, copy 23, remove 23, rename 23",
    "removed by hand": "new 23, copy 23, rename 23, hook init 23",
    "missing": "set 20, copy 20, remove 20, rename 20",
    "exists": "new 3, copy 3, rename 3, hook init 3",
    "others can write": "set 22, copy 22, undo 22",
    "invalid": "set 21, copy 21, remove 23, rename 23",
    "link": "set 22, copy 22, remove 22, rename 22, undo 22",
    "broken stamp": "set 23, new 23, copy 23, remove 23, rename 23, undo 23, hook init 23",
    "newer stamp": "set 3, new 3, copy 3, remove 3, rename 3, undo 3, hook init 3",
    "no stamp": "undo 3",
}


def _tree(root: Path) -> dict[str, object]:
    return {str(path): path.is_file() and path.read_bytes() for path in root.rglob("*")}


@pytest.mark.parametrize(
    ("damage", "outcome"), [(damage, one) for damage, outcomes in OUTCOMES.items() for one in outcomes.split(", ")]
)
def test_a_dry_run_refuses_what_the_write_refuses(root: Path, damage: str, outcome: str) -> None:
    """It changes no file, then the write ends with its code and its words."""
    name, code = outcome.rsplit(" ", 1)
    stamp_grants(Root(str(root), trusts_owner=False))
    if name == "undo":
        run_command("set", "git", "--rate", "29")
    DAMAGES[damage](root / ".cortex/policy")
    before = _tree(root)
    words, consent = COMMANDS[name]
    dry = run_command(*words.split(), "--dry-run", code=int(code))
    assert _tree(root) == before
    real = run_command(*words.split(), consent, code=int(code))
    if int(code):
        assert dry.stderr == real.stderr.replace(NOT_DONE, "")
