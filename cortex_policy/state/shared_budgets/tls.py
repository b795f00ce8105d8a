"""TLS for a connection to a server; loaded only for `rediss://`."""

import socket
import ssl

from cortex_policy.state import make_state_unavailable_error
from cortex_policy.state.shared_budgets.plausible_server_time import require_seconds_until_deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

_contexts: dict[tuple[tuple[str, str], ...], ssl.SSLContext] = {}  # the system's certificates take 20 ms to load


def wrap_socket(
    plain: "_socket.socket", host: str, files: tuple[tuple[str, str], ...], deadline_ns: int
) -> ssl.SSLSocket:
    """Return the socket with TLS, whose server has proved that it is the host; raise OSError or StateError."""
    owned = socket.socket(fileno=plain.detach())
    try:
        context = load_tls_context(files)
        owned.settimeout(require_seconds_until_deadline(deadline_ns))
        return context.wrap_socket(owned, server_hostname=host)
    except BaseException:
        owned.close()
        raise


def load_tls_context(files: tuple[tuple[str, str], ...]) -> ssl.SSLContext:
    """Return what verifies the server, by the files of an address; raise StateError if they cannot be used."""
    context = _contexts.get(files)
    if context is None:
        context = _contexts[files] = _make_context(dict(files))
    return context


def format_tls_error(error: OSError) -> str:
    """Return in words why a handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    reason = error.reason if isinstance(error, ssl.SSLError) else ""
    return f"TLS failed: {reason.lower().replace('_', ' ')}"


def _make_context(files: dict[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=files.get("ssl_ca_certs"))
        if "ssl_certfile" in files:
            context.load_cert_chain(files["ssl_certfile"], files.get("ssl_keyfile"))
    except (OSError, ValueError) as error:
        named = ", ".join(f"`{path}`" for path in files.values())
        raise make_state_unavailable_error(
            f"the files for TLS, {named}, cannot be used: {_first_line(error)}"
        ) from None
    return context


def _first_line(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.partition("\n")[0].lower()
