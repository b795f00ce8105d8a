"""What happens in a root at this moment: its state, its budgets, and the last calls."""

from contextlib import suppress

from cortex_policy.core import Value
from cortex_policy.core.model import GrantError, StateError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.audit.last_calls import read_last_calls
from cortex_policy.manage.budgets import BudgetStatus, list_budgets
from cortex_policy.manage.status import RootStatus, read_status
from cortex_policy.state import Root
from cortex_policy.state.settings import read_uncached_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.manage.audit.reader import Event

MAX_CALLS = 200


class LiveStatus(Value):
    """The state of a root, its budgets, and its last calls; `calls_problem` says why there are none, if so."""

    status: RootStatus
    budgets: tuple[BudgetStatus, ...]
    calls: "tuple[Event, ...]"
    calls_problem: str


def read_live_status(root: Root) -> LiveStatus:
    """Return what happens in a root at this moment, as far as it can be read."""
    budgets: tuple[BudgetStatus, ...] = ()
    with suppress(GrantError, StateError):  # one that denies every check: the status says which
        budgets = list_budgets(root)
    calls, problem = read_last_calls_and_problem(root)
    return LiveStatus(read_status(root), budgets, calls, problem)


def read_last_calls_and_problem(root: Root) -> "tuple[tuple[Event, ...], str]":
    """Return the last calls of a root, and why there are none, '' if they can be read."""
    try:
        settings = read_uncached_settings(root.path)
        if settings.audit_file is None:
            return (), "the audit log is off"
        return read_last_calls(root, settings, MAX_CALLS), ""
    except GrantError:
        return (), "the settings are invalid"
    except NotDoneError as error:
        return (), error.detail
    except OSError as error:
        return (), f"`{settings.audit_file}`: {format_os_error_cause(error)}"
