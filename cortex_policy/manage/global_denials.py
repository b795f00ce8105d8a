"""Why every check of a root would be denied, whatever its grant: the one answer for all commands that say so."""

from contextlib import suppress

from cortex_policy.core import Value
from cortex_policy.core.model import SETTINGS_INVALID, CortexPolicyError, GrantError, Reason, Settings
from cortex_policy.manage.emergency_stop import find_active_stops, stop_to_json
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.audit_preflight import check_audit_log_writable
from cortex_policy.state.emergency_stop import EmergencyStop, format_resume_command_of_root
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.ledger_preflight import check_state_directory_usable
from cortex_policy.state.settings import read_uncached_settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class GlobalDenials(Value):
    """The stops of a root, and the errors that each of its checks would answer; false if there are none."""

    root: Root
    stops: tuple[EmergencyStop, ...]
    errors: tuple[CortexPolicyError, ...]

    def __bool__(self) -> bool:
        return bool(self.stops or self.errors)

    def without_reasons(self, *reasons: Reason) -> "GlobalDenials":
        """Return these without the errors of some reasons."""
        return GlobalDenials(self.root, self.stops, tuple(one for one in self.errors if one.reason not in reasons))

    @property
    def settings_error(self) -> CortexPolicyError | None:
        """The error of invalid settings, None if the settings are valid."""
        return next((error for error in self.errors if error.reason is SETTINGS_INVALID), None)

    @property
    def sentences(self) -> list[str]:
        """A sentence for each of them."""
        return [*(f"stopped {stop.sentence}" for stop in self.stops), *map(format_global_denial, self.errors)]

    @property
    def hints(self) -> list[str]:
        """What helps against each of them."""
        ending = f"an operator ends the stop with `{format_resume_command_of_root(self.root)}`"
        return [*(stop.hint_if_not_resumable or ending for stop in self.stops), *(error.hint for error in self.errors)]


def format_global_denial(error: CortexPolicyError) -> str:
    """Say that every check answers this error."""
    return f"{error}; every check answers {error.exit_code}"


def find_global_denials(root: Root) -> GlobalDenials:
    """Find what denies every check that the caller makes of a root; make and write nothing."""
    return GlobalDenials(root, find_active_stops(root), tuple(_find_errors_of_root(root)))


def global_denials_to_json_members(denials: GlobalDenials) -> dict[str, object]:
    """Return the members in which every command tells programs why all checks are denied."""
    return {
        "settings": _settings_error_to_json(denials.settings_error),
        "stopped": stop_to_json(denials.stops[0] if denials.stops else None),
        "denied": [_error_to_json(error) for error in denials.errors],
    }


def _error_to_json(error: CortexPolicyError) -> dict[str, object]:
    """Return an error that every check answers as JSON members."""
    return {
        "reason": str(error.reason),
        "exit_code": error.exit_code,
        "problem": error.detail or str(error),
        "hint": error.hint or None,
    }


def _settings_error_to_json(error: CortexPolicyError | None) -> dict[str, object] | None:
    return None if error is None else {"problem": error.detail, "hint": error.hint or None}


def find_stamp_log_and_state_errors(root: Root | None, settings: Settings) -> "Iterator[CortexPolicyError]":
    """Yield the errors that every check would answer because of its settings: stamp, audit log, rate state."""
    checks: list[tuple[Callable[..., None], object]] = [
        (check_audit_log_writable, settings),
        (check_state_directory_usable, settings.state_dir),
    ]
    if root is not None and settings.stamp == "require":
        checks.insert(0, (stamps.check_stamp_exists, root))
    for check, subject in checks:
        try:
            check(subject)
        except CortexPolicyError as error:
            yield error


def _find_errors_of_root(root: Root) -> "Iterator[CortexPolicyError]":
    try:
        settings = read_uncached_settings(root.path)
    except GrantError as error:
        yield error
        settings = None
    trust = TrustCheck(root)
    try:
        with suppress(FileNotFoundError), PolicyDirectory(trust, "tools"):
            trust.raise_if_unsafe()
    except GrantError as error:
        yield error
    if settings is not None:
        yield from find_stamp_log_and_state_errors(root, settings)
    if settings is not None and settings.budgets_url is not None:
        from cortex_policy.manage.budget_server import find_error_denying_calls_or_none  # noqa: PLC0415 - few hosts share budgets

        if (denial := find_error_denying_calls_or_none(settings)) is not None:
            yield denial
