"""Commands that a hint names for the caller, or for root."""

from pathlib import Path

import pytest

from cortex_policy.core.model import Settings
from cortex_policy.state.audit_errors import AuditLogError
from cortex_policy.state.audit_preflight import check_audit_log_writable
from cortex_policy.state.missing_directory import make_file_creation_error
from cortex_policy.state.users import format_mkdir_command
from tests.support.users import CALLER, by_caller


def test_a_user_who_may_make_the_directory_gets_the_plain_command(tmp_path: Path) -> None:
    """With the directories above it."""
    assert format_mkdir_command(f"{tmp_path}/a b/c") == f"mkdir -p '{tmp_path}/a b/c'"


def test_root_makes_a_directory_for_a_user_who_may_not() -> None:
    """It is that user's; one that `mkdir` made as root would be the next trouble."""
    with by_caller():
        assert format_mkdir_command("/nonexist/a b") == f"sudo install -d -o {CALLER} '/nonexist/a b'"


def test_a_relative_name_is_made_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it was typed, where the caller may write there; a name like an option is none."""
    monkeypatch.chdir(tmp_path)
    assert format_mkdir_command("a/b") == "mkdir -p a/b"
    assert format_mkdir_command("-d", is_private=True) == "mkdir -p -m 700 ./-d"


def test_a_directory_for_a_file_is_made_by_root_where_the_caller_may_not() -> None:
    """`mkdir` would fail there."""
    missing = FileNotFoundError(2, "no such file or directory")
    with by_caller():
        error = make_file_creation_error("/nonexist/key", missing, "it cannot be made", is_private=True)
    assert error.hint == f"make it with `sudo install -d -m 700 -o {CALLER} /nonexist`"


def test_a_log_in_a_directory_of_another_user_is_denied_in_words() -> None:
    """The same words before and at a call."""
    with by_caller(), pytest.raises(AuditLogError, match="permission denied"):
        check_audit_log_writable(Settings(audit_file="/usr/audit.jsonl"))
