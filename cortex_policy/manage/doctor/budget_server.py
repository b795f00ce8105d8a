"""What can be wrong with a server that counts budgets for many hosts, and with what this host knows of it."""

import os
import stat
from shlex import join, quote

from cortex_policy.core.budget_server import parse_budget_server
from cortex_policy.core.model import BudgetServerError, Settings, StateError
from cortex_policy.core.settings import SYSTEM
from cortex_policy.manage.budget_server import ServerFacts, peek_unused_server_budget, read_server_facts
from cortex_policy.manage.doctor.result import OK, PROBLEM, WARNING, CheckResult, make_error_result
from cortex_policy.state.server_budgets_from_settings import read_budgets_key
from cortex_policy.state.shared_budgets.keys import compute_keyed_hash
from cortex_policy.state.valid_settings import read_valid_layers_and_errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

TOLERANCE_SECONDS = 5.0
_FINGERPRINT_DIGITS = 8
_AGREED = ("budgets.name", "budgets.key_file", "budgets.on_error")
_AGREED_IF_LOCAL = ("budgets.local_share", "state_dir")  # each state directory has a share


def examine_budget_server(settings: Settings) -> "Iterator[CheckResult]":
    """Check the key, and the server that the settings name."""
    key, server = _key_result(settings), parse_budget_server(settings.budgets_url or "")
    yield key
    if server.socket:
        yield _socket_result(os.path.dirname(server.socket))
    try:
        facts = read_server_facts(settings)
    except StateError as error:
        yield _silence_result(settings, error)
    else:
        yield from _fact_results(settings, facts)
        if key.status == OK and facts.policy == "noeviction":
            yield _probe_result(settings, facts)
    yield _lock_result(settings)


def _key_result(settings: Settings) -> CheckResult:
    try:
        fingerprint = compute_keyed_hash(read_budgets_key(settings), b"fingerprint")[:_FINGERPRINT_DIGITS]
    except StateError as error:
        return make_error_result("budget-key", error)
    message = f"only this user and root can read `{settings.budgets_key_file}`; its fingerprint is {fingerprint}"
    return CheckResult("budget-key", OK, message)


def _socket_result(directory: str) -> CheckResult:
    """Look whether another user could listen in place of the server, and answer that there is always room."""
    try:
        is_open = bool(os.stat(directory).st_mode & stat.S_IWOTH)
    except OSError:  # the server does not answer either
        is_open = False
    if is_open:
        message = (
            f"while the server is down, any user can listen in its place in `{directory}`: put its socket elsewhere"
        )
        return CheckResult("budget-socket", WARNING, message, f"ls -ld {quote(directory)}")
    return CheckResult("budget-socket", OK, f"not everyone can put a socket into `{directory}`")


def _silence_result(settings: Settings, error: StateError) -> CheckResult:
    """Report a server that does not answer, or refuses, which is a problem even if this host may count by itself."""
    is_counted_here = isinstance(error, BudgetServerError) and settings.budgets_on_error == "local"
    status, more = PROBLEM, "every check answers 24"
    if is_counted_here:
        status, more = WARNING, f"this host counts {settings.budgets_local_share:g} of each limit by itself"
    return CheckResult("budget-server", status, f"{error.detail}; {more}", _client(settings, "ping"))


def _probe_result(settings: Settings, facts: ServerFacts) -> CheckResult:
    """Look at a budget as a call does."""
    try:
        budget = peek_unused_server_budget(settings)
    except StateError as error:
        return make_error_result("budget-server", error)
    server = parse_budget_server(settings.budgets_url or "").label
    if budget.closed:
        seconds = f"{budget.retry_after_seconds or 0:.0f}"
        message = (
            f"`{server}` denies every budget that was not reset, for {seconds} more seconds: {budget.closed_because}"
        )
        return CheckResult("budget-server", WARNING, message, "cortex-policy rate reset ID")
    message = f"`{server}` ({facts.version}, {facts.identity}) counts budgets of the name `{settings.budgets_name}`"
    return CheckResult("budget-server", OK, f"{message}, and answers in {facts.milliseconds:.1f} ms")


def _fact_results(settings: Settings, facts: ServerFacts) -> "Iterator[CheckResult]":
    yield _eviction_result(settings, facts)
    yield _replica_result(settings, facts)
    yield _clock_result(facts)


def _eviction_result(settings: Settings, facts: ServerFacts) -> CheckResult:
    command = _client(settings, "config", "set", "maxmemory-policy", "noeviction")
    if not facts.policy:
        return CheckResult("budget-eviction", PROBLEM, "the server hides its eviction policy", command)
    if facts.policy != "noeviction":
        message = (
            f"the server may evict budgets: its `maxmemory-policy` is `{facts.policy}`, and every check answers 24"
        )
        return CheckResult("budget-eviction", PROBLEM, message, command)
    return CheckResult("budget-eviction", OK, "the server evicts nothing")


def _replica_result(settings: Settings, facts: ServerFacts) -> CheckResult:
    if facts.role != "master":
        return CheckResult(
            "budget-replicas", PROBLEM, f"the server is a {facts.role}", "cortex-policy config get budgets.url"
        )
    if facts.replicas and not facts.needs_replicas:
        message = (
            "a server that lost its replicas goes on counting while another one takes over: budgets could be doubled"
        )
        return CheckResult(
            "budget-replicas", WARNING, message, _client(settings, "config", "set", "min-replicas-to-write", "1")
        )
    return CheckResult("budget-replicas", OK, "no second server can count at the same time")


def _clock_result(facts: ServerFacts) -> CheckResult:
    difference = facts.clock_difference_seconds
    if abs(difference) > TOLERANCE_SECONDS:
        message = (
            f"the server's clock differs by {difference:+.0f} seconds: budgets use it, the audit log uses this host's"
        )
        return CheckResult("budget-clock", WARNING, message, "sudo timedatectl set-ntp true")
    return CheckResult("budget-clock", OK, "the server's clock agrees with this one")


def _lock_result(settings: Settings) -> CheckResult:
    """Check that a server which the system locks cannot be left by another name."""
    locked = {name for layer in read_valid_layers_and_errors(None)[0] if layer.place == SYSTEM for name in layer.locked}
    agreed = [*_AGREED, *(_AGREED_IF_LOCAL if settings.budgets_on_error == "local" else ())]
    missing = [name for name in agreed if name not in locked]
    if "budgets.url" in locked and missing:
        names = ", ".join(f"`{name}`" for name in missing)
        message = f"the system locks `budgets.url`, but not {names}: a user could count in other budgets"
        return CheckResult("budget-lock", WARNING, message, "sudo cortex-policy config edit --system")
    return CheckResult("budget-lock", OK, "the system locks all that hosts must agree on, or nothing")


def _client(settings: Settings, *words: str) -> str:
    """Return the command line that asks the server itself."""
    server, place = parse_budget_server(settings.budgets_url or ""), list[str]()
    if server.socket:
        place = ["-s", server.socket]
    elif server.nodes:
        host, port = server.nodes[0]
        place = ["-h", host, "-p", str(port), *(["--tls"] if server.is_tls else [])]
    user = ["--user", server.user] if server.user else []
    password = ["--askpass"] if settings.budgets_password_file is not None else []
    return join(["redis-cli", *place, *user, *password, *words])
