"""The files of a policy as resources: each grant and `hooks.toml`, as they are on disk, and whether checks use them.

A file that others could have written is never shown: its text could be theirs.
"""

from cortex_policy.core import Value
from cortex_policy.core.decode import HOOKS_TOML, MAX_BYTES, decode_grant, is_grant_id
from cortex_policy.core.hooks.hooks_toml import decode_hooks_toml
from cortex_policy.core.model import GRANT_INVALID, GrantError
from cortex_policy.core.text import elide_middle, join_words_that_fit
from cortex_policy.state import Root
from cortex_policy.state import stamp as stamps
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.policy_files import is_grant_id_or_hooks_toml, make_file_path_below_policy_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.model import Grant
    from cortex_policy.state.stamp import Stamp

SCHEME = "cortex-policy://"
GRANTS_URI = f"{SCHEME}grants/"
HOOKS_URI = f"{SCHEME}{HOOKS_TOML}"
OK, DIFFERS, UNSTAMPED, INVALID, UNSAFE = "ok", "differs", "unstamped", "invalid", "unsafe"  # as `list` prints them
_MAX_WORDS_BYTES = 200


class PolicyFile(Value):
    """A grant, or `hooks.toml`: its bytes and its digest, or the error that keeps checks from using it.

    `data` and `digest` are None if the file must not be shown; `grant` is None if it is not a valid grant.
    """

    name: str
    data: bytes | None = None
    digest: str | None = None
    error: GrantError | None = None
    grant: "Grant | None" = None

    def listed_state(self, stamp: "Stamp | None") -> str:
        """Return the word for it in `list`."""
        if self.error is not None:
            return INVALID if self.error.reason is GRANT_INVALID else UNSAFE
        if stamp is not None and stamp.accepts(self.name, self.digest):
            return OK
        return DIFFERS if stamp is not None and self.name in stamp.digests else UNSTAMPED


def make_policy_file_uri(name: str) -> str:
    """Return the URI of a grant, by its id, or of `hooks.toml`."""
    return HOOKS_URI if name == HOOKS_TOML else f"{GRANTS_URI}{name}"


def parse_policy_file_uri_or_none(uri: str) -> str | None:
    """Return the id of a grant, or `hooks.toml`, None if a URI can be of neither."""
    if uri == HOOKS_URI:
        return HOOKS_TOML
    name = uri.removeprefix(GRANTS_URI)
    return name if name != uri and is_grant_id(name) else None


def list_possible_policy_files(root: Root) -> list[str]:
    """List what may be there: the ids of grants, sorted, then `hooks.toml`; raise GrantError (22) if unreadable."""
    try:
        with PolicyDirectory(TrustCheck(root), "tools") as tools:
            return [*tools.grant_ids(), HOOKS_TOML]
    except FileNotFoundError:
        return [HOOKS_TOML]


def load_policy_file_or_none(root: Root, name: str) -> PolicyFile | None:
    """Read a file, None if it does not exist."""
    assert is_grant_id_or_hooks_toml(name), name  # noqa: S101 - it becomes part of a path
    trust = TrustCheck(root)
    *above, file = make_file_path_below_policy_directory(name).split("/")
    try:
        with PolicyDirectory(trust, *above) as directory:
            data = directory.read(file, MAX_BYTES + 1)
        trust.raise_if_unsafe()
    except FileNotFoundError:
        return None
    except GrantError as error:
        return PolicyFile(name, error=error)
    digest = stamps.compute_content_digest(data)
    try:
        grant = decode_grant(data, name) if name != HOOKS_TOML else None
        if name == HOOKS_TOML:
            decode_hooks_toml(data)
    except GrantError as error:
        return PolicyFile(name, data if len(data) <= MAX_BYTES else None, digest, error)
    return PolicyFile(name, data, digest, grant=grant)


def format_grant_description(grant: "Grant") -> str:
    """Say in one line what a grant allows."""
    actions = join_words_that_fit(grant.actions, _MAX_WORDS_BYTES) or "none"
    scope = join_words_that_fit(grant.fs_scope, _MAX_WORDS_BYTES) or "any path"
    tool, rate = elide_middle(grant.tool, _MAX_WORDS_BYTES), f"{grant.rate.per_minute} a minute for each action"
    return f"tool {tool}; actions {actions}; scope {scope}; {rate}; class {grant.data_class}"


def read_stamp_or_none(root: Root) -> "Stamp | None":
    """Return the stamp, None if there is none, or none that can be read: then nothing is stamped."""
    try:
        return stamps.read_stamp(root)
    except GrantError:
        return None
