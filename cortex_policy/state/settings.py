"""Read the settings from their places, if only their owners could write them, and resolve them.

One module of more than 250 lines, as each check loads it if the host has settings.
"""

import os
import stat
from time import sleep, time_ns

from cortex_policy.core.decode import MalformedError
from cortex_policy.core.model import Settings
from cortex_policy.core.settings import (
    BY_NAME,
    ENVIRONMENT,
    LOCKED,
    OPTION,
    OTHER_VARIABLES,
    PREFIX,
    PROJECT,
    SHARED_VARIABLES,
    SYSTEM,
    USER,
    Layer,
    find_setting_name_of_field,
    flatten_settings_document,
    is_valid_setting_value,
    map_settings_by_variable_name,
    parse_other_programs_variable,
    parse_setting_or_text,
    resolve_setting,
)
from cortex_policy.core.toml import decode_toml
from cortex_policy.state import (
    OPEN_DIRECTORY,
    OPEN_FILE,
    STATE_DIR,
    Root,
    find_default_rate_state_directory,
    find_system_and_user_settings_directories,
    make_policy_directory_path,
    may_hold_settings,
    read_up_to,
)
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, find_trust_problems

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

NAME = "config.toml"
MAX_BYTES = 1 << 16
STABLE_NS = 20_000_000  # nanoseconds since the last change
MAX_TRIES = 50
ROOT_USER = 0
_VALIDATION = "validate."  # of no interest to a check


def read_uncached_settings(root: str | None, *, require_path: bool = False) -> Settings:
    """Return the effective settings for a root, or of operators alone; raise GrantError (settings_invalid)."""
    options = {"require_path": True} if require_path else {}
    return merge_settings_layers(read_layers(root, options, asks_all=False))


def merge_settings_layers(layers: list[Layer]) -> Settings:
    """Return the effective settings of these places, the weakest first; raise GrantError (settings_invalid)."""
    named = {name for layer in layers for name in layer.values}  # the others are not set
    values: dict[str, Any] = {
        field: resolve_setting(layers, name).effective.value
        for field in Settings.__match_args__
        if (name := find_setting_name_of_field(field)) in named
    }
    settings = Settings(**{"state_dir": find_default_rate_state_directory(), **values})
    if settings.budgets_url is not None:
        from cortex_policy.state.budget_settings_check import raise_if_budget_settings_incomplete  # noqa: PLC0415 - few hosts share budgets

        raise_if_budget_settings_incomplete(settings, layers)
    return settings


def find_state_directory() -> str:
    """Return the state directory that a variable or a file of operators names, else the usual one.

    Raises GrantError (settings_invalid) if one of these files cannot be trusted.
    """
    named = os.environ.get(STATE_DIR)
    system, user = find_system_and_user_settings_directories()
    if may_hold_settings(system) or (named is None and may_hold_settings(user)):  # the first may lock it
        value = resolve_setting(
            [*_operator_layers(), make_variables_layer({STATE_DIR: named})], "state_dir"
        ).effective.value
        named = value if isinstance(value, str) else None
    return find_default_rate_state_directory() if named is None else named


def read_setting(name: str, root: str | None = None) -> object:
    """Return the effective value of one setting; raise GrantError (settings_invalid) if any cannot be trusted."""
    return resolve_setting(read_layers(root), name).effective.value


def read_layers(
    root: str | None, options: "Mapping[str, object] | None" = None, *, asks_all: bool = True
) -> list[Layer]:
    """Read all places, the weakest first; a check does not ask what is set for `validate` alone."""
    layers = [
        *map(make_other_programs_variable_layer, SHARED_VARIABLES),
        *_operator_layers(),
        make_variables_layer(os.environ),
    ]
    if options:
        sources = {name: f"--{name.replace('_', '-')}" for name in options}
        layers.append(Layer(OPTION, options, sources))
    if root is not None:
        layers.append(_file_layer(PROJECT, root, asks_all=asks_all))
    return layers


