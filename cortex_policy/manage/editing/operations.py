"""What operators do to grants: each is one write, whose meaning is put to whoever must consent before it is made."""

from cortex_policy.core.decode import MAX_BYTES, decode
from cortex_policy.core.model import GRANT_INVALID, CortexPolicyError, GrantError, UsageError, Value
from cortex_policy.manage.diff.grants import Change, changed
from cortex_policy.manage.diff.unified import difference
from cortex_policy.manage.editing import set_fields
from cortex_policy.manage.editing.formatting import formatted
from cortex_policy.manage.transaction.writer import writing
from cortex_policy.state import Root
from cortex_policy.state.grants import Directory, Trust, check_id, is_grant_id, read_grant
from cortex_policy.state.grants_errors import root_option
from cortex_policy.state.writer_lock import AT_ONCE, NotDone, Patience

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cortex_policy.manage.transaction.writer import Writer

    Consent = Callable[[Change], None]  # raises where the answer is no

_NEW = '{"tool": "t", "actions": [], "rate": {"perMinute": 1}, "dataClass": "internal"}'


class Written(Value):
    """What became of a grant: what that means, its text as a unified diff, and whether it was written.

    The version is that of the stamp; None where nothing was written, or where the next write finishes the stamp.
    """

    change: Change
    diff: str
    is_written: bool = False
    version: int | None = None


class Laid(Value):
    """A grant that was looked at for its layout, or the error that stood in the way."""

    id: str
    written: Written | None
    error: CortexPolicyError | None = None

    @property
    def differs(self) -> bool:
        """Whether its layout is, or was, not the canonical one."""
        return self.written is not None and bool(self.written.diff)


def planned(root: Root, grant_id: str, wanted: set_fields.Change) -> Written:
    """Return what `edited` would write; take no lock."""
    check_id(grant_id)
    old = _standing(root, grant_id)
    return _unwritten(grant_id, old, _changed(root, grant_id, old, wanted))


def edited(
    root: Root, grant_id: str, wanted: set_fields.Change, consent: "Consent", patience: Patience = AT_ONCE
) -> Written:
    """Make a change to a grant; one that holds already writes nothing, and asks nobody."""
    check_id(grant_id)
    with writing(root, patience, "set") as writer:
        old = _read(writer, grant_id)
        new = _changed(root, grant_id, old, wanted)
        return _unwritten(grant_id, old, old) if new == old else _put(writer, grant_id, old, new, consent)


def drafted(wanted: set_fields.Change) -> str:
    """Return the text of a new grant, in its canonical layout; raise UsageError for what cannot be in one."""
    return formatted(set_fields.change(_NEW, wanted).text)


def made(root: Root, grant_id: str, text: str, consent: "Consent", patience: Patience = AT_ONCE) -> Written:
    """Write a new grant."""
    check_new_id(grant_id)
    with writing(root, patience, "new") as writer:
        _refuse_existing(writer, grant_id)
        return _put(writer, grant_id, None, text.encode(), consent)


def copied(root: Root, grant_id: str, other: str, consent: "Consent", patience: Patience = AT_ONCE) -> Written:
    """Write the bytes of a grant as a new one."""
    check_id(grant_id)
    check_new_id(other)
    with writing(root, patience, "copy") as writer:
        data = _read(writer, grant_id)
        _refuse_existing(writer, other)
        _refuse_invalid(root, grant_id, data)
        return _put(writer, other, None, data, consent, writer.mode(grant_id))


def removed(root: Root, grant_id: str, consent: "Consent", patience: Patience = AT_ONCE) -> Written:
    """Remove a grant, whether it is valid or not."""
    check_id(grant_id)
    with writing(root, patience, "remove") as writer:
        old = _read(writer, grant_id)
        found = _unwritten(grant_id, old, None)
        writer.check_stamped(grant_id, old)
        consent(found.change)
        return Written(found.change, found.diff, is_written=True, version=writer.remove(grant_id, old))


def renamed(root: Root, grant_id: str, other: str, patience: Patience = AT_ONCE) -> Written:
    """Give a grant another id; it allows what it allowed, so nobody is asked."""
    check_id(grant_id)
    check_new_id(other)
    with writing(root, patience, "rename") as writer:
        old = _read(writer, grant_id)
        _refuse_existing(writer, other)
        if not writer.is_own:
            _refuse_invalid(root, grant_id, old)
        return Written(changed(other, old, old), "", is_written=True, version=writer.rename(grant_id, other, old))


def unformatted(root: Root, grant_ids: tuple[str, ...]) -> "Iterator[Laid]":
    """Yield what `laid_out` would write; take no lock. No ids at all are all grants."""
    for grant_id in _named(root, grant_ids):
        try:
            old = _standing(root, grant_id)
            yield Laid(grant_id, _unwritten(grant_id, old, _canonical(root, grant_id, old)))
        except GrantError as error:
            yield Laid(grant_id, None, error)


