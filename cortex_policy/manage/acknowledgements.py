"""Wait for the readers of a root: a write is done when those who decide by it have said so."""

from time import monotonic, sleep

from cortex_policy.library.acknowledgements import Acknowledgement, active_acknowledgements, check_name
from cortex_policy.manage.stamp import POLL_SECONDS
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.writer_lock import NotDone


def wait_for_readers(
    root: Root, name: str, version: int | None = None, timeout_seconds: float | None = None
) -> tuple[Acknowledgement, ...]:
    """Return what the living processes of a reader acknowledge, once there is one, and all run at least this version.

    Without a version it is that of the stamp as it stands. Raises NotDone at the time-out, None for none, and where
    there is neither a version nor a stamp.
    """
    check_name(name)
    wanted = _stamp_version(root) if version is None else version
    deadline = None if timeout_seconds is None else monotonic() + timeout_seconds
    while True:
        told = tuple(sorted(active_acknowledgements(root, name), key=lambda each: each.pid))
        if told and all(each.version >= wanted for each in told):
            return told
        if deadline is not None and not monotonic() < deadline:
            raise NotDone(_late_readers(name, told, wanted))
        sleep(POLL_SECONDS)


def _stamp_version(root: Root) -> int:
    stamp = stamps.read(root)
    if stamp is None:
        raise NotDone(
            "there is no stamp, whose version a reader could run", "write one with `cortex-policy stamp write`"
        )
    return stamp.version


def _late_readers(name: str, told: tuple[Acknowledgement, ...], wanted: int) -> str:
    if not told:
        return f"no process has acknowledged anything as reader `{name}`"
    late = [each for each in told if each.version < wanted]
    processes = ", ".join(f"process {each.pid} runs version {each.version}" for each in late)
    return f"reader `{name}` does not run version {wanted} yet: {processes}"
