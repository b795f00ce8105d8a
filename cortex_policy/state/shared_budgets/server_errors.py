"""What is wrong with a server of shared budgets, in words; loaded only after a failure."""

from cortex_policy.core.model import STATE_UNAVAILABLE, BudgetServerError, StateError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import make_state_unavailable_error

_SERVER = "the server of shared budgets"
_MAX_SHOWN = 100  # characters of a text of the server
_REFUSALS = {
    "NOAUTH": ("wants a password", "name a file that holds it with `budgets.password_file`"),
    "WRONGPASS": ("does not accept the user or the password", "compare them with `ACL LIST` on the server"),
    "NOPERM": ("does not allow this user what budgets need", "docs/shared-budgets.md has the line for `ACL SETUSER`"),
    "MOVED": ("is a node of a cluster", "use `redis+cluster://`"),
    "WRONGTYPE": ("holds something else at the key of a budget", "use a separate server or database"),
}
_FAILURES = {
    "OOM": ("has no memory left", "raise `maxmemory` of the server"),
    "LOADING": ("is loading its data", "try again"),
    "READONLY": ("is a replica", "name the primary, or use `redis+sentinel://`"),
    "MASTERDOWN": ("is a replica that has lost its primary", "name the primary, or use `redis+sentinel://`"),
    "ASK": ("is moving these budgets to another node", "try again"),
    "TRYAGAIN": ("is moving these budgets to another node", "try again"),
    "CLUSTERDOWN": ("belongs to a cluster that is down", "look at `CLUSTER INFO` on the server"),
    "BUSY": ("is busy with a script", "look at `SLOWLOG GET` on the server"),
    "UNKILLABLE": ("is busy with a script", "look at `SLOWLOG GET` on the server"),
    "MISCONF": ("cannot save its data, and so takes no writes", "look at the log of the server"),
    "NOREPLICAS": ("has fewer replicas than `min-replicas-to-write`", "start the missing replicas"),
}

_CODES_OF_TEXTS = (  # where Redis gives none
    (b"unauthenticated ", b"NOAUTH"),
    (b"The user executing the script can't", b"NOPERM"),
    (b"ACL failure in script", b"NOPERM"),
)


def make_answer_error(line: bytes) -> StateError:
    """Return the error for an answer that is not a budget."""
    if line.startswith(b"+policy "):
        return _make_eviction_policy_error(_printable(line[8:]))
    if not line.startswith(b"-"):
        return make_unexpected_answer_error(line)
    code, _, text = line[1:].partition(b" ")
    code = next((known for part, known in _CODES_OF_TEXTS if part in text), code)
    if b"max number of clients" in text:
        return BudgetServerError(
            STATE_UNAVAILABLE, f"{_SERVER} has too many clients", "raise `maxclients` of the server"
        )
    return _known_error(_printable(code)) or make_state_unavailable_error(f"{_SERVER} reports `{_printable(line[1:])}`")


def make_login_error(line: bytes) -> StateError:
    """Return the error for a login that failed; shows no text of the server, which may repeat the password."""
    known = _known_error(_printable(line[1:].partition(b" ")[0]))
    return known or make_state_unavailable_error(
        f"{_SERVER} does not accept the login or the database", "look at `budgets.url`"
    )


def _known_error(code: str) -> StateError | None:
    if code in _REFUSALS:
        text, hint = _REFUSALS[code]
        return make_state_unavailable_error(f"{_SERVER} {text} ({code})", hint)
    if code in _FAILURES:
        text, hint = _FAILURES[code]
        return BudgetServerError(STATE_UNAVAILABLE, f"{_SERVER} {text} ({code})", hint)
    return None


def _make_eviction_policy_error(policy: str) -> StateError:
    """Return the error for an eviction policy that may reopen a budget."""
    if policy == "?":
        return make_state_unavailable_error(f"{_SERVER} does not show its eviction policy", "give the user `+info`")
    message = f"{_SERVER} may evict budgets: its `maxmemory-policy` is `{policy}`"
    return make_state_unavailable_error(message, "set it to `noeviction`, or use a separate server")


def make_unexpected_answer_error(line: bytes) -> StateError:
    """Return the error for an answer that the script never gives."""
    return make_state_unavailable_error(
        f"{_SERVER} gave an unexpected answer, `{_printable(line)}`",
        "does something else listen there?",
    )


def make_connection_error(error: OSError, shown: str, timeout_ms: int) -> BudgetServerError:
    """Return the error for a server that cannot be reached, or does not answer in time."""
    if "SSL" in type(error).__name__:
        from cortex_policy.state.shared_budgets.tls import format_tls_error  # noqa: PLC0415 - it loads `ssl`

        text, hint = format_tls_error(error), "name the certificate of its authority with `?ssl_ca_certs=FILE`"
    elif isinstance(error, TimeoutError):
        text, hint = f"no answer in {timeout_ms} ms", "look whether the server is busy, or raise `budgets.timeout_ms`"
    elif isinstance(error, ConnectionResetError | BrokenPipeError):
        text, hint = "cut the connection", "look at the log of the server"
    else:
        text, hint = format_os_error_cause(error), "look whether the server runs, and at `budgets.url`"
    return BudgetServerError(STATE_UNAVAILABLE, f"{_SERVER} at `{shown}`: {text}", hint)


def make_pause_error(shown: str) -> BudgetServerError:
    """Return the error for a server that is not asked, as it did not answer a moment ago."""
    return BudgetServerError(
        STATE_UNAVAILABLE, f"{_SERVER} at `{shown}` did not answer a moment ago", "try again in a second"
    )


def _printable(data: bytes) -> str:
    text = data[:_MAX_SHOWN].decode("ascii", "replace")
    return "".join(character if character.isprintable() and character != "`" else "?" for character in text)
