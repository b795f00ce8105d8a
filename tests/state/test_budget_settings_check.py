"""Budgets of many hosts need a name and a key, and no project may choose where it is counted."""

from pathlib import Path

import pytest

from cortex_policy import PolicyStore, enforce, load_grant
from cortex_policy.core.model import GrantError, Settings, StateError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.settings import BY_NAME, PROJECT, SYSTEM, USER, find_setting_name_of_field
from cortex_policy.manage.diff.settings import compare_settings_texts_or_none
from cortex_policy.manage.settings.write import SettingsFile, remove_setting_from_file, write_setting_to_file
from cortex_policy.state.enforcement import load_effective_settings
from cortex_policy.state.grants import find_named_or_only_root
from tests.support.command import result_of, run_command
from tests.support.stamps import agree

BATCH = '{"grant": "git", "action": "tree", "args": {"path": "docs/x"}}\n'
SECRET = "pa55-w0rd"  # noqa: S105 - looked for in texts
WHOLE = 'url = "redis://127.0.0.1:1"\nname = "fleet"\nkey_file = "/etc/key"\n'
NAMES = [name for name in BY_NAME if name.startswith("budgets.")]


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Make the directory of the user's settings, and name the file."""
    file = tmp_path / "config/cortex-policy/config.toml"
    file.parent.mkdir(parents=True)
    return file


def settings_of(mine: Path, text: str, root: Path) -> Settings:
    """Write the user's settings, and return what is effective for a check."""
    mine.write_text(f"[budgets]\n{text}")
    return load_effective_settings(str(root))


def test_each_field_of_budgets_has_the_value_of_its_setting(mine: Path, root: Path) -> None:
    """Also from the copy that the second check reads."""
    more = 'password_file = "/p"\ntimeout_ms = 20\non_error = "local"\nlocal_share = 0.25\nwait_replicas = 1\n'
    first = settings_of(mine, WHOLE + more, root)
    assert first == load_effective_settings(str(root))
    fields = {field: getattr(first, field) for field in Settings.__match_args__ if field.startswith("budgets_")}
    assert sorted(map(find_setting_name_of_field, fields)) == sorted(NAMES)
    assert list(fields.values()) == ["redis://127.0.0.1:1", "fleet", "/etc/key", "/p", 20, "local", 0.25, 1]


@pytest.mark.parametrize(
    ("missing", "text"),
    [
        ("name", 'url = "redis://a"\nkey_file = "/k"\n'), ("key_file", 'url = "redis://a"\nname = "x"\n'),
        ("local_share", f'{WHOLE}on_error = "local"\n'), ("local_share", f'{WHOLE}on_error = "local"\nlocal_share = 0\n'),
    ],
)  # fmt: skip
def test_a_server_without_what_all_hosts_must_agree_on_denies_every_call(
    mine: Path, root: Path, missing: str, text: str
) -> None:
    """With 27, the file, and the command that sets it; every command that shows settings says the same."""
    with pytest.raises(GrantError, match=rf"budgets.{missing}` is not") as caught:
        settings_of(mine, text, root)
    assert (caught.value.exit_code, str(mine) in caught.value.detail) == (27, True)
    assert f"config set budgets.{missing} " in caught.value.hint
    for words in (("check", "git", "tree", "--path", "docs/x"), ("config", "list")):
        assert f"budgets.{missing}` is not" in run_command(*words, code=27).stderr
    assert f"budgets.{missing}` is not" in run_command("validate", code=1).stdout


@pytest.mark.parametrize("value", [0, 10_001, 10**17])
def test_a_time_that_no_server_meets_or_nobody_waits_for_is_refused(mine: Path, root: Path, value: int) -> None:
    """With 27 and what is possible."""
    with pytest.raises(GrantError, match=f"timeout_ms` is `{value}`") as caught:
        settings_of(mine, f"{WHOLE}timeout_ms = {value}\n", root)
    assert (caught.value.exit_code, caught.value.hint) == (27, "it must be from 1 to 10000")


def test_without_a_server_the_other_settings_of_budgets_decide_nothing(mine: Path, root: Path) -> None:
    """They may be set first, one after the other."""
    assert settings_of(mine, 'on_error = "local"\nlocal_share = 1\n', root).budgets_url is None
    run_command("check", "git", "tree", "--path", "docs/x")


def test_a_server_is_set_last_and_its_name_is_not_taken_away(mine: Path, root: Path) -> None:
    """Else every check in between would be denied."""
    assert root.is_dir()
    target = SettingsFile(USER, find_named_or_only_root())
    with pytest.raises(NotDoneError, match="every check would answer 27"):
        write_setting_to_file(target, "budgets.url", "redis://a", agree)
    key = mine.parent / "key"
    for name, value in (("name", "x"), ("key_file", str(key))):
        assert write_setting_to_file(target, f"budgets.{name}", value, agree)
    for text, why in (("", "no such file"), ("short", "bytes")):
        key.write_text(text) if text else None
        key.chmod(0o600) if text else None
        with pytest.raises(NotDoneError, match=f"every check would answer 24: .*{why}"):
            write_setting_to_file(target, "budgets.url", "redis://a", agree)
    key.write_bytes(bytes(32))
    assert write_setting_to_file(target, "budgets.url", "redis://a", agree)
    with pytest.raises(NotDoneError, match=r"budgets\.name` is not"):
        remove_setting_from_file(target, "budgets.name", agree)
    assert 'name = "x"' in mine.read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_project_sets_nothing_about_where_it_is_counted(root: Path, name: str) -> None:
    """Neither another server nor another name, key, wait or share: such a file denies every call."""
    value = {
        "timeout_ms": "1",
        "wait_replicas": "0",
        "local_share": "1",
        "on_error": '"local"',
        "url": '"redis://mine"',
    }
    (root / ".cortex/policy/config.toml").write_text(f"{name} = {value.get(name.partition('.')[2], repr('/x'))}\n")
    done = run_command("check", "git", "tree", "--path", "docs/x", code=27)
    assert f"`{name}` cannot be set by the project" in done.stderr
    assert PROJECT not in BY_NAME[name].places
    assert f"cannot be set by the {PROJECT}" in run_command("config", "set", name, "x", "--project", code=2).stderr


