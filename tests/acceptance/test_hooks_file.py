"""`hooks.toml` is a file of the policy: stamped, in the history, compared, undone and merged as grants are."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.manage.stamp.merge_files import merge_stamps_or_mark_conflict
from cortex_policy.manage.transaction.writer import open_grants_for_write
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from tests.support.command import run_command
from tests.support.hooks import make_scene
from tests.support.stamps import stamp_grants

RULES = b'# what agents may do\nformat = 1\n\n[[rule]]\ntools = ["Read"]\ndecide = "pass"\n'
MORE = RULES.replace(b'"Read"', b'"Read", "Grep"')


@pytest.fixture
def file(root: Path) -> Path:
    """Name the file of a root whose grants are stamped; it does not exist yet."""
    stamp_grants(Root(str(root), trusts_owner=True))
    return root / ".cortex" / "policy" / HOOKS_TOML


def write(file: Path, data: bytes) -> None:
    """Write it as commands do."""
    with open_grants_for_write(Root(str(file.parents[2]), trusts_owner=True), command="hook edit") as writer:
        writer.write(HOOKS_TOML, writer.grants.read(HOOKS_TOML), data)


def test_a_write_of_hooks_toml_is_stamped_beside_the_grants(file: Path) -> None:
    """In a member of its own; the checksum covers it."""
    before = json.loads(Path(file.parent, "stamp.json").read_bytes())
    write(file, RULES)
    after = json.loads(Path(file.parent, "stamp.json").read_bytes())
    assert (after["version"], after["hooks"]) == (2, stamps.compute_content_digest(RULES))
    assert after["grants"] == before["grants"]
    lines = sorted(f"{name} {digest}\n" for name, digest in {**after["grants"], HOOKS_TOML: after["hooks"]}.items())
    assert after["checksum"] == stamps.compute_content_digest("".join(lines).encode())
    run_command("stamp", "verify")


def test_each_write_of_hooks_toml_is_in_the_history_and_can_be_undone(file: Path) -> None:
    """Also the first one, after which there is no such file again."""
    write(file, RULES)
    write(file, MORE)
    entries = json.loads(run_command("log", HOOKS_TOML, "--json").stdout)["entries"]
    assert [(entry["version"], entry["command"]) for entry in entries[:2]] == [(3, "hook edit"), (2, "hook edit")]
    assert run_command("show", HOOKS_TOML, "--at", "2").stdout.encode() == RULES
    run_command("undo", HOOKS_TOML)
    assert file.read_bytes() == RULES
    run_command("undo", "--to", "1")
    assert not file.exists()
    run_command("stamp", "verify")


def test_an_undo_that_widens_needs_consent(file: Path) -> None:
    """As every other way to more."""
    write(file, MORE)
    write(file, RULES)
    assert "widen" in run_command("undo", HOOKS_TOML, code=3).stderr
    run_command("undo", HOOKS_TOML, "--allow-widening")
    assert file.read_bytes() == MORE


def test_a_hand_edit_of_hooks_toml_is_reported_and_can_be_undone(file: Path) -> None:
    """Or is accepted."""
    write(file, RULES)
    file.write_bytes(MORE)
    assert HOOKS_TOML in run_command("stamp", "verify", code=1).stdout
    assert f"{HOOKS_TOML}: warning: `{HOOKS_TOML}` does not match its stamp" in run_command("validate").stdout
    assert HOOKS_TOML in run_command("status").stdout
    change = json.loads(run_command("diff", HOOKS_TOML, "--against", "stamp", "--json").stdout)["changes"]
    assert [(one["id"], one["verdict"]) for one in change] == [(HOOKS_TOML, "widened")]
    run_command("undo")
    assert file.read_bytes() == RULES
    file.write_bytes(MORE)
    run_command("stamp", "write", code=3)
    run_command("stamp", "write", "--allow-widening")
    run_command("stamp", "verify")
    run_command("undo")
    assert file.read_bytes() == RULES


def test_an_invalid_hooks_toml_is_never_stamped(file: Path) -> None:
    """A hook denies every call then."""
    write(file, RULES)
    file.write_bytes(RULES.replace(b"tools", b"tool"))
    assert "hooks.toml:4:" in run_command("stamp", "write", "--allow-widening", code=21).stderr


def test_hooks_toml_is_compared_with_a_revision(file: Path, root: Path) -> None:
    """With the grants, or alone."""

    def git(*words: str) -> None:
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x", *words], cwd=root, check=True, capture_output=True
        )

    write(file, RULES)
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "x")
    assert "unchanged" in run_command("diff", "--against", "HEAD").stdout
    write(file, MORE)
    for words in ((), (HOOKS_TOML,)):
        done = run_command("diff", *words, "--against", "HEAD", "--fail-on", "widened", code=1)
        assert "Read, Grep" in done.stdout


def test_two_of_them_are_compared(file: Path, tmp_path: Path) -> None:
    """By name or by file, but not with a grant."""
    write(file, RULES)
    other = tmp_path / "other" / HOOKS_TOML
    other.parent.mkdir()
    other.write_bytes(MORE)
    assert "hooks.toml\toverall\twidened" in run_command("diff", HOOKS_TOML, str(other)).stdout
    assert "narrowed" in run_command("diff", str(other), str(file)).stdout
    assert "only one of them is a grant" in run_command("diff", "git", HOOKS_TOML, code=2).stderr


def test_two_stamps_with_hooks_toml_are_merged(file: Path) -> None:
    """Each side's change is taken; both sides' is a conflict."""
    base = Path(file.parent, "stamp.json").read_bytes()
    write(file, RULES)
    ours = Path(file.parent, "stamp.json").read_bytes()
    merged = merge_stamps_or_mark_conflict(base, ours, base)
    assert stamps.parse_stamp(merged.data).digests[HOOKS_TOML] == stamps.compute_content_digest(RULES)
    write(file, MORE)
    theirs = Path(file.parent, "stamp.json").read_bytes()
    assert HOOKS_TOML in merge_stamps_or_mark_conflict(base, ours, theirs).conflict


@pytest.mark.parametrize(
    "words", [("check", HOOKS_TOML, "x"), ("edit", HOOKS_TOML), ("set", HOOKS_TOML, "--rate", "3")]
)
def test_no_grant_can_be_called_hooks_toml(file: Path, words: tuple[str, ...]) -> None:
    """Not even one whose file has it."""
    grant = Path(file.parent, "tools", f"{HOOKS_TOML}.json")
    grant.write_text('{"tool": "t", "actions": ["x"], "rate": {"perMinute": 1}}')
    assert "hook edit" in run_command(*words, code=20).stderr
    assert "rename the grant" in run_command("validate").stdout


def test_where_a_stamp_is_required_a_hand_edit_denies_every_call(root: Path, tmp_path: Path) -> None:
    """Until it is undone; a write by a command denies none."""
    top = tmp_path / "top"
    top.mkdir()
    scene = make_scene(root, top)
    (scene.policy / "config.toml").write_text('stamp = "require"\n')
    stamp_grants(Root(str(root), trusts_owner=True))
    assert scene.ask("claude").code == 0
    scene.rules.write_text(scene.rules.read_text() + "# by hand\n")
    answer = scene.ask("claude")
    assert answer.code == 2
    assert b"stamp" in answer.err
    run_command("undo", HOOKS_TOML, "--allow-widening")
    assert scene.ask("claude").code == 0
    write(scene.rules, scene.rules.read_bytes() + b"# by a command\n")
    assert scene.ask("claude").code == 0


def test_hooks_toml_needs_no_grants_beside_it(root: Path) -> None:
    """Git keeps no empty directory: without one it is stamped, verified and undone all the same."""
    policy = root / ".cortex" / "policy"
    shutil.rmtree(policy / "tools")
    (policy / HOOKS_TOML).write_bytes(RULES)
    run_command("stamp", "write", "--allow-widening")
    stamp = json.loads((policy / "stamp.json").read_bytes())
    assert (stamp["grants"], stamp["hooks"]) == ({}, stamps.compute_content_digest(RULES))
    run_command("stamp", "verify")
    (policy / HOOKS_TOML).write_bytes(MORE)
    assert HOOKS_TOML in run_command("stamp", "verify", code=1).stdout
    run_command("stamp", "write", "--allow-widening")
    run_command("undo")
    assert (policy / HOOKS_TOML).read_bytes() == RULES
