"""The grants and settings of a root as one file: the decision module, and a section with what it begins with."""

import json
import os
import stat

from cortex_policy.core.access_denied import AccessDenied
from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.model import STAMP_MISMATCH, Grant, GrantError, Settings
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.state import Root, sha256
from cortex_policy.state.atomic_write import replace_file_atomically
from cortex_policy.state.enforcement import (
    check_host_stop,
    load_effective_settings,
    load_grant_without_host_stop_check,
)
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, list_grant_ids
from cortex_policy.state.missing_directory import make_file_creation_error

SECTION = "cortex-policy"  # its name, which `wasm/policy.mjs` looks for
_CUSTOM = b"\0"  # begins a section that WebAssembly itself ignores
_LOW_BITS = 0x7F
_SETTINGS = ("sensitive", "require_path", "undeclared_args")  # those that the module enforces


def read_wasm_module() -> bytes:
    """Return the module without grants, as `wasm/build.mjs` built it."""
    return _read_file("policy.wasm")


def read_javascript_loader_bytes() -> bytes:
    """Return what a program in JavaScript imports to use the module."""
    return _read_file("policy.mjs")


def _read_file(name: str) -> bytes:
    from importlib.resources import files  # noqa: PLC0415 - 10 ms, and only this needs it

    package = files("cortex_policy")
    file = package / name
    if not file.is_file():  # an editable install: it is beside the package
        file = package / ".." / "wasm" / name
    return file.read_bytes()


def build_wasm_module_and_grant_ids(root: Root) -> tuple[bytes, list[str]]:
    """Return the module with all grants of a root, and their ids.

    Raises what a check of each grant would: GrantError for one that is unsafe, invalid or differs from its stamp; and
    NotDoneError if there is an emergency stop.
    """
    try:
        check_host_stop()
        ids = list_grant_ids(root)
        grants = [
            {"id": one, "text": _read_text(root, load_grant_without_host_stop_check(root, one)[0])} for one in ids
        ]
    except AccessDenied as error:
        message = f"there is an emergency stop: {error.detail}"
        raise NotDoneError(message, error.hint) from None
    return _add_section(read_wasm_module(), load_effective_settings(root.path), grants), ids


def _add_section(module: bytes, settings: Settings, grants: list[dict[str, str]]) -> bytes:
    """Return a module with a section that holds settings and grants (`id` and `text`)."""
    content = {"settings": {name: getattr(settings, name) for name in _SETTINGS}, "grants": grants}
    name, data = SECTION.encode(), json.dumps(content, ensure_ascii=False).encode()
    body = _number_bytes(len(name)) + name + data
    return module + _CUSTOM + _number_bytes(len(body)) + body


def replace_or_create_exported_file(file: str, data: bytes) -> None:
    """Write a file, complete or not at all; raise NotDoneError if that fails."""
    directory, name = os.path.split(os.path.abspath(file))
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            replace_file_atomically(descriptor, name, data)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise make_file_creation_error(file, error, f"`{file}` cannot be written") from None


def is_stdout_terminal() -> bool:
    """Whether standard output is one, on which no module belongs."""
    try:
        return stat.S_ISCHR(os.fstat(1).st_mode) and os.isatty(1)
    except OSError:
        return False


def _read_text(root: Root, grant: Grant) -> str:
    """Return the very bytes that were decoded: if the file has changed since, the export fails."""
    trust = TrustCheck(root)
    with PolicyDirectory(trust, "tools") as directory:
        data = directory.read(f"{grant.id}.json", MAX_BYTES + 1)
    trust.raise_if_unsafe()
    if grant.origin is None or sha256(data).hexdigest() != grant.origin.sha256:
        message = f"`{grant.id}` has changed since it was checked"
        raise GrantError(STAMP_MISMATCH, message, "export again")
    return data.decode()


def _number_bytes(number: int) -> bytes:
    """Return a number as WebAssembly writes it: seven bits a byte, the lowest first."""
    parts = []
    while number > _LOW_BITS:
        parts.append(number & _LOW_BITS | 0x80)
        number >>= 7
    return bytes([*parts, number])
