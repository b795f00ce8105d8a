"""Read every setting that is valid, with an error for each that is not: for commands that show what is wrong.

A check reads none of them then: it answers 27.
"""

import os

from cortex_policy.core.decode import MalformedError
from cortex_policy.core.model import GrantError
from cortex_policy.core.settings import (
    LOCKED,
    PROJECT,
    SHARED_VARIABLES,
    SYSTEM,
    USER,
    Layer,
    flatten_settings_document,
    is_valid_setting_value,
)
from cortex_policy.core.toml import decode_toml
from cortex_policy.state.settings import (
    MAX_BYTES,
    decode_layer,
    find_settings_file_of_place,
    make_other_programs_variable_layer,
    make_variables_layer,
    merge_settings_layers,
    read_settings_bytes_or_none,
)
from cortex_policy.state.settings_errors import make_wrong_setting_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def read_valid_layers_and_errors(root: str | None) -> tuple[list[Layer], list[GrantError]]:
    """Return what is valid in each place, the weakest first, and an error for each thing that is not."""
    errors: list[GrantError] = []
    layers = [_layer_or_none(make_other_programs_variable_layer, variable, errors) for variable in SHARED_VARIABLES]
    layers += [_valid_file_layer(place, None, errors) for place in (SYSTEM, USER)]
    layers += [_layer_or_none(make_variables_layer, {name: os.environ[name]}, errors) for name in os.environ]
    if root is not None:
        layers.append(_valid_file_layer(PROJECT, root, errors))
    valid = [layer for layer in layers if layer is not None]
    try:
        merge_settings_layers(valid)
    except GrantError as error:  # they do not fit together
        errors.append(error)
    return valid, errors


def _layer_or_none(read: "Callable[[Any], Layer]", source: object, errors: list[GrantError]) -> Layer | None:
    try:
        return read(source)
    except GrantError as error:
        errors.append(error)
        return None


def _valid_file_layer(place: str, root: str | None, errors: list[GrantError]) -> Layer:
    file, data = find_settings_file_of_place(place, root), b""
    try:
        data = read_settings_bytes_or_none(place, root) or b""
        return decode_layer(place, file, data)
    except GrantError as error:
        values = _values_of(data)
        locked = values.pop(LOCKED, []) if place == SYSTEM else []
        wrong = {name: value for name, value in values.items() if not is_valid_setting_value(place, name, value)}
        # without a wrong key the file cannot be trusted or parsed, or what it locks is wrong
        errors += [make_wrong_setting_error(place, file, name, value) for name, value in wrong.items()] or [error]
        valid = {name: value for name, value in values.items() if name not in wrong}
        names = tuple(name for name in valid if isinstance(locked, list) and name in locked)
        return Layer(place, valid, dict.fromkeys(valid, file), names)


def _values_of(data: bytes) -> "dict[str, object]":
    try:
        return flatten_settings_document(decode_toml(data)) if len(data) <= MAX_BYTES else {}
    except MalformedError:
        return {}
