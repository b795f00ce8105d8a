"""What was done to a root as rows and as JSON."""

from typing import TYPE_CHECKING

from cortex_policy.core.compare.verdicts import SAME
from cortex_policy.manage.history.write_and_command_timeline import Timeline, make_entry_diffs
from cortex_policy.state.control_command_record import CommandRecord
from cortex_policy.state.history_entry import HistoryEntry
from cortex_policy.state.local_times import localize_times_if_terminal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cortex_policy.manage.diff.grants import GrantDiff

    Step = HistoryEntry | CommandRecord
    Texts = Mapping[str, bytes]

WHOLE_GRANT = "grant"  # the field of a grant that is new, or allows nothing any more
INTERRUPTED = "interrupted; it may not have been done"


def timeline_step_to_row(step: "Step", texts: "Texts") -> tuple[str, ...]:
    """Return the cells of a write or a command."""
    if isinstance(step, CommandRecord):
        version, what, meaning = "-", _command_text(step), _command_meaning_text(step)
    else:
        version, what = str(step.version), f"{step.command} {', '.join(step.ids)}".strip()
        meaning = _entry_meaning_text(step, texts)
    return (version, localize_times_if_terminal(step.written_at), str(step.author), what, meaning)


def _command_text(record: CommandRecord) -> str:
    where = f" --{record.place}" if record.command.startswith("config ") else ""
    host = " (this host)" if record.command == "stop" and record.place != "project" else ""
    return f"{record.command} {record.subject}".strip() + where + host


def _command_meaning_text(record: CommandRecord) -> str:
    is_verdict = record.verdict not in (None, SAME)
    said = f"{record.verdict}: {record.detail}" if is_verdict else localize_times_if_terminal(record.detail)
    return said if record.is_finished else "; ".join(filter(None, (INTERRUPTED, said)))


def _entry_meaning_text(entry: HistoryEntry, texts: "Texts") -> str:
    if entry.has_unknown_previous:
        return "recorded as found; cannot be undone"
    changes = make_entry_diffs(entry, texts)
    changed = _changes_text(changes) if len(changes) == len(entry.changes) else entry.widened
    said = f"{entry.verdict}: {changed}" if changed else entry.verdict
    accepted = "hand edit, accepted" if entry.command == "stamp write" else None
    return "; ".join(filter(None, (accepted, said)))


def _changes_text(changes: "Mapping[str, GrantDiff]") -> str:
    said = {name: "; ".join(_field_texts(change)) for name, change in changes.items()}
    return "; ".join(text if len(said) == 1 else f"{name}: {text}" for name, text in said.items() if text)


def _field_texts(change: "GrantDiff") -> list[str]:
    return [
        part.sentence if part.field == WHOLE_GRANT else f"{part.field} {part.sentence}"
        for part in change.meaning.fields
        if part.sentence
    ]


def timeline_to_json(timeline: Timeline, steps: "tuple[Step, ...]") -> dict[str, object]:
    """Return the JSON members: the writes and the commands, each newest first."""
    return {
        "entries": [_entry_to_json(step, timeline.texts) for step in steps if isinstance(step, HistoryEntry)],
        "commands": [_command_to_json(step) for step in steps if isinstance(step, CommandRecord)],
        "problems": [{"file": corrupt.file, "problem": corrupt.problem} for corrupt in timeline.corrupt_entries],
        "warning": timeline.unsafe_error.detail if timeline.unsafe_error is not None else None,
    }


def _author_members(step: "Step") -> dict[str, object]:
    author = step.author
    return {"written_at": step.written_at, "user": author.user, "uid": author.uid, "sudo_user": author.sudo_user}


def _command_to_json(record: CommandRecord) -> dict[str, object]:
    return {
        **_author_members(record),
        "command": record.command,
        "subject": record.subject or None,
        "grant": record.grant_id,
        "place": record.place,
        "verdict": record.verdict,
        "detail": record.detail or None,
        "finished": record.is_finished,
    }


def _entry_to_json(entry: HistoryEntry, texts: "Texts") -> dict[str, object]:
    changes = make_entry_diffs(entry, texts)
    return {
        "version": entry.version,
        **_author_members(entry),
        "command": entry.command,
        "verdict": entry.verdict,
        "widened": entry.widened or None,
        "grants": [
            {
                "id": one.id, "old": one.old, "new": one.new, "kept": one.is_restorable,
                "changes": _fields_to_json(changes[one.id]) if one.id in changes else None,
            }
            for one in entry.changes
        ],
        "blind": entry.has_unknown_previous,
    }  # fmt: skip


def _fields_to_json(change: "GrantDiff") -> list[dict[str, object]]:
    return [
        {"field": part.field, "verdict": part.verdict, "sentence": part.sentence}
        for part in change.meaning.fields
        if part.sentence
    ]
