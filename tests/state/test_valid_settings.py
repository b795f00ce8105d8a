"""What is valid in settings is read, whatever else is wrong in them, and each wrong thing is an error."""

from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cortex_policy.core.model import GrantError
from cortex_policy.core.settings import PROJECT, USER, resolve_all_settings
from cortex_policy.state.settings import read_layers
from cortex_policy.state.valid_settings import read_valid_layers_and_errors

pytestmark = pytest.mark.usefixtures("settled_settings")
LINES = st.sampled_from([
    'sensitive = "ask"', "require_path = true", "bogus = 1", 'stamp = "maybe"', "state_dir = 3", "locked = []", "[history]",
    "keep = 3", "keep = -1", "[validate]", 'ignore = ["scope-absent"]', "x", '"', "require_path = true",
])  # fmt: skip


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Make the directory of the user's settings, and name the file."""
    file = tmp_path / "config/cortex-policy/config.toml"
    file.parent.mkdir(parents=True)
    return file


def values(place: str, root: str | None = None) -> dict[str, object]:
    """Return what is valid in a place."""
    return next(dict(layer.values) for layer in read_valid_layers_and_errors(root)[0] if layer.place == place)


def test_a_wrong_key_hides_no_right_one(mine: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In each place, with an error for each wrong one."""
    mine.write_text('bogus = 1\nsensitive = "ask"\nstamp = "maybe"\n')
    (root / ".cortex/policy/config.toml").write_text("state_dir = '/x'\nrequire_path = true\n")
    monkeypatch.setenv("CORTEX_POLICY_FOO", "1")
    monkeypatch.setenv("CORTEX_POLICY_HISTORY_KEEP", "7")
    monkeypatch.setenv("CORTEX_AUDIT_LOG", "here")
    layers, errors = read_valid_layers_and_errors(str(root))
    assert (values(USER), values(PROJECT, str(root))) == ({"sensitive": "ask"}, {"require_path": True})
    assert [error.detail.split(": ")[0].rpartition("/")[2].strip("`") for error in errors] == [
        "CORTEX_AUDIT_LOG", "config.toml", "config.toml", "CORTEX_POLICY_FOO", "config.toml",
    ]  # fmt: skip
    assert next(one.effective.value for one in resolve_all_settings(layers) if one.setting.name == "history.keep") == 7


@pytest.mark.parametrize("text", ["sensitive = ask\n", "x" * (1 << 17), "\0", "sensitive = 'ask'\nsensitive = 'ask'\n"])
def test_a_file_that_is_not_toml_gives_no_settings(mine: Path, text: str) -> None:
    """And one error."""
    mine.write_text(text)
    assert (values(USER), len(read_valid_layers_and_errors(None)[1])) == ({}, 1)


def test_a_file_that_others_can_write_gives_no_settings(mine: Path) -> None:
    """They may have written any of it."""
    mine.write_text('sensitive = "ask"\n')
    mine.chmod(0o666)
    (error,) = read_valid_layers_and_errors(None)[1]
    assert (values(USER), "writable by everyone" in error.detail) == ({}, True)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(LINES, max_size=6))
def test_settings_have_an_error_exactly_if_a_check_has_one(mine: Path, lines: list[str]) -> None:
    """Without an error the layers are those of a check."""
    mine.write_text("".join(f"{line}\n" for line in lines))
    found, errors = read_valid_layers_and_errors(None)
    with ExitStack() as stack:
        caught = stack.enter_context(pytest.raises(GrantError)) if errors else None
        assert resolve_all_settings(found) == resolve_all_settings(read_layers(None))
    assert caught is None or str(caught.value) in map(str, errors)
