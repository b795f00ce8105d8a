"""What to do about settings that cannot be trusted or read: loaded only if something failed."""

import errno
import os
import stat
from shlex import quote

from cortex_policy.core.budget_server import hide_passwords
from cortex_policy.core.closest_match import find_closest_word
from cortex_policy.core.model import SETTINGS_INVALID, GrantError
from cortex_policy.core.settings import BY_NAME, LOCKED, NUMBER, SWITCH, SYSTEM, Setting, map_settings_by_variable_name
from cortex_policy.core.text import format_guess_hint, format_os_error_cause
from cortex_policy.state.possible_writers import NAMESPACE_HINT, OWNER, UNKNOWN
from cortex_policy.state.users import format_replace_by_copy_command, format_user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_PREFIX = "CORTEX_POLICY_"
MAX_SHOWN = 60  # characters of a value
_LINKS = (errno.ELOOP, errno.EMLINK, errno.ENOTDIR)


def make_invalid_settings_error(source: str, why: str, hint: str = "") -> GrantError:
    """Return the error (settings_invalid) for a file or a variable."""
    return GrantError(SETTINGS_INVALID, f"`{source}`: {why}", hint)


def make_unsafe_settings_error(path: str, status: os.stat_result, doubts: "list[tuple[str, str]]") -> GrantError:
    """Return the error for a file or directory that another user could have written."""
    for kind, sentence in doubts:
        owner = 0 if path.startswith("/etc/") else os.geteuid()
        fixes = {OWNER: f"fix it with `chown {owner} {quote(path)}`", UNKNOWN: NAMESPACE_HINT}
        return make_invalid_settings_error(
            path, f"it {sentence}", fixes.get(kind, f"fix it with `chmod go-w {quote(path)}`")
        )
    if stat.S_ISREG(status.st_mode):
        command = format_replace_by_copy_command(path)
        fix = f"fix it with `{command}`" if command else f"put a file without other links at `{path}`"
        return make_invalid_settings_error(path, "it has more than one link", fix)
    return make_invalid_settings_error(
        path, "it is not a regular file", f"put a real file at `{path}`, or remove what is there"
    )


def make_unreadable_settings_error(file: str, error: OSError) -> GrantError:
    """Return the error for a file that cannot be opened or read."""
    if error.errno in _LINKS:
        return make_invalid_settings_error(file, "it is a link, or its path has one", f"put a real file at `{file}`")
    hint = f"make it readable, or remove `{file}`"
    if error.errno == errno.EACCES and not file.startswith("/etc/"):  # HOME is another user's, as `sudo -E` leaves it
        hint = f"set HOME or XDG_CONFIG_HOME to a directory of {format_user(os.geteuid())}, or {hint}"
    return make_invalid_settings_error(file, format_os_error_cause(error), hint)


def make_wrong_setting_error(place: str, file: str, name: str, value: object) -> GrantError:
    """Return the error for an unknown key, a key of another place, or a wrong value."""
    setting = BY_NAME.get(name)
    if setting is None:
        is_misplaced_lock = name == LOCKED
        if is_misplaced_lock:
            return make_invalid_settings_error(
                file, f"`{LOCKED}` is for the system's file only", f"remove it from `{file}`"
            )
        return make_invalid_settings_error(
            file, f"unknown setting `{name}`", make_known_name_hint(name, _names_at(place))
        )
    if place not in setting.places:
        where = ", ".join(setting.places)
        return make_invalid_settings_error(file, f"`{name}` cannot be set by the {place}", f"it can be set by: {where}")
    # `"true"` is not `true`
    is_quoted = isinstance(value, str) and setting.kind in (SWITCH, NUMBER)
    shown = f"the text {quote_value(value)}" if is_quoted else quote_value(value)
    return make_invalid_settings_error(file, f"`{name}` is {shown}", f"it must be {setting.expected}")


def make_wrong_locks_error(file: str, names: "Iterable[str]") -> GrantError:
    """Return the error for locks that are not a list of what the file sets, which is `names`."""
    shown = ", ".join(f'"{name}"' for name in names)
    hint = f"name what it sets, as in `{LOCKED} = [{shown}]`"
    return make_invalid_settings_error(file, f"`{LOCKED}` is a list of settings that this file sets", hint)


def make_wrong_variable_error(variable: str, text: str, setting: Setting | None) -> GrantError:
    """Return the error for a variable that is not a setting, or has a wrong value."""
    if setting is None:
        return make_invalid_settings_error(variable, "unknown setting", _variable_hint(variable))
    what = f"it is {quote_value(text)}" if text else "it is empty"
    return make_invalid_settings_error(
        variable, what, f"it must be {setting.expected}; unset the variable to use the other sources"
    )


def _variable_hint(variable: str) -> str:
    """Return a hint at the variable that was meant; only the part after the common prefix is compared."""
    words = {name.removeprefix(_PREFIX): name for name in (*map_settings_by_variable_name(), f"{_PREFIX}ROOT")}
    close = find_closest_word(variable.removeprefix(_PREFIX), list(words))
    return (
        format_guess_hint(words.get(close, "")) or "unset the variable; `cortex-policy config list` shows all settings"
    )


def make_known_name_hint(word: str, known: "Iterable[str]") -> str:
    """Return a hint at the closest name, or all names."""
    known = list(known)
    if inside := [name for name in known if name.startswith(f"{word}.")]:
        return f"the settings in it are {', '.join(inside)}"
    return format_guess_hint(find_closest_word(word, known)) or f"the settings are {', '.join(known)}"


def quote_value(value: object) -> str:
    """Return a value quoted for a sentence."""
    text = str(value).lower() if isinstance(value, bool) else hide_passwords(str(value))
    kind = "a list" if isinstance(value, list) else "a table" if isinstance(value, dict) else "of another type"
    return f"`{text:.{MAX_SHOWN}}`" if isinstance(value, str | int | float) else kind


def _names_at(place: str) -> list[str]:
    names = [name for name, setting in BY_NAME.items() if place in setting.places]
    return [*names, LOCKED] if place == SYSTEM else names
