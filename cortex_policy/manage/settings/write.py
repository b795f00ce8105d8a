"""Change settings: the new file is checked as a whole, and replaces the old one at once."""

import os
from contextlib import contextmanager

from cortex_policy.core import Value
from cortex_policy.core.compare.verdicts import widens
from cortex_policy.core.model import UsageError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.settings import (
    CODES,
    LOCKED,
    PROJECT,
    SUPPRESSIONS,
    SYSTEM,
    USER,
    Setting,
    parse_setting_or_text,
)
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.diff.grants import wrap_settings_comparison_as_grant_diff
from cortex_policy.manage.diff.settings import compare_settings_texts_or_none
from cortex_policy.manage.path_names import find_existing_part
from cortex_policy.manage.settings.consequences import find_new_global_denial_error_or_none
from cortex_policy.manage.settings.effective import find_setting_definition
from cortex_policy.manage.settings.record import make_settings_change_record
from cortex_policy.manage.settings.toml_edit import UNSET, set_or_unset_setting_in_text
from cortex_policy.manage.validation.rule_selection_and_suppressions import check_codes_in_settings
from cortex_policy.schema.rule_catalog import expand_code_or_group
from cortex_policy.state import Root, git_ignore
from cortex_policy.state.atomic_write import remove_leftover_temporary_files, replace_file_atomically
from cortex_policy.state.control_command_record import CommandRecorder
from cortex_policy.state.inherited_attributes import ROOT
from cortex_policy.state.safe_directories import is_private_path
from cortex_policy.state.settings import (
    NAME,
    decode_layer,
    find_settings_directory_of_place,
    find_settings_file_of_place,
    open_settings_directory,
    read_settings_bytes_or_none,
    read_stable_settings_bytes,
)
from cortex_policy.state.settings_errors import quote_value
from cortex_policy.state.writer_lock import NO_WAIT, LockHolderText, LockWait, acquire_lock, hold_writer_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cortex_policy.manage.diff.grants import GrantDiff

    ShowAndAsk = Callable[
        [GrantDiff], None
    ]  # prints the change, but not for JSON, and asks; raises if the answer is no
    LockedDirectory = tuple[int, Callable[[], None]]

PRIVATE_MODE, PUBLIC_MODE = 0o600, 0o644


class SettingsFile(Value):
    """The settings file of a place: system, user or project."""

    place: str
    root: Root | None = None

    @property
    def root_path(self) -> str | None:
        """The path of the project's root, None without a root."""
        return self.root.path if self.root is not None else None

    @property
    def file(self) -> str:
        """The absolute path of the file, which may not exist yet."""
        return find_settings_file_of_place(self.place, self.root_path)


class SettingsWrite(Value):
    """Whether a command changed a settings file, and why that could not be recorded, '' if it was; true if it did."""

    is_changed: bool
    unrecorded: str = ""

    def __bool__(self) -> bool:
        return self.is_changed


def write_setting_to_file(
    target: SettingsFile, name: str, text: str, show_and_ask: "ShowAndAsk", lock_wait: LockWait = NO_WAIT
) -> SettingsWrite:
    """Write a setting. Raise UsageError for a value that cannot be set.

    Ask for consent if it may allow more than before.
    """
    setting = find_setting_definition(name)
    _check_place(target, setting)
    if setting.kind == SUPPRESSIONS:
        raise UsageError(f"`{name}` is not a single value", f"use `cortex-policy config edit --{PROJECT}`")
    value = parse_setting_or_text(setting, text)
    if not setting.accepts(value):
        raise UsageError(f"`{name}` cannot be {quote_value(text)}", f"it must be {setting.expected}")
    for code in value if setting.kind == CODES and isinstance(value, list) else ():
        expand_code_or_group(code)
    return _rewrite_setting(target, name, value, show_and_ask, lock_wait)


def remove_setting_from_file(
    target: SettingsFile, name: str, show_and_ask: "ShowAndAsk", lock_wait: LockWait = NO_WAIT
) -> SettingsWrite:
    """Remove a setting. Ask for consent if that may allow more than before."""
    _check_place(target, find_setting_definition(name))
    if read_settings_bytes_or_none(target.place, target.root_path) is None:
        return SettingsWrite(is_changed=False)
    return _rewrite_setting(target, name, UNSET, show_and_ask, lock_wait)


def find_widening(target: SettingsFile, old: bytes | None, new: bytes) -> "GrantDiff | None":
    """Return what a new text means if it may allow more than the old one, else None."""
    meaning = compare_settings_texts_or_none(target.place, target.file, old, new)
    return wrap_settings_comparison_as_grant_diff(meaning) if meaning is not None and widens(meaning.verdict) else None


def check_settings_text(target: SettingsFile, data: bytes) -> None:
    """Raise GrantError (settings_invalid) if a text cannot be the settings of a place."""
    check_codes_in_settings(target.file, decode_layer(target.place, target.file, data).values)


def raise_if_all_calls_denied(target: SettingsFile, original: bytes | None, after: bytes) -> None:
    """Raise NotDoneError if every check would be denied because of the new text."""
    error = find_new_global_denial_error_or_none(target.place, target.root, original, after)
    if error is not None:
        raise NotDoneError(f"every check would answer {error.exit_code}: {error}", error.hint)