def make_other_programs_variable_layer(variable: str) -> Layer:
    """Return what a variable says that other programs know too; it counts where nothing else says the same."""
    text, name = os.environ.get(variable), SHARED_VARIABLES[variable]
    if text is None:
        return Layer(ENVIRONMENT, {}, {})
    value = parse_other_programs_variable(variable, text)
    if not BY_NAME[name].accepts(value):
        from cortex_policy.state.settings_errors import make_wrong_variable_error  # noqa: PLC0415 - only a failure needs it

        raise make_wrong_variable_error(variable, text, BY_NAME[name])
    return Layer(ENVIRONMENT, {name: value}, {name: variable})


def _operator_layers() -> list[Layer]:
    return [_file_layer(place) for place in (SYSTEM, USER)]


def _file_layer(place: str, root: str | None = None, *, asks_all: bool = True) -> Layer:
    data = read_settings_bytes_or_none(place, root)
    return (
        Layer(place, {}, {})
        if data is None
        else decode_layer(place, find_settings_file_of_place(place, root), data, asks_all=asks_all)
    )


def find_settings_directory_of_place(place: str, root: str | None) -> str:
    """Return the directory of the settings file of a place."""
    if place == PROJECT:
        return make_policy_directory_path(root or "")
    return find_system_and_user_settings_directories()[place == USER]


def find_settings_file_of_place(place: str, root: str | None) -> str:
    """Return the path of the settings file of a place, which may not exist."""
    return f"{find_settings_directory_of_place(place, root)}/{NAME}"


def read_settings_bytes_or_none(place: str, root: str | None = None) -> bytes | None:
    """Read the settings file of a place, None if there is none; raise GrantError (settings_invalid)."""
    directory = find_settings_directory_of_place(place, root)
    if not may_hold_settings(directory):
        return None
    try:
        with open_settings_directory(place, root) as descriptor:
            return read_stable_settings_bytes(place, f"{directory}/{NAME}", descriptor)
    except OSError as error:
        from cortex_policy.state.settings_errors import make_unreadable_settings_error  # noqa: PLC0415 - only a failure needs it

        raise make_unreadable_settings_error(f"{directory}/{NAME}", error) from None


class open_settings_directory:  # noqa: N801 - used as a function; `contextlib` costs 4 ms
    """Open the directory of a place, without following links where it could lead, and check it."""

    def __init__(self, place: str, root: str | None) -> None:
        """Take the place; nothing is opened yet."""
        self._place, self._path = place, find_settings_directory_of_place(place, root)
        # what leads there was checked when the grant was read
        self._policy = (
            PolicyDirectory(TrustCheck(Root(root, trusts_owner=True)))
            if place == PROJECT and root is not None
            else None
        )
        self._descriptor = -1

    def __enter__(self) -> int:
        """Open and check the directory, and return its descriptor."""
        if self._policy is not None:
            return self._policy.__enter__().descriptor
        self._descriptor = os.open(self._path, OPEN_DIRECTORY)
        try:
            _check_only_owner_writes(self._place, self._path, self._descriptor, os.fstat(self._descriptor))
        except BaseException:
            self.__exit__()
            raise
        return self._descriptor

    def __exit__(self, *_: object) -> None:
        """Close it."""
        if self._policy is not None:
            self._policy.__exit__()
        else:
            os.close(self._descriptor)


def read_stable_settings_bytes(place: str, file: str, directory: int) -> bytes:
    """Read the file of a place from its open directory, checked, and once it does not change any more.

    Half a text is valid TOML too, and says less: so it waits for a write that has begun.
    """
    for _ in range(MAX_TRIES):
        # INVARIANT: before the file is read, or one that is written meanwhile looks old to a process that is held up
        looked = time_ns()
        descriptor = os.open(NAME, OPEN_FILE, dir_fd=directory)
        try:
            status, owner = os.fstat(descriptor), os.fstat(directory).st_uid if place == PROJECT else ROOT_USER
            _check_only_owner_writes(place, file, descriptor, status, owner)
            data = read_up_to(descriptor, MAX_BYTES + 1)
            if _is_stable(status, os.fstat(descriptor), looked):
                return data
        finally:
            os.close(descriptor)
        sleep(STABLE_NS / 1e9)
    from cortex_policy.state.settings_errors import make_invalid_settings_error  # noqa: PLC0415 - only a failure needs it

    raise make_invalid_settings_error(file, "it is being written all the time", "try again")


