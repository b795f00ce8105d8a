"""Print the state of a root: one screen for people, one object for programs."""

import sys
from collections import Counter
from shlex import quote
from typing import TYPE_CHECKING

import typer

from cortex_policy.cli.output.approvals import request_to_json
from cortex_policy.cli.output.budget_owner import budget_owner_to_json, format_budget_owner
from cortex_policy.cli.output.settings import format_setting_as_typed, setting_to_json
from cortex_policy.cli.streams import make_colour_keeping_stream
from cortex_policy.core.text import escape_message_to_one_line, format_count_with_noun, join_words_that_fit
from cortex_policy.manage.global_denials import global_denials_to_json_members
from cortex_policy.state.local_times import localize_times_if_terminal

if TYPE_CHECKING:
    from cortex_policy.core.settings import EffectiveSetting
    from cortex_policy.manage.budget_owner import BudgetOwner
    from cortex_policy.manage.status import RootStatus

    Line = tuple[str, str]  # a label, '' for more of the last one, and a text

LABEL_WIDTH = 11
DENIED, HINT = "denied", "hint"
_STYLES = {DENIED: "bold red", HINT: "dim"}


def print_root_status(status: "RootStatus") -> None:
    """Print the state: on a terminal in two columns that fold, else a line for each text."""
    lines = [
        (label, escape_message_to_one_line(localize_times_if_terminal(text)))
        for label, text in _format_status_lines(status)
    ]
    if sys.stdout.isatty():
        _print_columns(lines)
        return
    for label, text in lines:
        typer.echo(f"{label:<{LABEL_WIDTH}}{text}")


def _format_status_lines(status: "RootStatus") -> "list[Line]":
    """Return the state as labels and texts; why every check is denied comes first."""
    root = f"{status.root.path}{' (named)' * status.root.is_explicit}"
    return [
        ("root", root),
        *_check_lines(status),
        *[(HINT, _other_user_text(status, one)) for one in status.others.owners],
        *_label_lines("stop", [stop.sentence for stop in status.denials.stops] or ["none"]),
        ("grants", _grants_text(status)),
        *_label_lines("settings", [_setting_text(one) for one in status.settings] or ["none is set"]),
        *_label_lines("budgets", _budget_texts(status)),
        ("audit log", _audit_text(status)),
        ("stamp", _stamp_text(status)),
        *_label_lines("approvals", _approval_texts(status)),
    ]


def _label_lines(label: str, texts: list[str]) -> "list[Line]":
    return [("" if number else label, text) for number, text in enumerate(texts)]


def _check_lines(status: "RootStatus") -> "list[Line]":
    sentences, hints = list(status.denials.sentences), list(status.denials.hints)
    if not sentences and status.unusable is not None:
        sentences, hints = [status.unusable.detail], [status.unusable.hint]
    if not sentences:
        return [("checks", "can be allowed")]
    pairs = zip(sentences, hints, strict=True)
    return [line for sentence, hint in pairs for line in ((DENIED, sentence), (HINT, hint)) if line[1]]


def _other_user_text(status: "RootStatus", other: "BudgetOwner") -> str:
    user, root = quote(other.user or f"#{other.uid}"), quote(status.root.path)
    return f"{other.label} may have other settings: `sudo -u {user} cortex-policy status --root {root}`"


def _grants_text(status: "RootStatus") -> str:
    states = Counter(row.state for row in status.grants)
    return join_words_that_fit([f"{count} {state}" for state, count in states.items()]) or "none"


def _setting_text(one: "EffectiveSetting") -> str:
    effective = one.effective
    return f"{one.setting.name} = {format_setting_as_typed(effective.value)} ({effective.place}: {effective.source})"


def _budget_texts(status: "RootStatus") -> list[str]:
    if status.owner is None:
        return ["unknown: the settings are invalid"]
    others = [f"also counted by {one.label}, in {one.state_dir}" for one in status.others.owners]
    skipped = [f"not looked at: {what}" for what in status.others.unchecked]
    return [format_budget_owner(status.owner).removeprefix("budgets "), *others, *skipped]


def _audit_text(status: "RootStatus") -> str:
    if status.audit_error is not None:
        return f"{status.audit_file}: cannot be written"
    return f"{status.audit_file}, writable" if status.audit_file is not None else "off"


def _stamp_text(status: "RootStatus") -> str:
    stamp = status.stamp
    if stamp.error is not None:
        return f"cannot be used: {stamp.error.detail}"
    if stamp.version is None:
        return "none"
    names = join_words_that_fit([one.id or one.problem for one in stamp.mismatches])
    return f"version {stamp.version}, {f'differs from: {names}' if names else 'matches the grants'}"


def _approval_texts(status: "RootStatus") -> list[str]:
    if status.requests_error is not None:
        return [f"cannot be read: {status.requests_error.detail}"]
    waiting = [
        f"{one.id} {one.grant} {one.action}, {one.expires_in_seconds or 0:.0f} seconds left" for one in status.requests
    ]
    return [f"{format_count_with_noun(len(waiting), 'call')} waiting", *waiting] if waiting else ["no call waits"]


def _print_columns(lines: "list[Line]") -> None:
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, min_width=LABEL_WIDTH - 1)
    table.add_column(overflow="fold")
    for label, text in lines:
        table.add_row(Text(label, style=_STYLES.get(label, "bold")), Text(text, style=_STYLES.get(label, "")))
    Console(file=make_colour_keeping_stream(sys.stdout)).print(table)


def root_status_to_json(status: "RootStatus") -> dict[str, object]:
    """Return the state as JSON members."""
    owner = (
        budget_owner_to_json(status.owner)
        if status.owner is not None
        else {"uid": None, "user": None, "state_dir": None}
    )
    unusable = status.unusable
    return {
        "status": "denied" if status.is_denied else "ok",
        "root": status.root.path,
        **global_denials_to_json_members(status.denials),
        "unusable": {"problem": unusable.detail, "hint": unusable.hint} if unusable is not None else None,
        "grants": dict(Counter(row.state for row in status.grants)),
        "configured": [setting_to_json(one) for one in status.settings],
        "budgets": {
            **owner,
            "other_users": [budget_owner_to_json(one) for one in status.others.owners],
            "not_looked_at": list(status.others.unchecked),
        },
        "audit": _audit_to_json(status),
        "stamp": _stamp_to_json(status),
        "approvals": {
            "waiting": [request_to_json(one) for one in status.requests],
            "problem": status.requests_error.detail if status.requests_error is not None else None,
        },
    }


def _audit_to_json(status: "RootStatus") -> dict[str, object]:
    error = status.audit_error
    return {
        "file": status.audit_file,
        "writable": error is None if status.audit_file is not None else None,
        "problem": error.detail if error is not None else None,
        "hint": error.hint if error is not None else None,
    }


def _stamp_to_json(status: "RootStatus") -> dict[str, object]:
    stamp = status.stamp
    return {
        "version": stamp.version,
        "checksum": stamp.checksum,
        "findings": [{"id": one.id or None, "problem": one.problem} for one in stamp.mismatches],
        "problem": stamp.error.detail if stamp.error is not None else None,
    }
