"""The settings under which two versions of a grant are compared: what a change allows depends on them."""

from cortex_policy.core.model import GrantError, Settings
from cortex_policy.state.settings import read_uncached_settings


def load_settings_for_grant_comparison(root: str | None) -> Settings:
    """Return the effective settings of a root, or of operators alone; the strictest that matter if they are invalid."""
    try:
        return read_uncached_settings(root)
    except GrantError:
        return Settings(undeclared_args="deny")
