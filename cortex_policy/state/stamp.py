"""The stamp of the grants: a version and checksum, so that a cache of grants knows when to drop them."""

from cortex_policy.core import Value
from cortex_policy.core.decode import HOOKS_TOML, MalformedError, decode_json, to_whole_number
from cortex_policy.core.model import STAMP_MISMATCH, GrantError
from cortex_policy.state import Root, make_policy_directory_path, sha256
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, is_grant_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from cortex_policy.core.model import Grant

FORMAT = 1
MAX_BYTES = 1 << 24  # 100,000 grants
MEMBERS = ("format", "version", "checksum", "grants", "hooks", "pending")
NEWER = "use the program that wrote it, or upgrade this one"
VERSIONS = range(1, 1 << 53)  # whole numbers in every reader's language


class Stamp(Value):
    """A version, the digest of each grant and of `hooks.toml`, and those of writes that were interrupted (old, new)."""

    version: int
    digests: "Mapping[str, str]"
    pending: "Mapping[str, tuple[str | None, str | None]]"
    unknown: tuple[str, ...] = ()  # members that a newer program wrote

    @property
    def checksum_of_digests(self) -> str:
        """The digest of all names and their digests, so that equal trees have equal checksums."""
        return compute_checksum_of_digests(self.digests)

    @property
    def grant_digests(self) -> dict[str, str]:
        """The digest of each grant, by its id; without that of `hooks.toml`."""
        return {name: self.digests[name] for name in self.digests if name != HOOKS_TOML}

    def accepts(self, name: str, digest: str | None) -> bool:
        """Whether a digest of a grant, or of `hooks.toml`, is stamped, or of a pending write; None means no file."""
        return digest == self.digests.get(name) or digest in self.pending.get(name, ())


def compute_content_digest(data: bytes) -> str:
    """Return the digest of the bytes of a grant, or of `hooks.toml`."""
    return f"sha256:{sha256(data).hexdigest()}"


def compute_checksum_of_digests(digests: "Mapping[str, str]") -> str:
    """Return the checksum over the sorted lines `<name> <digest>`."""
    return compute_content_digest("".join(f"{name} {digests[name]}\n" for name in sorted(digests)).encode())


def make_stamp_path(root: str) -> str:
    """Return the file of the stamp of a root."""
    return f"{make_policy_directory_path(root)}/stamp.json"


def encode_stamp(stamp: Stamp) -> bytes:
    """Return the bytes of a stamp: one grant a line, sorted.

    Git takes changes of neighbouring lines for a conflict, so empty lines keep the grants apart. Only the lines of
    version and checksum, which every write changes, are then left to `stamp merge`.
    """
    import json  # noqa: PLC0415 - 8 ms, and only writers need it

    of_grants = stamp.grant_digests
    lines = [f"    {json.dumps(grant_id)}: {json.dumps(of_grants[grant_id])}" for grant_id in sorted(of_grants)]
    body = ",\n\n".join(lines)
    grants = f"{{\n\n{body}\n\n  }}" if lines else "{}"
    hooks = f',\n  "hooks": {json.dumps(stamp.digests[HOOKS_TOML])}' if HOOKS_TOML in stamp.digests else ""
    pending = f',\n  "pending": {json.dumps(dict(stamp.pending), sort_keys=True)}' if stamp.pending else ""
    head = f'  "format": {FORMAT},\n  "version": {stamp.version},\n  "checksum": "{stamp.checksum_of_digests}",\n'
    return f'{{\n{head}  "grants": {grants}{hooks}{pending}\n}}\n'.encode()


def read_stamp_bytes(policy: PolicyDirectory) -> bytes | None:
    """Return the bytes of the stamp in a policy directory, None if there is none."""
    try:
        return policy.read("stamp.json", MAX_BYTES + 1)
    except FileNotFoundError:
        return None


def read_stamp(root: Root) -> Stamp | None:
    """Read the stamp, None if there is none; raise GrantError (22, 23) if it is unsafe or broken."""
    try:
        with PolicyDirectory(TrustCheck(root)) as policy:
            data = read_stamp_bytes(policy)
    except FileNotFoundError:
        return None
    return decode_stamp_of_root(data, root) if data is not None else None


def check_grant_in_stamp_on_disk(grant: "Grant") -> None:
    """Raise GrantError (stamp_mismatch) if there is no stamp, or it does not accept the grant."""
    origin = grant.origin
    if origin is None:
        return  # it was not read from a file, so no stamp applies
    root = Root(origin.root, trusts_owner=True)  # the path to it was checked when the grant was read
    try:
        raise_if_file_not_stamped(root, grant.id, f"sha256:{origin.sha256}")
    except GrantError as error:
        error.root, error.file, error.sha256 = origin.root, origin.file, origin.sha256
        raise


