"""`rate --user`: root sees and resets the budgets of another user, as that user."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cortex_policy.state import Root, find_default_rate_state_directory, read_boot_id
from cortex_policy.state.enforcement import resolve_paths_decide_and_take_hit
from cortex_policy.state.grants import find_named_or_only_root, read_grant
from cortex_policy.state.ledger import format_budget_directory_name
from tests.support.command import PROGRAM, process_of, run_command
from tests.support.terminal import Terminal
from tests.support.users import CALLER, by_caller

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
THEIRS = f"/dev/shm/cortex-policy-{CALLER}"  # noqa: S108 - the default


@pytest.fixture
def used(own: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Root]:
    """Use a budget three times as another user, whose state is in the default directory."""
    monkeypatch.delenv("CORTEX_POLICY_STATE_DIR")
    root = find_named_or_only_root(str(own))
    status = own.stat()
    budgets = Path(THEIRS, format_budget_directory_name((status.st_dev, status.st_ino), read_boot_id()))
    with by_caller():
        assert find_default_rate_state_directory() == THEIRS
        for _ in range(3):
            assert resolve_paths_decide_and_take_hit(read_grant(root, "git"), "tree", {})
    yield root
    shutil.rmtree(budgets)
    with suppress(OSError):  # another test uses it
        Path(THEIRS).rmdir()


def left(root: Root, *words: str, **variables: str) -> tuple[int, dict[str, object]]:
    """Return how often `git tree` was called by the user of these words, and all that is printed."""
    done = process_of("rate", "show", "git", "--json", "--root", root.path, *words, **variables)
    assert done.returncode == 0, done
    shown = json.loads(done.stdout)
    return shown["budgets"][0]["used"], shown


def test_root_sees_its_own_budgets_and_who_else_has_some(used: Root, tmp_path: Path) -> None:
    """With the command that shows them."""
    count, shown = left(used, CORTEX_POLICY_STATE_DIR=str(tmp_path / "state"))
    assert count == 0
    assert (shown["user"], shown["uid"], shown["state_dir"]) == ("root", 0, str(tmp_path / "state"))
    assert shown["other_users"] == [{"uid": CALLER, "user": None, "state_dir": THEIRS}]
    said = run_command("rate", "show", "--root", used.path, CORTEX_POLICY_STATE_DIR=str(tmp_path / "state")).stderr
    assert said.splitlines() == [
        f"budgets of root (uid 0), in {tmp_path / 'state'}",
        f"note: also counted by uid {CALLER}: `cortex-policy rate show --user {CALLER} --root {used.path}`",
    ]


def test_status_of_root_names_the_command_that_shows_what_the_other_user_finds(used: Root) -> None:
    """Checks of a service are denied by settings that root does not have."""
    command = f"`sudo -u '#{CALLER}' cortex-policy status --root {used.path}`"
    _, _, hint, *_ = run_command("status", "--root", used.path).stdout.splitlines()
    assert hint == f"hint       uid {CALLER} may have other settings: {command}"


def test_root_sees_and_resets_the_budgets_of_a_user(used: Root) -> None:
    """It is said whose they are; the next call of that user finds a full budget."""
    count, shown = left(used, "--user", str(CALLER))
    assert (count, shown["uid"], shown["state_dir"], shown["other_users"]) == (3, CALLER, THEIRS, [])
    refused = process_of("rate", "reset", "git", "--root", used.path, "--user", str(CALLER))
    assert (refused.returncode, "--yes" in refused.stderr) == (3, True)
    done = process_of("rate", "reset", "git", "--root", used.path, "--user", str(CALLER), "--yes")
    assert (done.returncode, done.stdout) == (0, f"reset for uid {CALLER}: tree\n")
    assert done.stderr == f"budgets of uid {CALLER}, in {THEIRS}\n"
    assert left(used, "--user", str(CALLER))[0] == 0
    assert Path(THEIRS).stat().st_uid == CALLER


def test_a_purge_for_a_user_removes_the_state_of_that_user(used: Root) -> None:
    """As a reset is."""
    done = process_of("rate", "purge", "--root", used.path, "--user", str(CALLER), "--yes")
    assert (done.returncode, done.stdout) == (0, f"removed 1 file of uid {CALLER}\n")
    assert left(used, "--user", str(CALLER))[0] == 0


def test_no_work_for_another_user_is_done_as_root(used: Root, tmp_path: Path) -> None:
    """What only root may read or write is refused, also where the user's settings or variables lead there."""
    secret = tmp_path / "secret"
    secret.mkdir(mode=0o700)
    refused = process_of(
        "rate", "show", "--root", used.path, "--user", str(CALLER), CORTEX_POLICY_STATE_DIR=str(secret)
    )
    assert refused.returncode == 0
    assert refused.stdout.count("permission denied") == 3
    (secret / "kept").touch()
    words = ("rate", "purge", "--root", used.path, "--user", str(CALLER), "--yes")
    assert process_of(*words, CORTEX_POLICY_STATE_DIR=str(secret)).returncode == 24
    assert (secret / "kept").exists()