def test_a_lock_of_the_system_keeps_the_environment_from_naming_another_server(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor may it choose to count by itself."""
    system = tmp_path / "etc"
    system.mkdir()
    monkeypatch.setattr("cortex_policy.state.SYSTEM_SETTINGS", str(system))
    locked = 'locked = ["budgets.url", "budgets.name", "budgets.on_error"]\n[budgets]\non_error = "deny"\n'
    (system / "config.toml").write_text(locked + WHOLE)
    for name, value in (("URL", "redis://other"), ("NAME", "other"), ("ON_ERROR", "local"), ("LOCAL_SHARE", "1")):
        monkeypatch.setenv(f"CORTEX_POLICY_BUDGETS_{name}", value)
    settings = load_effective_settings(str(root))
    assert (settings.budgets_url, settings.budgets_name) == ("redis://127.0.0.1:1", "fleet")
    assert settings.budgets_on_error == "deny"


@pytest.mark.parametrize("text", [f'[budgets]\nurl = "redis://u:{SECRET}@a"\n', f'budgets.password = "{SECRET}"\n'])
@pytest.mark.parametrize("more", ["", "=\n"])  # not even TOML
@pytest.mark.usefixtures("root")
def test_no_command_prints_a_password_that_somebody_wrote_into_a_file(mine: Path, text: str, more: str) -> None:
    """It is refused, by name."""
    mine.write_text(text + more)
    for words in (
        ("check", "git", "tree", "--path", "docs/x"), ("config", "list"), ("config", "list", "--json"), ("config", "get", "budgets.url"),
        ("status",), ("status", "--json"), ("validate",), ("validate", "--output", "json"), ("list",),
    ):  # fmt: skip
        done = result_of(*words)
        assert (done.stdout + done.stderr).strip()
        assert SECRET not in done.stdout + done.stderr


@pytest.mark.usefixtures("root")
def test_no_command_prints_a_password_of_a_variable_or_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable for it is none of the settings."""
    url = f"redis://:{SECRET}@a"
    done = run_command("config", "set", "budgets.url", url, code=2)
    assert "without a password" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    monkeypatch.setenv("CORTEX_POLICY_BUDGETS_PASSWORD", SECRET)
    run_command("check", "git", "tree", "--path", "docs/x")
    assert SECRET not in run_command("config", "list", "--json").stdout
    monkeypatch.setenv("CORTEX_POLICY_BUDGETS_URL", url)
    done = run_command("check", "git", "tree", "--path", "docs/x", code=27)
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ("", WHOLE, None), (WHOLE, "", "widened"), (WHOLE, WHOLE.replace("fleet", "other"), "widened"),
        (WHOLE, WHOLE.replace("/etc/key", "/etc/other"), "widened"), (WHOLE, WHOLE.replace(":1", ":2"), "widened"),
        (WHOLE, f'{WHOLE}on_error = "local"\n', "widened"), (f'{WHOLE}on_error = "local"\n', WHOLE, "narrowed"),
        ("local_share = 0.25\n", "local_share = 0.5\n", "widened"), ("local_share = 0.5\n", "local_share = 0.25\n", "narrowed"),
        (WHOLE, f"{WHOLE}timeout_ms = 20\n", None), ("wait_replicas = 1\n", "", "widened"), ("", "wait_replicas = 1\n", "narrowed"),
    ],
)  # fmt: skip
def test_what_takes_a_host_away_from_the_others_widens(before: str, after: str, verdict: str | None) -> None:
    """`config set` then asks."""
    comparison = compare_settings_texts_or_none(
        SYSTEM, "f", *(f"[budgets]\n{text}".encode() for text in (before, after))
    )
    assert (comparison.verdict if comparison is not None else None) == verdict


def test_no_path_of_a_call_leads_to_the_key_or_the_password(mine: Path, root: Path) -> None:
    """Not even if the operator put them into the root."""
    (root / "docs/key").write_bytes(bytes(32))
    mine.write_text(f'[budgets]\nkey_file = "{root}/docs/key"\npassword_file = "{root}/docs/password"\n')
    for name in ("key", "password"):
        assert "docs/" in run_command("check", "git", "tree", "--path", f"docs/{name}", code=12).stderr


def test_no_call_is_counted_on_this_host_alone_if_a_server_is_named(mine: Path, root: Path) -> None:
    """Neither by a check, a batch nor a store: it cannot be asked, and so it is denied."""
    mine.write_text(f"[budgets]\n{WHOLE}")
    for words, given in ((("check", "git", "tree", "--path", "docs/x"), None), (("check", "--batch", "-"), BATCH)):
        run_command(*words, given=given, code=24)
    with PolicyStore(root) as store, pytest.raises(StateError):
        store.enforce("git", "tree", {"path": "docs/x"})
    with pytest.raises(StateError):
        enforce(load_grant("git"), "tree", {"path": "docs/x"})