def raise_if_file_not_stamped(root: Root, name: str, digest: str) -> None:
    """Raise GrantError (stamp_mismatch, or grant_unsafe) if the stamp does not accept a file of the policy."""
    stamp = _read_stamp_or_refuse_unsafe(root)
    if stamp is None or not stamp.accepts(name, digest):
        raise _mismatch_error(stamp, name, root)


def check_stamp_exists(root: Root) -> None:
    """Raise GrantError (stamp_mismatch, or grant_unsafe) if no grant of a root can match its stamp."""
    if (
        _read_stamp_or_refuse_unsafe(Root(root.path, trusts_owner=True)) is None
    ):  # as `check_grant_in_stamp_on_disk` does
        raise _mismatch_error(None, "", root)


def _read_stamp_or_refuse_unsafe(root: Root) -> Stamp | None:
    trust = TrustCheck(root)
    try:
        with PolicyDirectory(trust) as policy:
            data = read_stamp_bytes(policy)
    except FileNotFoundError:
        return None
    trust.raise_if_unsafe()
    return decode_stamp_of_root(data, root) if data is not None else None


def _mismatch_error(stamp: Stamp | None, name: str, root: Root) -> GrantError:
    from cortex_policy.state.grants_errors import format_root_option, make_hand_edit_hint  # noqa: PLC0415 - only a failure needs it

    where = format_root_option(root)
    if stamp is None:
        why = "there is no stamp, and the setting `stamp` requires one"
        return GrantError(STAMP_MISMATCH, why, f"an operator writes one with `cortex-policy stamp write{where}`")
    why = f"`{name}` does not match its stamp in version {stamp.version}"
    return GrantError(STAMP_MISMATCH, why, f"an operator can {make_hand_edit_hint(where, name)}")


def decode_stamp_of_root(data: bytes, root: Root) -> Stamp:
    """Decode the stamp of a root; raise GrantError (stamp_mismatch), which names the file, if it is broken."""
    try:
        return parse_stamp(data)
    except MalformedError as error:
        from cortex_policy.state.grants_errors import format_root_option  # noqa: PLC0415 - only a failure needs it

        merge, write = (f"`cortex-policy stamp {word}{format_root_option(root)}`" for word in ("merge", "write"))
        hint = (
            NEWER
            if isinstance(error, _NewerFormat)
            else f"after a merge use {merge}; otherwise make a new one with {write}"
        )
        raise GrantError(STAMP_MISMATCH, f"`{make_stamp_path(root.path)}`: {error}", hint) from None


def parse_stamp(data: bytes) -> Stamp:
    """Decode a stamp; raise MalformedError if it is broken."""
    return _decode_document(decode_json(data, MAX_BYTES))


class _NewerFormat(MalformedError):
    """A stamp of another format than ours."""


def _decode_document(document: object) -> Stamp:
    """Return the stamp of a decoded document; raise MalformedError if it is none, or its checksum is wrong."""
    if not isinstance(document, dict) or "format" not in document:
        message = "it is not a stamp"
        raise MalformedError(message)
    if to_whole_number(document["format"]) != FORMAT:
        message = "its format is unknown to this program"
        raise _NewerFormat(message)
    version, digests, pending = (
        to_whole_number(document.get("version")),
        _decode_digests(document),
        document.get("pending", {}),
    )
    if version is None or version not in VERSIONS or digests is None or not _are_pending(pending):
        message = "`version`, `grants`, `hooks` or `pending` is malformed"
        raise MalformedError(message)
    pairs = {name: (old, new) for name, (old, new) in pending.items()}
    stamp = Stamp(version, digests, pairs, tuple(sorted(document.keys() - set(MEMBERS))))
    if document.get("checksum") != stamp.checksum_of_digests:
        message = f"`checksum` does not belong to `grants`{' and `hooks`' if HOOKS_TOML in digests else ''}"
        raise MalformedError(message)
    return stamp


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and value.startswith("sha256:")


def _decode_digests(document: "dict[str, object]") -> dict[str, str] | None:
    grants = document.get("grants", {})
    if not isinstance(grants, dict) or not all(map(is_grant_id, grants)):
        return None
    digests = {**grants, HOOKS_TOML: document["hooks"]} if "hooks" in document else grants
    return digests if all(map(_is_digest, digests.values())) else None


def _are_pending(pending: object) -> bool:
    return isinstance(pending, dict) and all(
        (name == HOOKS_TOML or is_grant_id(name))
        and isinstance(pair, list)
        and [side is None or _is_digest(side) for side in pair] == [True] * 2
        for name, pair in pending.items()
    )