def test_settings_of_root_do_not_apply_to_the_user(used: Root, tmp_path: Path) -> None:
    """Root's name a directory of root's."""
    settings = tmp_path / "config/cortex-policy/config.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f'state_dir = "{tmp_path}/state"\n')
    assert left(used)[1]["state_dir"] == f"{tmp_path}/state"
    assert left(used, "--user", str(CALLER))[1]["state_dir"] == THEIRS


def test_a_watch_draws_as_the_user_and_ends_with_a_key(used: Root) -> None:
    """The terminal is as it was before."""
    terminal = Terminal("rate", "watch", "--root", used.path, "--user", str(CALLER), columns=100)
    terminal.expect(f"budgets of uid {CALLER}, in {THEIRS}")
    terminal.expect("3/30")
    terminal.press("q")
    assert terminal.end()[0] == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 3)])
def test_a_watch_that_is_ended_leaves_no_process(used: Root, number: int, code: int) -> None:
    """Ctrl-C reaches both processes; what ends the first is passed on."""
    words = [*PROGRAM, "rate", "watch", "git", "--root", used.path, "--user", str(CALLER)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline() == "git tree: 3 of 30 used\n"
        if number == signal.SIGINT:
            os.killpg(watch.pid, number)
        else:
            watch.send_signal(number)
        assert watch.wait(timeout=60) == code
        with pytest.raises(ProcessLookupError):  # noqa: PT012 - the child may take a moment to end
            for _ in range(100):
                os.killpg(watch.pid, 0)
                time.sleep(0.1)


@pytest.mark.parametrize(
    ("name", "said"),
    [("nobody-of-this-name", "unknown user `nobody-of-this-name`"), (str((1 << 32) - 1), "unknown user"), ("-1", "unknown user")],
)  # fmt: skip
def test_an_unknown_user_is_a_usage_error(used: Root, name: str, said: str) -> None:
    """Among them the number that the kernel takes for `unchanged`: root would stay root."""
    done = run_command("rate", "show", "--root", used.path, f"--user={name}", code=2)
    assert said in done.stderr
    assert not done.stdout


def test_root_needs_no_child_process_for_its_own_state(used: Root, state: Path) -> None:
    """By name or number."""
    for name in ("root", "0"):
        done = run_command(
            "rate", "show", "--json", "--root", used.path, "--user", name, CORTEX_POLICY_STATE_DIR=str(state)
        )
        assert json.loads(done.stdout)["uid"] == 0


def test_only_root_can_act_as_another_user(used: Root) -> None:
    """The hint says how to ask for it."""
    with by_caller():
        done = run_command("rate", "show", "--root", used.path, "--user", "0", code=3)
        assert "only root can act as another user" in done.stderr
        assert run_command("rate", "show", "--root", used.path, "--user", str(CALLER)).returncode == 0
