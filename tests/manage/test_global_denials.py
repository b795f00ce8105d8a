"""What denies every check of a root is found without a check, and is what each check then answers."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from cortex_policy.manage.global_denials import find_global_denials
from cortex_policy.state import Root
from cortex_policy.state.grants import find_named_or_only_root
from tests.support.command import result_of, run_command
from tests.support.users import by_caller

POLICY = Path(".cortex/policy")


def _stop() -> None:
    (POLICY / "stop").write_text("the token leaked\n")


def _settings() -> None:
    (POLICY / "config.toml").write_text("bogus = 1\n")


def _variable() -> None:
    os.environ["CORTEX_POLICY_FOO"] = "1"


def _modes() -> None:
    (POLICY / "tools").chmod(0o777)


def _link() -> None:
    POLICY.rename("real")
    POLICY.symlink_to(Path("real").absolute())


def _stamp() -> None:
    os.environ["CORTEX_POLICY_STAMP"] = "require"


def _broken_stamp() -> None:
    _stamp()
    (POLICY / "stamp.json").write_text("{")


def _log() -> None:
    os.environ["CORTEX_AUDIT_LOG"] = "/nonexist/audit.jsonl"


def _log_of_others() -> None:
    log = Path("log").absolute()
    log.touch()
    log.chmod(0o666)
    os.environ["CORTEX_AUDIT_LOG"] = str(log)


def _full_log() -> None:
    os.environ["CORTEX_AUDIT_LOG"] = "/dev/full"


def _state_of_others() -> None:
    Path(os.environ["CORTEX_POLICY_STATE_DIR"]).chmod(0o777)


def _relative_state() -> None:
    os.environ["CORTEX_POLICY_STATE_DIR"] = "state"


def _no_place_for_state() -> None:
    os.environ["CORTEX_POLICY_STATE_DIR"] = "/nonexist/state"


WRONG: dict[str, tuple[Callable[[], None], int]] = {
    "stop": (_stop, 15), "settings": (_settings, 27), "variable": (_variable, 27), "modes": (_modes, 22), "link": (_link, 22),
    "no stamp": (_stamp, 23), "broken stamp": (_broken_stamp, 23), "no directory for the log": (_log, 24),
    "log of others": (_log_of_others, 24), "log is a device": (_full_log, 24), "state of others": (_state_of_others, 24),
    "relative state": (_relative_state, 24), "no place for state": (_no_place_for_state, 24),
}  # fmt: skip


@pytest.fixture(autouse=True)
def here(root: Path) -> Iterator[Root]:
    """Stand in a root; what a test sets in the environment goes again."""
    assert root.is_dir()
    with patch.dict(os.environ):
        yield find_named_or_only_root()


@pytest.mark.parametrize(("wrong", "code"), WRONG.values(), ids=WRONG)
def test_every_reported_denial_is_that_of_each_check(here: Root, wrong: Callable[[], None], code: int) -> None:
    """With a hint, and nothing else is found; where nothing is wrong, checks are allowed."""
    assert not find_global_denials(here)
    assert result_of("check", "model-gateway", "chat", "--peek").returncode == 0
    wrong()
    found = find_global_denials(here)
    answer = json.loads(run_command("check", "model-gateway", "chat", "--json", code=code).stdout)
    assert [error.exit_code for error in found.errors] + [15 for _ in found.stops] == [code]
    assert len(found.sentences) == len(found.hints) == 1
    assert all(found.hints)
    for error in found.errors:
        assert error.detail in answer["message"]


@pytest.mark.parametrize(("wrong", "code"), WRONG.values(), ids=WRONG)
@pytest.mark.usefixtures("here")
def test_list_show_and_validate_say_it_first(wrong: Callable[[], None], code: int) -> None:
    """Programs find it in JSON; the report of `validate` has what is wrong with files."""
    wrong()
    said = "stopped by " if code == 15 else f"; every check answers {code}"
    assert said in result_of("list").stderr.splitlines()[0]
    if wrong is not _link:  # then there is no grant to show
        assert said in result_of("show", "git").stdout.splitlines()[0]
        members = json.loads(run_command("list", "--json").stdout)
        assert (members["stopped"] is None) == (code != 15)
        assert [one["exit_code"] for one in members["denied"]] == ([] if code == 15 else [code])
    validated = result_of("validate")
    is_in_report = "[settings-invalid]" in validated.stdout or "[file-un" in validated.stdout
    assert is_in_report or said in validated.stderr.splitlines()[0]


def test_looking_for_denials_writes_nothing(here: Root, state: Path, tmp_path: Path) -> None:
    """Neither state nor a log, which might then belong to the wrong user."""
    state.rmdir()
    os.environ["CORTEX_AUDIT_LOG"] = str(tmp_path / "log")
    before = sorted(tmp_path.rglob("*"))
    assert not find_global_denials(here)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_log_that_may_fail_and_a_stamp_that_is_not_required_deny_nothing(here: Root) -> None:
    """They are wrong all the same, and other commands say so."""
    os.environ["CORTEX_AUDIT_LOG"] = "/nonexist/audit.jsonl"
    (POLICY / "stamp.json").write_text("{")
    os.environ["CORTEX_POLICY_AUDIT_ON_ERROR"] = "ignore"
    assert not find_global_denials(here)


def test_all_denials_are_found_at_once(here: Root) -> None:
    """To fix one must not bring up the next; what depends on unknown settings is unknown."""
    _stop()
    _modes()
    _log()
    _state_of_others()
    found = find_global_denials(here)
    assert len(found.stops) == 1
    assert [error.exit_code for error in found.errors] == [22, 24, 24]
    _settings()
    assert [error.exit_code for error in find_global_denials(here).errors] == [27, 22]


def test_a_place_that_only_another_user_may_write_is_found(own: Path, state: Path) -> None:
    """By the effective user, who may not be the real one."""
    with by_caller():
        os.environ["CORTEX_POLICY_STATE_DIR"] = str(state / "below")
        (error,) = find_global_denials(Root(str(own), trusts_owner=True)).errors
        assert (error.exit_code, "permission denied" in str(error)) == (24, True)
        os.environ["CORTEX_POLICY_STATE_DIR"] = "/dev/shm/cortex-policy-test"  # noqa: S108 - never made
        assert not find_global_denials(Root(str(own), trusts_owner=True))
