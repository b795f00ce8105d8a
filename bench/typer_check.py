"""`check` as one would write it with no thought of start-up: Typer, pydantic and filelock, all imported at the top.

`startup.py` times it beside ours: python bench/typer_check.py GRANT ACTION [--path P], in a root.
"""

import json
import os
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, ValidationError

WINDOW_SECONDS = 60
POLICY = Path(".cortex/policy")
STATE = Path(".cortex/peer")


class Rate(BaseModel):
    """How many calls of `tool:action` a sliding minute may hold."""

    per_minute: int = Field(alias="perMinute", ge=1)


class Grant(BaseModel):
    """What a tool may do; members that it does not know are ignored, as by ours."""

    model_config = ConfigDict(frozen=True)

    tool: str = Field(min_length=1)
    actions: list[str]
    rate: Rate
    args: dict[str, dict[str, Any]] = {}
    fs_scope: list[str] = Field(alias="fsScope", default=[])


def within(scopes: list[str], path: str) -> bool:
    """Whether a path, with its links resolved, is a scope or lies below one."""
    real = Path(os.path.realpath(path))
    return not scopes or any(real.is_relative_to(os.path.realpath(scope)) for scope in scopes)


def take(budget: str, limit: int) -> bool:
    """Count a hit in a JSON list of times if the window has room for it."""
    STATE.mkdir(mode=0o700, exist_ok=True)
    file = STATE / f"{budget}.json"
    with FileLock(f"{file}.lock"):
        now = time.time()
        hits = json.loads(file.read_text()) if file.exists() else []
        live = [at for at in hits if now - at < WINDOW_SECONDS]
        if len(live) >= limit:
            return False
        file.write_text(json.dumps([*live, now]))
        return True


def check(grant: str, action: str, path: Annotated[str | None, typer.Option()] = None) -> None:
    """Decide a call, and count it if it is allowed."""
    try:
        found = Grant.model_validate_json((POLICY / "tools" / f"{grant}.json").read_bytes())
    except (OSError, ValidationError) as error:
        typer.echo(error, err=True)
        raise typer.Exit(21) from None
    if action not in found.actions:
        raise typer.Exit(10)
    if path is not None and not within(found.fs_scope, path):
        raise typer.Exit(12)
    if not take(f"{found.tool}:{action}", found.rate.per_minute):
        raise typer.Exit(14)


if __name__ == "__main__":
    typer.run(check)
