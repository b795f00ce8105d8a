"""The version that a write gave to the stamp, or why it gave none."""

from cortex_policy.core import Value


class NoVersion(Value):
    """Why a write gave the stamp no version."""

    why: str


Version = int | NoVersion

NOT_WRITTEN = NoVersion("nothing was written")
STAMP_REFUSED = NoVersion("not stamped yet, as the disk refused it; the next write stamps it")
NO_STAMP = NoVersion("no stamp has this file")


def version_to_number_or_none(version: Version) -> int | None:
    """Return the version for programs, None if there is none."""
    return version if isinstance(version, int) else None
