"""The error of commands that change nothing after all; no check raises it."""

from cortex_policy.core.model import NOT_DONE, CortexPolicyError


class NotDoneError(CortexPolicyError):
    """A write was refused or could not be made; nothing changed: exit 3."""

    def __init__(self, detail: str, hint: str = "") -> None:
        """Store the reason and a hint."""
        super().__init__(NOT_DONE, detail, hint)