def laid_out(root: Root, grant_ids: tuple[str, ...], patience: Patience = AT_ONCE) -> "Iterator[Laid]":
    """Write each grant in its canonical layout, and yield what became of it; one that cannot be is passed over."""
    with writing(root, patience, "fmt") as writer:
        for grant_id in _named(root, grant_ids):
            try:
                written = _laid_out(writer, grant_id)
            except (GrantError, NotDone) as error:
                yield Laid(grant_id, None, error)
            else:
                yield Laid(grant_id, written)


def _laid_out(writer: "Writer", grant_id: str) -> Written:
    old = _read(writer, grant_id)
    new = _canonical(writer.root, grant_id, old)
    if new == old:
        return _unwritten(grant_id, old, old)
    try:
        return _put(writer, grant_id, old, new)
    except OSError as error:  # told of this grant alone: those before it are written
        raise NotDone(f"`{error.filename}`: {(error.strerror or str(error)).lower()}") from None


def check_new_id(word: str) -> None:
    """Raise UsageError for a word that can name no grant."""
    if not is_grant_id(word):
        hint = "an id is letters, digits, `.`, `_` and `-`, and starts with a letter or digit"
        raise UsageError(f"`{word}` cannot be an id", hint)


def check_absent(root: Root, grant_id: str) -> None:
    """Raise NotDone where a grant stands already; take no lock."""
    if grant_id in _named(root, ()):
        raise _existing(root, grant_id)


def _put(
    writer: "Writer", grant_id: str, old: bytes | None, new: bytes, consent: "Consent | None" = None, mode: int = 0o644
) -> Written:
    found = _unwritten(grant_id, old, new)
    if found.change.new.grant is None:
        raise AssertionError("an edit went wrong: nothing was written")  # a bug of ours, and it ends as one
    if consent is not None:
        writer.check_closed(grant_id)  # nobody is asked for what would be refused
        writer.check_stamped(grant_id, old)
        consent(found.change)
    return Written(found.change, found.diff, is_written=True, version=writer.put(grant_id, old, new, mode))


def _unwritten(grant_id: str, old: bytes | None, new: bytes | None) -> Written:
    return Written(changed(grant_id, old, new), difference(grant_id, old, new))


def _read(writer: "Writer", grant_id: str) -> bytes:
    data = writer.read(grant_id)
    if data is None:
        raise _missing(writer.root, grant_id)
    return data


def _standing(root: Root, grant_id: str) -> bytes:
    try:
        with Directory(Trust(root), "tools") as tools:
            return tools.read(f"{grant_id}.json", MAX_BYTES + 1)
    except FileNotFoundError:
        raise _missing(root, grant_id) from None


def _missing(root: Root, grant_id: str) -> Exception:
    try:
        read_grant(root, grant_id)  # it knows what ids there are
    except GrantError as error:
        return error
    return NotDone(f"`{grant_id}` was made just now", "look at it, then try again")


def _refuse_existing(writer: "Writer", grant_id: str) -> None:
    if writer.read(grant_id) is not None:
        raise _existing(writer.root, grant_id)


def _existing(root: Root, grant_id: str) -> NotDone:
    return NotDone(f"`{grant_id}` is there already", f"see it with `cortex-policy show {grant_id}{root_option(root)}`")


def _refuse_invalid(root: Root, grant_id: str, data: bytes) -> None:
    try:
        decode(data, grant_id)
    except GrantError:
        from cortex_policy.schema.lint import examine  # noqa: PLC0415 - a sound grant needs no rules
        from cortex_policy.schema.problems import placed  # noqa: PLC0415

        first, *more = placed(f"{root.tools}/{grant_id}.json", data, examine(data, grant_id)[1])
        others = f" (and {len(more)} more)" if more else ""
        detail = f"`{first.file}:{first.line}:{first.column}`: {first.message}{others}"
        raise GrantError(
            GRANT_INVALID, detail, f"mend it with `cortex-policy edit {grant_id}{root_option(root)}`"
        ) from None


def _changed(root: Root, grant_id: str, old: bytes, wanted: set_fields.Change) -> bytes:
    _refuse_invalid(root, grant_id, old)
    edit = set_fields.change(old.decode(), wanted, grant_id)
    return old if edit.is_unchanged else edit.text.encode()


def _canonical(root: Root, grant_id: str, old: bytes) -> bytes:
    _refuse_invalid(root, grant_id, old)
    new = formatted(old.decode()).encode()
    if len(new) > MAX_BYTES:
        raise GrantError(GRANT_INVALID, f"`{grant_id}` would be larger than {MAX_BYTES} bytes in its canonical layout")
    return new


def _named(root: Root, grant_ids: tuple[str, ...]) -> tuple[str, ...]:
    for grant_id in grant_ids:
        check_id(grant_id)
    if grant_ids:
        return tuple(dict.fromkeys(grant_ids))
    try:
        with Directory(Trust(root), "tools") as tools:
            return tuple(tools.grant_ids())
    except FileNotFoundError:
        return ()
