"""The rules for the tools of agents: hooks.toml, trusted and stamped like a grant; any doubt denies (docs/hooks.md).

A decoded copy is kept beside that of the settings. Its name is a hash of the file's bytes, so that it is never stale.
The links that lead to guarded files are looked for here too: another module would cost each hook time.
"""

import os

from cortex_policy.core.decode import HOOKS_TOML, MAX_BYTES
from cortex_policy.core.hooks.guarded_files import PLACES
from cortex_policy.core.hooks.hook_rules import HookRule, decode_valid_rules_document, rules_to_document
from cortex_policy.core.model import GRANT_NOT_FOUND, GRANT_UNSAFE, GrantError
from cortex_policy.state import Root, read_json_object_or_none, sha256
from cortex_policy.state.enforcement import check_root_stop, load_effective_settings
from cortex_policy.state.grants import PolicyDirectory, TrustCheck
from cortex_policy.state.ledger import open_state_directory_or_minus_one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cortex_policy.core.hooks.hook_rules import HookRules
    from cortex_policy.core.model import Settings

FORMAT = 2  # goes up with each change in the meaning of rules
_PREFIX = "hooks-"


def load_hook_rules(root: Root) -> "HookRules":
    """Load the rules of a root; raise GrantError, or AccessDenied if it has a stop."""
    return load_rules_and_settings(root)[0]


def load_rules_and_settings(root: Root) -> "tuple[HookRules, Settings]":
    """Load the rules of a root, and its settings; raise as `load_hook_rules` does."""
    data = _read_hooks_file(root)
    settings = load_effective_settings(root.path)
    digest = str(sha256(data).hexdigest())
    if settings.stamp == "require":
        from cortex_policy.state.stamp import raise_if_file_not_stamped  # noqa: PLC0415 - only if it is asked for

        raise_if_file_not_stamped(root, HOOKS_TOML, f"sha256:{digest}")
    return _cached_rules(root, settings, data, digest), settings


def _read_hooks_file(root: Root) -> bytes:
    """Read the file from the open policy directory, in which there is no stop; raise GrantError or AccessDenied."""
    trust = TrustCheck(root)
    try:
        with PolicyDirectory(trust) as policy:
            check_root_stop(policy)
            data = policy.read(HOOKS_TOML, MAX_BYTES + 1)
    except FileNotFoundError as error:
        trust.raise_if_unsafe()
        raise GrantError(GRANT_NOT_FOUND, f"`{error.filename}` does not exist", "make it with `hook init`") from None
    except GrantError as error:
        if error.reason is GRANT_UNSAFE:  # perhaps the policy directory could not be opened
            from cortex_policy.state.emergency_stop import raise_if_root_may_be_stopped  # noqa: PLC0415 - only a failure needs it

            raise_if_root_may_be_stopped(root)
        raise
    trust.raise_if_unsafe()
    return data


def _cached_rules(root: Root, settings: "Settings", data: bytes, digest: str) -> "HookRules":
    directory = open_state_directory_or_minus_one(settings.state_dir or "")
    try:
        name = _copy_name(root, digest)
        copy = read_json_object_or_none(directory, name)
        if copy is not None:
            return decode_valid_rules_document(copy)
        return _decode_and_store(data, directory, name)
    finally:
        if directory >= 0:
            os.close(directory)


def _copy_name(root: Root, digest: str) -> str:
    depends = repr((FORMAT, HookRule.__match_args__, digest)).encode("ascii")
    return format_cached_rules_name_prefix(root) + str(sha256(depends).hexdigest()[:32])


def format_cached_rules_name_prefix(root: Root) -> str:
    """Return how the names of all copies of the rules of a root begin."""
    return f"{_PREFIX}{sha256(os.fsencode(root.path)).hexdigest()[:8]}-"


def _decode_and_store(data: bytes, directory: int, name: str) -> "HookRules":
    from cortex_policy.core.hooks.hooks_toml import decode_hooks_toml  # noqa: PLC0415 - once for each edit
    from cortex_policy.state.settings_cache import store_in_disk_cache  # noqa: PLC0415 - as above

    rules = decode_hooks_toml(data)
    store_in_disk_cache(directory, _PREFIX, name, rules_to_document(rules))
    return rules


def find_guarded_links(tops: "Iterable[str]", guard: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return each guarded name that is, or leads through, a link, and where that ends: it is closed there as well."""
    places = [place for top in tops for place in _find_guarded_places(top)]
    places += filter(os.path.lexists, guard)
    ends = [(place, os.path.realpath(place)) for place in places]
    return [(place, end) for place, end in ends if end != place]


def _find_guarded_places(top: str) -> list[str]:
    """Return the guarded names that exist below a directory; in one that does not exist no name is looked for."""
    places, absent = [], set()
    for name in PLACES:
        if name.partition("/")[0] in absent:
            continue
        place = f"{top}/{name}"
        if os.path.lexists(place):
            places.append(place)
        else:
            absent.add(name)
    return places