def replace_settings_text(
    target: SettingsFile, original: bytes | None, data: bytes, lock_wait: LockWait = NO_WAIT
) -> SettingsWrite:
    """Replace the text that was read by another; raise NotDoneError if the file has changed since."""
    check_settings_text(target, data)
    with _lock_directory(target, lock_wait) as locked:
        return _replace_locked_text(target, locked, original, data, "config edit")


def _check_place(target: SettingsFile, setting: Setting) -> None:
    if target.place not in setting.places:
        where = ", ".join(setting.places)
        raise UsageError(f"`{setting.name}` cannot be set by the {target.place}", f"it can be set by: {where}")


def _rewrite_setting(
    target: SettingsFile, name: str, value: object, show_and_ask: "ShowAndAsk", lock_wait: LockWait
) -> SettingsWrite:
    with _lock_directory(target, lock_wait) as locked:
        original = read_settings_bytes_or_none(target.place, target.root_path)
        after = _edit_text(target, original or b"", name, value)
        if after == (original or b""):
            return SettingsWrite(is_changed=False)
        _check_not_locked(target, original, name, value)
        check_settings_text(target, after)  # do not ask about a text that cannot be installed
        raise_if_all_calls_denied(target, original, after)
        if (change := find_widening(target, original, after)) is not None:
            show_and_ask(change)
        return _replace_locked_text(target, locked, original, after, "config unset" if value is UNSET else "config set")


def _check_not_locked(target: SettingsFile, original: bytes | None, name: str, value: object) -> None:
    """Raise NotDoneError if a setting would be removed while its lock stays."""
    if value is UNSET and name in decode_layer(target.place, target.file, original or b"").locked:
        hint = f"take it out of `{LOCKED}` with `cortex-policy config edit --{target.place}`"
        raise NotDoneError(f"`{name}` is locked in `{target.file}` itself", hint)


def _edit_text(target: SettingsFile, before: bytes, name: str, value: object) -> bytes:
    check_settings_text(target, before)
    try:
        return set_or_unset_setting_in_text(before.decode(), name, value).encode()
    except NotDoneError as error:
        raise NotDoneError(
            f"`{target.file}`: {error.detail}", f"{error.hint.removesuffix('`')} --{target.place}`"
        ) from None


def _replace_locked_text(
    target: SettingsFile, locked: "LockedDirectory", original: bytes | None, data: bytes, command: str
) -> SettingsWrite:
    """Replace the text that was read, while the lock is held; record what the command changes."""
    directory, is_held = locked

    def verify() -> None:
        """Raise NotDoneError if the lock is lost, or the file is no longer the one that was read."""
        is_held()
        if _current_text(target, directory) != original:
            raise NotDoneError(f"`{target.file}` was changed in the meantime", "try again")

    mode = PRIVATE_MODE if target.place not in (SYSTEM, PROJECT) else PUBLIC_MODE
    record = make_settings_change_record(command, target.place, target.file, original, data)
    with CommandRecorder(record, target.root_path) as recorder:
        replace_file_atomically(directory, NAME, data, mode, verify)
    if target.place == PROJECT:
        git_ignore.create_git_ignore(directory)
    return SettingsWrite(is_changed=True, unrecorded=recorder.problem)


def _current_text(target: SettingsFile, directory: int) -> bytes | None:
    try:
        return read_stable_settings_bytes(target.place, target.file, directory)
    except FileNotFoundError:
        return None


@contextmanager
def _lock_directory(target: SettingsFile, lock_wait: LockWait) -> "Iterator[LockedDirectory]":
    """Lock and open the directory of a settings file; yield it, with a function that raises if the lock is lost."""
    try:
        if target.root is not None and target.place == PROJECT:
            with hold_writer_lock(target.root, lock_wait) as locked:
                yield locked.policy.descriptor, locked.check_held
            return
        path = _require_settings_directory(target)
        if os.geteuid() == ROOT and not is_private_path(find_existing_part(path)):
            raise NotDoneError(f"another user decides where `{path}` leads to", "name another with `XDG_CONFIG_HOME`")
        os.makedirs(path, PUBLIC_MODE | 0o111 if target.place == SYSTEM else 0o700, exist_ok=True)
        with open_settings_directory(target.place, target.root_path) as directory:
            # lock the directory itself: no lock file is left behind
            acquire_lock(directory, lambda _: LockHolderText(f"another process is writing `{target.file}`"), lock_wait)
            remove_leftover_temporary_files(directory)
            yield directory, lambda: None
    except OSError as error:
        raise NotDoneError(f"`{target.file}`: {format_os_error_cause(error)}") from None


def _require_settings_directory(target: SettingsFile) -> str:
    """Return the directory that checks read; raise NotDoneError if platformdirs names another one for the user."""
    path = find_settings_directory_of_place(target.place, target.root_path)
    if target.place == USER:
        from platformdirs import user_config_dir  # noqa: PLC0415 - 20 ms

        named = user_config_dir("cortex-policy", appauthor=False)
        if os.path.normpath(named) != os.path.normpath(path):
            message = f"a check reads your settings from `{path}`, but on this platform their directory is `{named}`"
            raise NotDoneError(message, "set XDG_CONFIG_HOME to an absolute path")
    return path