def _is_stable(before: os.stat_result, after: os.stat_result, looked: int) -> bool:
    is_same = (before.st_size, before.st_mtime_ns, before.st_ctime_ns) == (
        after.st_size, after.st_mtime_ns, after.st_ctime_ns
    )  # fmt: skip
    return is_same and not looked - STABLE_NS < after.st_ctime_ns <= time_ns()


def _check_only_owner_writes(
    place: str, path: str, descriptor: int, status: os.stat_result, owner: int = ROOT_USER
) -> None:
    """Raise GrantError for what another could have written: the system's settings are root's alone."""
    owners = {ROOT_USER} if place == SYSTEM else {ROOT_USER, os.geteuid(), owner}
    is_known = stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink == 1)
    doubts = find_trust_problems(descriptor, status, owners)
    if place == SYSTEM and status.st_mode & stat.S_IWGRP:  # users in group 0 could write it
        doubts = [*doubts, ("writers", f"is writable by group {status.st_gid}")]
    if doubts or not is_known:
        from cortex_policy.state.settings_errors import make_unsafe_settings_error  # noqa: PLC0415 - only a failure needs it

        raise make_unsafe_settings_error(path, status, doubts)


def decode_layer(place: str, file: str, data: bytes, *, asks_all: bool = True) -> Layer:
    """Return what the bytes of a settings file say; raise GrantError (settings_invalid)."""
    if len(data) > MAX_BYTES:
        from cortex_policy.state.settings_errors import make_invalid_settings_error  # noqa: PLC0415 - only a failure needs it

        raise make_invalid_settings_error(file, f"it is larger than {MAX_BYTES} bytes", f"shorten `{file}`")
    try:
        values = flatten_settings_document(decode_toml(data))
    except MalformedError as error:
        from cortex_policy.state.settings_errors import make_invalid_settings_error  # noqa: PLC0415 - only a failure needs it

        raise make_invalid_settings_error(file, str(error), f"fix `{file}`") from None
    locked = values.pop(LOCKED, []) if place == SYSTEM else []
    if place == PROJECT and not asks_all:
        values = {name: value for name, value in values.items() if not name.startswith(_VALIDATION)}
    for name, value in values.items():
        if not is_valid_setting_value(place, name, value):
            from cortex_policy.state.settings_errors import make_wrong_setting_error  # noqa: PLC0415 - only a failure needs it

            raise make_wrong_setting_error(place, file, name, value)
    return Layer(place, values, dict.fromkeys(values, file), _decode_locks(file, locked, values))


def _decode_locks(file: str, locked: object, values: "Mapping[str, object]") -> tuple[str, ...]:
    if isinstance(locked, list) and all(isinstance(name, str) and name in values for name in locked):
        return tuple(locked)
    from cortex_policy.state.settings_errors import make_wrong_locks_error  # noqa: PLC0415 - only a failure needs it

    raise make_wrong_locks_error(file, values)


def make_variables_layer(environment: "Mapping[str, str | None]") -> Layer:
    """Return the settings of the environment; raise GrantError for an unknown variable, or an invalid value."""
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    for variable in environment:
        text = environment[variable] if variable.startswith(PREFIX) and variable not in OTHER_VARIABLES else None
        if text is None:
            continue
        setting = map_settings_by_variable_name().get(variable)
        value = parse_setting_or_text(setting, text) if setting is not None else None
        # a state directory that is none is the ledger's to refuse
        if setting is None or not (setting.accepts(value) or setting.name == "state_dir"):
            from cortex_policy.state.settings_errors import make_wrong_variable_error  # noqa: PLC0415 - only a failure needs it

            raise make_wrong_variable_error(variable, text, setting)
        values[setting.name], sources[setting.name] = value, variable
    return Layer(ENVIRONMENT, values, sources)
