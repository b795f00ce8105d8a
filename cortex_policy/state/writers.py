"""The lock that writers of grants take: the only place that imports filelock."""

from contextlib import contextmanager

from cortex_policy.core.model import CortexPolicyError, Reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_DONE = Reason("not_done", "not done, nothing was changed", 3)


class NotDone(CortexPolicyError):
    """A write was refused or could not be made; nothing changed: exit 3."""

    def __init__(self, detail: str, hint: str = "") -> None:
        """Say what stood in the way."""
        super().__init__(NOT_DONE, detail, hint)


@contextmanager
def locked(root: str, wait_seconds: float = 0.0) -> "Iterator[None]":
    """Hold the writers' lock of a root; raise NotDone where another holds it, or the disk refuses a write."""
    from filelock import FileLock, Timeout  # noqa: PLC0415 - 50 ms, and only a writer needs it

    file = f"{root.rstrip('/')}/.cortex/policy/.lock"
    try:
        with FileLock(file, timeout=wait_seconds, mode=0o600, fallback_to_soft=False):
            yield
    except Timeout:
        raise NotDone(f"another process is writing grants (it holds `{file}`)", "try again when it is done") from None
    except OSError as error:
        raise NotDone(f"`{error.filename or file}`: {(error.strerror or str(error)).lower()}") from None
