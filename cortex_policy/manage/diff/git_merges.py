"""Read the versions of a file that git brings together: in a merge, a rebase or a cherry-pick."""

from cortex_policy.manage.diff.git_revisions import read_git_objects, run_git_unchecked
from cortex_policy.state import Root

_BASE, _OURS, _THEIRS = range(1, 4)  # git's stages
_OTHERS = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD")


def read_versions_of_conflict_or_none(root: Root, path: str) -> tuple[bytes | None, bytes | None, bytes | None] | None:
    """Return the versions of a file that git could not merge: the one before both sides, ours and theirs.

    A version is None if it lacks the file. None if the file is merged, or there is no repository; raise NotDoneError if
    there is no git, or an object is missing.
    """
    listed = run_git_unchecked(root.path, "ls-files", "--unmerged", "-z", "--", path).stdout
    found: dict[int, str] = {}
    for line in filter(None, listed.split(b"\0")):
        _, digest, stage = line.partition(b"\t")[0].split()
        found[int(stage)] = digest.decode()
    if not found:
        return None
    texts = dict(zip(found, read_git_objects(root.path, found.values()), strict=True))
    return texts.get(_BASE), texts.get(_OURS), texts.get(_THEIRS)


def read_both_sides_of_merge_or_none(root: Root, path: str) -> tuple[bytes, bytes] | None:
    """Return a file of both sides of the merge that is being made, or that the last commit made; None if there is none.

    Raise as `read_versions_of_conflict_or_none` does.
    """
    for sides in (*(("HEAD", other) for other in _OTHERS), ("HEAD^1", "HEAD^2")):
        digests = [_blob_id(root, side, path) for side in sides]
        if all(digests):
            ours, theirs = read_git_objects(root.path, digests)
            return ours, theirs
    return None


def _blob_id(root: Root, revision: str, path: str) -> str:
    done = run_git_unchecked(root.path, "rev-parse", "--verify", "--quiet", f"{revision}:./{path}")
    return done.stdout.decode("ascii", "replace").strip() if not done.returncode else ""
