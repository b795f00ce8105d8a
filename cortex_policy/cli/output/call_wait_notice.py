"""What a check says while it waits: who can end the wait, and on a terminal how long it still takes."""

import os

from cortex_policy.core.model import WAITING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.check import Call
    from cortex_policy.core.model import Decision


class WaitNotice:
    """Lines on standard error during a wait. Nothing of it is on standard output, and `-q` and `--json` have none."""

    def __init__(self) -> None:
        """Say nothing yet."""
        self._is_terminal = os.isatty(2)
        self._request_id = ""
        self._width = 0

    def show(self, decision: "Decision", seconds_left: float) -> None:
        """Name a new request at once; on a terminal, count down in one line."""
        approval = decision.approval
        if approval is not None and approval.status == WAITING and approval.id != self._request_id:
            self._request_id = approval.id
            command = f"cortex-policy approve {approval.id}"
            self._write_to_stderr(self._erasing_text() + f"request {approval.id} waits for a human: {command}\n")
        if self._is_terminal:
            line = _countdown_text(decision, seconds_left)
            self._write_to_stderr(self._erasing_text() + line)
            self._width = len(line)

    def end(self) -> None:
        """Remove the countdown from the screen."""
        self._write_to_stderr(self._erasing_text())

    def _erasing_text(self) -> str:
        width, self._width = self._width, 0
        return f"\r{' ' * width}\r" if width else ""

    def _write_to_stderr(self, text: str) -> None:
        try:
            os.write(2, text.encode())
        except OSError:
            return  # the answer does not depend on who reads it


def make_call_wait_notifier_or_none(call: "Call") -> WaitNotice | None:
    """Return the notice of a call that may wait and may print; None for any other."""
    return None if call.quiet or call.json or not call.wait_seconds else WaitNotice()


def _countdown_text(decision: "Decision", seconds_left: float) -> str:
    budget = decision.budget
    if budget is None or budget.retry_after_seconds is None:
        return f"waiting for a human, {seconds_left:.0f} s left"
    return f"waiting for budget: a call fits in {budget.retry_after_seconds:.0f} s, {seconds_left:.0f} s left"
