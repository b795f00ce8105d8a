"""Write a first case file for a grant; never over another."""

import os
from shlex import quote

from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.model import Value
from cortex_policy.manage.cases.coverage import Cover, covered
from cortex_policy.manage.cases.discovery import TESTS
from cortex_policy.manage.cases.generator import MOST_WISHES, first_cases
from cortex_policy.manage.cases.model import JSON, TOML, CaseFile
from cortex_policy.manage.cases.runner import Subject, tried
from cortex_policy.manage.cases.serializer import text_of
from cortex_policy.manage.cases.suite import Grants
from cortex_policy.manage.path_names import shown
from cortex_policy.state import Root
from cortex_policy.state.atomic_write import create
from cortex_policy.state.grants import Directory, Trust, check_id
from cortex_policy.state.safe_directories import make_directory, open_below
from cortex_policy.state.writer_lock import NotDone, check_straight


class Begun(Value):
    """A case file that was written: how many cases it has, and what they show of the grant."""

    file: str
    cases: int
    cover: Cover


def begin(root: Root, grant_id: str) -> Begun:
    """Write the first cases of a grant; raise NotDone where it has some, GrantError where it cannot be read."""
    check_id(grant_id)
    subject = Grants().subject(root, grant_id)
    entries = len(subject.grant.actions) + len(subject.grant.args) + len(subject.grant.fs_scope)
    if entries > MOST_WISHES:
        why = f"`{grant_id}` has {entries:,} actions, arguments and scopes, and first cases are for {MOST_WISHES:,}"
        raise NotDone(why, "write cases of what matters by hand")
    names = [f"{grant_id}{suffix}" for suffix in (TOML, JSON)]
    file, cover = drafted(subject, shown(f"{root.path}{TESTS}/{names[0]}"))
    data = text_of(file).encode()
    if len(data) > MAX_BYTES:
        raise NotDone(f"`{file.file}` would be larger than {MAX_BYTES} bytes", "write cases of what matters by hand")
    try:
        with Directory(Trust(root)) as policy:
            check_straight(policy)
            _write(policy.descriptor, names, data)
    except FileExistsError as error:
        where = shown(f"{root.path}{TESTS}/{error.filename}")
        raise NotDone(f"`{where}` is there already", f"run it with `cortex-policy test {quote(where)}`") from None
    except OSError as error:
        raise NotDone(f"`{file.file}` cannot be written: {(error.strerror or str(error)).lower()}") from None
    return Begun(file.file, len(file.cases), cover)


def drafted(subject: Subject, name: str) -> tuple[CaseFile, Cover]:
    """Return the first cases of a grant, called complete where they show all that can be shown."""
    cases = first_cases(subject.grant, name)
    cover = covered(subject.grant, subject.file, [tried(cases, subject).seen])
    file = CaseFile(name, cases.grant_id, tree=cases.tree, cases=cases.cases, is_complete=not cover.unmet)
    return file, cover


def _write(policy: int, names: list[str], data: bytes) -> None:
    make_directory(policy, "tests")
    directory = open_below(policy, "tests")
    try:
        for name in names:
            if _stands(directory, name):
                raise FileExistsError(None, "exists", name)
        create(directory, names[0], data)
    finally:
        os.close(directory)


def _stands(directory: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
