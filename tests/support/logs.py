"""Audit logs as the writer makes them, for what reads them."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cortex_policy.manage.audit import verify
from cortex_policy.manage.audit.log_files import list_log_files, open_logs

START = datetime(2026, 11, 25, 8, tzinfo=UTC)


def event(  # noqa: PLR0913 - one for each member that tests care about
    seconds: float,
    action: str,
    reason: str = "allowed",
    *,
    grant: str = "git",
    args: Mapping[str, object] | Sequence[str] = (),
    paths: Sequence[Mapping[str, str]] | None = None,
    full: bool = True,
    root: str | None = None,
    **more: object,
) -> str:
    """Return the line of one decision, so many seconds after START."""
    data: dict[str, object] = {"decision": reason == "allowed", "reason": reason, "grant": grant, "action": action}
    data |= {"version": None, "args": args or ({} if full else []), "traceId": None, "brand": "brAInwav"}
    data["component"] = "policy"
    if root is not None:
        data["root"] = root
    if full:
        data |= {"cwd": "/r", "cost": 1, "paths": list(paths or ())}
    at = (START + timedelta(seconds=seconds)).isoformat(timespec="microseconds").replace("+00:00", "Z")
    kind = {"source": f"cortex.policy/{grant}", "type": f"com.cortex.{grant}.{action}", "time": at}
    return json.dumps({"specversion": "1.0", "id": "0" * 32} | kind | {"data": data | more})


def on_path(seconds: float, action: str, path: str, reason: str = "allowed", **more: object) -> str:
    """Return the line of a decision about one path below the root, where no link is."""
    return event(seconds, action, reason, args={"path": path}, paths=[place(path)], **more)  # type: ignore[arg-type]


def place(path: str, **other: str) -> dict[str, str]:
    """Return a path as it is logged, with no link on its way."""
    return {"argument": "path", "given": path, "collapsed": path, "landed": path, "resolved": f"/r/{path}"} | other


def verified(log: Path) -> verify.VerifyResult:
    """Verify a log with all that it was rotated to: nothing in it may look like tampering."""
    with open_logs(list_log_files(str(log))) as files:
        found = verify.verify_chain(files, None, iter)
    assert found.breaks == ()
    return found


def events(log: Path) -> list[dict[str, Any]]:
    """Return the events of a log, none if it does not exist; an empty line is none."""
    return [json.loads(line) for line in log.read_text().splitlines() if line] if log.exists() else []


def digest(data: bytes) -> str:
    """Return SHA-256 in hexadecimal, by the standard library."""
    return hashlib.sha256(data).hexdigest()
