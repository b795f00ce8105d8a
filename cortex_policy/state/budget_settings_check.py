"""What must be set beside `budgets.url`, and how; without it no call is decided."""

from cortex_policy.core.settings import SYSTEM, resolve_setting
from cortex_policy.state.settings_errors import make_invalid_settings_error

MAX_TIMEOUT_MS = 10_000

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.model import Settings
    from cortex_policy.core.settings import Layer


def raise_if_budget_settings_incomplete(settings: "Settings", layers: "list[Layer]") -> None:
    """Raise GrantError (settings_invalid) if budgets have a server, but not all that all hosts must agree on."""
    url = resolve_setting(layers, "budgets.url").effective
    option = " --system" if url.place == SYSTEM else ""
    for name, value, why, example in (
        ("name", settings.budgets_name, "hosts share the budgets of one name", "NAME"),
        ("key_file", settings.budgets_key_file, "a key hides tools and actions from the server", "FILE"),
        ("local_share", _share_or_none(settings), "`budgets.on_error` is `local`", "0.25"),
    ):
        if value is None:
            message = f"`budgets.url` is set, and `budgets.{name}` is not: {why}"
            hint = f"set it with `cortex-policy config set budgets.{name} {example}{option}`"
            raise make_invalid_settings_error(url.source, message, hint)
    if not 0 < settings.budgets_timeout_ms <= MAX_TIMEOUT_MS:
        timeout = resolve_setting(layers, "budgets.timeout_ms").effective
        message = f"`budgets.timeout_ms` is `{timeout.value}`"
        raise make_invalid_settings_error(timeout.source, message, f"it must be from 1 to {MAX_TIMEOUT_MS}")


def _share_or_none(settings: "Settings") -> float | None:
    """Return the share of this host, None if a call that is counted here could never be allowed."""
    return (settings.budgets_local_share or None) if settings.budgets_on_error == "local" else 1.0
