"""The keys of budgets on the server: keyed hashes, so that no tool, action or name of budgets can be read from them."""

import os
import stat

from cortex_policy.state import OPEN_FILE, make_state_unavailable_error, read_up_to, sha256
from cortex_policy.state.ledger_ring import join_tool_and_action_by_colon

MIN_SECRET, MAX_SECRET = 16, 4096  # bytes
_BLOCK = 64
_INNER, _OUTER = bytes(byte ^ 0x36 for byte in range(256)), bytes(byte ^ 0x5C for byte in range(256))
_TAG, _NAME = 16, 32  # digits


class BudgetKeys:
    """The keys of the budgets of one name; hosts with the same name and secret have the same."""

    epoch: bytes

    def __init__(self, name: str, secret: bytes) -> None:
        """Derive the tag of the name, which keeps all its keys on one node of a cluster."""
        self._secret = secret
        self._prefix = f"cortex:{{{compute_keyed_hash(secret, b'name ' + name.encode())[:_TAG]}}}:"
        self.epoch = f"{self._prefix}epoch".encode()

    def budget(self, tool: str, action: str) -> bytes:
        """Return the key of a budget."""
        text = join_tool_and_action_by_colon(tool, action).encode("utf-8", "surrogatepass")
        return (self._prefix + compute_keyed_hash(self._secret, b"key " + text)[:_NAME]).encode()


def compute_keyed_hash(secret: bytes, data: bytes) -> str:
    """Return HMAC-SHA-256 in hexadecimal; `hmac` and `hashlib` cost 5 ms."""
    if len(secret) > _BLOCK:
        secret = sha256(secret).digest()
    padded = secret.ljust(_BLOCK, b"\0")
    inner = sha256(padded.translate(_INNER) + data).digest()
    return str(sha256(padded.translate(_OUTER) + inner).hexdigest())


def read_private_file(path: str, what: str = "the key of shared budgets") -> bytes:
    """Return what the file of a secret holds, without the end of its line; `what` names the secret in errors.

    Raises StateError unless the file is private to the caller.
    """
    try:
        descriptor = os.open(path, OPEN_FILE)
    except (OSError, ValueError) as error:
        from cortex_policy.core.text import format_os_error_cause  # noqa: PLC0415 - only a failure needs it

        text = format_os_error_cause(error) if isinstance(error, OSError) else "is not a path"
        raise make_state_unavailable_error(f"{what}: `{path}`: {text}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o077:
            raise make_state_unavailable_error(
                f"{what}: `{path}` must be your file with mode 0600", f"fix it with `chmod 600 {path}`"
            )
        secret = read_up_to(descriptor, MAX_SECRET + 1)
    finally:
        os.close(descriptor)
    return secret.rstrip(b"\r\n")


def require_strong_secret(secret: bytes) -> bytes:
    """Return the key of shared budgets; raise StateError if it could be guessed, or is too long."""
    if not MIN_SECRET <= len(secret) <= MAX_SECRET:
        message = f"the key of shared budgets has {len(secret)} bytes, not {MIN_SECRET} to {MAX_SECRET}"
        raise make_state_unavailable_error(message, "make one with `openssl rand -hex 32`, the same for all hosts")
    return secret
