"""A supervisor that writes files for its agents, where the grant `artefacts` lets it.

    python supervisor.py ROOT < requests.jsonl

Each line of its input is what one agent wants written, `{"agent": ..., "path": ..., "text": ...}`, and each line of its
output is the answer. It ends with 1 where anything was not written.
"""

import json
import os
import secrets
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from typing import Any, BinaryIO

from cortex_policy import AccessDenied, CortexPolicyError, PolicyStore

LONGEST_LINE = 4_000_000  # bytes; the grant says how large a file may be
ONWARD = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def answer_request(store: PolicyStore, request: dict[str, Any]) -> dict[str, object]:
    """Write a file if the grant lets us; say what became of it."""
    path, text = request.get("path"), request.get("text")
    if not isinstance(path, str) or not isinstance(text, str):
        return refusal("bad_request", "`path` and `text` must be strings")
    try:
        data = text.encode()
        decision = store.enforce("artefacts", "write", {"path": path, "size": len(data)})
        (place, _), *_ = decision.paths  # `path` is the one path argument of this call
        if place.resolved is None:  # only where the grant has no scope
            return refusal("not_written", place.error)
        replace(place.resolved, data)
    except AccessDenied as denied:
        return refusal(denied.reason, str(denied), advice(denied), seconds_until(denied))
    except CortexPolicyError as error:  # it could not be decided, so it is denied as well
        return refusal(error.reason, str(error), error.hint)
    except UnicodeEncodeError:
        return refusal("bad_request", "`text` holds what UTF-8 cannot say")
    except OSError as error:
        return refusal("not_written", os.strerror(error.errno or 0).lower())
    return {"written": True, "bytes": len(data)}


def refusal(reason: str, message: str, hint: str = "", retry_after_seconds: float | None = None) -> dict[str, object]:
    """Return the answer for what was not written; only what can be cured by waiting says how long."""
    answer = {"written": False, "reason": reason, "message": message}
    return answer | {"hint": hint or None, "retry_after_seconds": retry_after_seconds}


def advice(denied: AccessDenied) -> str:
    """Say what an agent may do instead: the hint of a denial by its grant has a command that is only for operators."""
    if denied.grant is None:
        return denied.hint
    if denied.reason == "path_outside_scope":
        return f"write below {' or '.join(denied.grant.fs_scope)}"
    return ""


def seconds_until(denied: AccessDenied) -> float | None:
    """Return how long to wait before asking again, None where waiting cures nothing."""
    budget = denied.decision.budget
    return budget.retry_after_seconds if denied.decision.retryable and budget is not None else None


def replace(resolved: str, data: bytes) -> None:
    """Replace a file at a resolved path; a link that appeared on the way after the decision raises an error."""
    *directories, name = resolved.split("/")[1:]
    with ExitStack() as opened:
        here = close_at_end(opened, os.open("/", ONWARD))
        for directory in directories:
            with suppress(FileExistsError):
                os.mkdir(directory, dir_fd=here)
            here = close_at_end(opened, os.open(directory, ONWARD, dir_fd=here))
        draft = f".new-{secrets.token_hex(8)}"
        try:
            with os.fdopen(os.open(draft, NEW, 0o644, dir_fd=here), "wb") as file:
                file.write(data)
            os.replace(draft, name, src_dir_fd=here, dst_dir_fd=here)
        except OSError:
            with suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=here)
            raise


def close_at_end(opened: ExitStack, descriptor: int) -> int:
    """Have a descriptor closed at the end."""
    opened.callback(os.close, descriptor)
    return descriptor


def requests(lines: BinaryIO) -> Iterator[dict[str, Any] | None]:
    """Yield each request, None for what is none; a line without an end fills no memory, and is none."""
    while line := lines.readline(LONGEST_LINE):
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            request = None
        yield request if isinstance(request, dict) else None


def supervise(root: str, asked: Iterable[dict[str, Any] | None]) -> int:
    """Answer each request in turn; return the exit code."""
    is_all_written = True
    with PolicyStore(root) as store:
        for error in store.preload().failures.values():
            print(f"supervisor: {error}; {error.hint}", file=sys.stderr)
        for request in asked:
            answer = (
                refusal("bad_request", "a line is one JSON object")
                if request is None
                else answer_request(store, request)
            )
            is_all_written &= answer["written"] is True
            about = {"agent": request.get("agent"), "path": request.get("path")} if request else {}
            print(json.dumps(about | answer), flush=True)  # in ASCII: a terminal acts on nothing in it
    return 0 if is_all_written else 1


def main() -> int:
    """Supervise in a root; return the exit code."""
    parser = ArgumentParser(description="write files for agents, where a grant lets it")
    parser.add_argument("root", help="the directory that holds .cortex/policy; paths start there")
    try:
        os.chdir(parser.parse_args().root)
        return supervise(".", requests(sys.stdin.buffer))
    except (OSError, CortexPolicyError) as error:
        print(f"supervisor: {error}", file=sys.stderr)
        return 3
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
