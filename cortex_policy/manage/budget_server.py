"""What a server of shared budgets says of itself, and why every call is denied because of it, if so."""

import time

from cortex_policy.core import Value
from cortex_policy.core.budget_server import parse_budget_server
from cortex_policy.core.model import STATE_UNAVAILABLE, Budget, BudgetServerError, Settings, StateError
from cortex_policy.state.server_budgets_from_settings import (
    make_server_budgets_for_one_call,
    read_budgets_password_or_empty,
)
from cortex_policy.state.shared_budgets.connection import pack_command
from cortex_policy.state.shared_budgets.plausible_server_time import read_nanoseconds_since_boot
from cortex_policy.state.shared_budgets.primary_connection import ServerConnection
from cortex_policy.state.shared_budgets.server_errors import make_answer_error, make_connection_error

_FACTS = b"""
local server, memory = redis.call('INFO', 'server'), redis.call('INFO', 'memory')
local replication, time = redis.call('INFO', 'replication'), redis.call('TIME')
local function find(text, name) return string.match(text, name .. ':([^\\r\\n]+)') or '-' end
local facts = {'facts', find(server, 'redis_version'), find(memory, 'maxmemory_policy'), find(replication, 'role'),
  find(replication, 'connected_slaves'), find(replication, 'min_slaves_good_slaves'), time[1] .. '.' .. time[2],
  find(replication, 'master_replid')}
return {ok = table.concat(facts, ' ')}
"""
_WORDS, _MAX_DIGITS, _SHOWN_DIGITS = 8, 20, 8
_UNKNOWN = "-"


class ServerFacts(Value):
    """Version, eviction policy ('' if it is hidden), role, number of replicas, and how the server's clock differs.

    `needs_replicas` says whether it takes no hits without replicas; `milliseconds` is how long the answer took. Hosts
    that see the same `identity` ask the same server.
    """

    version: str
    policy: str
    role: str
    replicas: int
    needs_replicas: bool
    clock_difference_seconds: float
    milliseconds: float
    identity: str


def read_server_facts(settings: Settings) -> ServerFacts:
    """Ask the server; raise StateError if it cannot be asked."""
    server, asked = parse_budget_server(settings.budgets_url or ""), time.perf_counter_ns()
    deadline = read_nanoseconds_since_boot() + settings.budgets_timeout_ms * 1_000_000
    try:
        connection = ServerConnection(server, read_budgets_password_or_empty(settings), deadline)
        try:
            line = connection.exchange(pack_command(b"EVAL", _FACTS, b"0"), deadline)
        finally:
            connection.close()
    except OSError as error:
        raise make_connection_error(error, server.label, settings.budgets_timeout_ms) from None
    words = line.decode("ascii", "replace").split(" ")
    if words[0] != "+facts" or len(words) != _WORDS:
        raise make_answer_error(line)
    _, version, policy, role, replicas, good, clock, identity = words
    return ServerFacts(
        version, "" if policy == _UNKNOWN else policy, role, _whole_number(replicas), good != _UNKNOWN,
        _seconds(clock) - time.time(), (time.perf_counter_ns() - asked) / 1e6,
        identity[:_SHOWN_DIGITS],
    )  # fmt: skip


def _seconds(clock: str) -> float:
    seconds, _, microseconds = clock.partition(".")
    return _whole_number(seconds) + _whole_number(microseconds) / 1e6


def _whole_number(text: str) -> int:
    """Return a number, 0 for any other text: nobody knows what answers there."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else 0


def find_error_denying_calls_or_none(settings: Settings) -> StateError | None:
    """Return the error that every call answers because of the server, None if there is none."""
    try:
        peek_unused_server_budget(settings)
    except BudgetServerError as error:
        return None if settings.budgets_on_error == "local" else error
    except StateError as error:  # it refuses, or a secret cannot be read
        return BudgetServerError(STATE_UNAVAILABLE, error.detail, error.hint)
    return None


def peek_unused_server_budget(settings: Settings) -> Budget:
    """Raise StateError unless the server answers; return a budget that nobody uses: it is closed if all are."""
    return make_server_budgets_for_one_call(settings).peek("", "", 1)
