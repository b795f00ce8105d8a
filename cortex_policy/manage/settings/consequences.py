"""What a new text of a settings file would do to every check: it is not installed if it would deny all of them."""

import os

from cortex_policy.core.model import CortexPolicyError, GrantError, Settings, StateError
from cortex_policy.core.settings import ENVIRONMENT, SYSTEM
from cortex_policy.manage.global_denials import find_stamp_log_and_state_errors
from cortex_policy.state import Root
from cortex_policy.state.settings import decode_layer, find_settings_file_of_place, merge_settings_layers
from cortex_policy.state.valid_settings import read_valid_layers_and_errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def find_new_global_denial_error_or_none(
    place: str, root: Root | None, before: bytes | None, after: bytes
) -> CortexPolicyError | None:
    """Return an error that every check would answer with a new text of a settings file and not with the old one.

    The environment of this shell does not count: other shells do not have it.
    """
    known = {str(error) for error in _denials_with_text(place, root, before or b"")}
    return next((error for error in _denials_with_text(place, root, after) if str(error) not in known), None)


def _denials_with_text(place: str, root: Root | None, text: bytes) -> list[CortexPolicyError]:
    try:
        settings = _settings_with(place, root, text)
    except GrantError as error:  # what is set in several places does not fit together
        return [error]
    if place == SYSTEM:
        settings = _without_files_of_others(settings)
    return [*find_stamp_log_and_state_errors(root, settings), *_secret_denials(settings)]


def _settings_with(place: str, root: Root | None, text: bytes) -> Settings:
    path = root.path if root is not None else None
    new = decode_layer(place, find_settings_file_of_place(place, path), text)
    layers = [layer for layer in read_valid_layers_and_errors(path)[0] if layer.place != ENVIRONMENT]
    return merge_settings_layers([new if layer.place == place else layer for layer in layers])


def _secret_denials(settings: Settings) -> "Iterator[CortexPolicyError]":
    """Yield why a secret of shared budgets cannot be read; the server itself may be started later."""
    if settings.budgets_url is None:
        return
    from cortex_policy.state.server_budgets_from_settings import read_budgets_key, read_budgets_password_or_empty  # noqa: PLC0415 - few hosts share budgets

    for read, is_named in (
        (read_budgets_key, settings.budgets_key_file),
        (read_budgets_password_or_empty, settings.budgets_password_file),
    ):
        try:
            if is_named is not None:
                read(settings)
        except StateError as error:
            yield error


def _without_files_of_others(settings: Settings) -> Settings:
    """Leave out files of other users: the system's settings are theirs too, and only they know what they can write."""
    names = [
        name
        for name in ("audit_file", "state_dir", "budgets_key_file", "budgets_password_file")
        if _is_of_another_user(getattr(settings, name))
    ]
    return Settings(**{**vars(settings), **dict.fromkeys(names)})


def _is_of_another_user(path: str | None) -> bool:
    try:
        return path is not None and os.lstat(path).st_uid != os.geteuid()
    except OSError:
        return False
