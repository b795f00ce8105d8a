"""Write a first case file for a grant; never over another."""

import os
from shlex import quote

from cortex_policy.core import Value
from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.cases.coverage import Coverage, measure_coverage
from cortex_policy.manage.cases.generator import MAX_CANDIDATES, generate_case_file
from cortex_policy.manage.cases.model import JSON_SUFFIX, TOML_SUFFIX, CaseFile
from cortex_policy.manage.cases.runner import GrantUnderTest, run_case_file
from cortex_policy.manage.cases.serializer import format_generated_cases_as_toml
from cortex_policy.manage.cases.suite import GrantLoader
from cortex_policy.manage.path_names import make_path_relative_if_below_cwd
from cortex_policy.state import Root
from cortex_policy.state.atomic_write import create_file_atomically
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, check_grant_id
from cortex_policy.state.safe_directories import make_directory, open_child_directory
from cortex_policy.state.writer_lock import check_root_not_replaced


class FirstCases(Value):
    """A case file: its numbers of generated cases and of people's, their coverage, and whether it was written."""

    file: str
    cases: int
    coverage: Coverage
    own_cases: int = 0
    is_written: bool = True


def write_first_cases(root: Root, grant_id: str) -> FirstCases:
    """Write the first cases of a grant; raise NotDoneError if it has cases, GrantError if it cannot be read."""
    check_grant_id(grant_id)
    subject = GrantLoader().load(root, grant_id)
    names = [f"{grant_id}{suffix}" for suffix in (TOML_SUFFIX, JSON_SUFFIX)]
    file, coverage = generate_case_file_with_coverage(
        subject, make_path_relative_if_below_cwd(f"{root.cases_path}/{names[0]}")
    )
    data = serialize_case_file(file)
    try:
        with PolicyDirectory(TrustCheck(root)) as policy:
            check_root_not_replaced(policy)
            _create_case_file(policy.descriptor, names, data)
    except FileExistsError as error:
        where = make_path_relative_if_below_cwd(f"{root.cases_path}/{error.filename}")
        hint = f"run it with `cortex-policy test {quote(where)}`, or add `--update` to write its generated cases again"
        raise NotDoneError(f"`{where}` exists already", hint) from None
    except OSError as error:
        raise NotDoneError(f"`{file.file}` cannot be written: {format_os_error_cause(error)}") from None
    return FirstCases(file.file, len(file.cases), coverage)


def serialize_case_file(file: CaseFile, own_text: str = "") -> bytes:
    """Return the bytes of a case file, with the text of people's cases; raise NotDoneError if it is too large."""
    data = (format_generated_cases_as_toml(file) + own_text).encode()
    if len(data) > MAX_BYTES:
        why = f"`{file.file}` would be larger than {MAX_BYTES} bytes"
        raise NotDoneError(why, "write cases of what matters by hand")
    return data


def generate_case_file_with_coverage(subject: GrantUnderTest, name: str) -> tuple[CaseFile, Coverage]:
    """Return the first cases of a grant, marked complete if they cover everything; raise NotDoneError if it is huge."""
    check_grant_size(subject)
    cases = generate_case_file(subject.grant, name)
    coverage = measure_coverage(subject.grant, subject.file, [run_case_file(cases, subject).passed_cases])
    file = CaseFile(name, cases.grant_id, tree=cases.tree, cases=cases.cases, is_complete=not coverage.unmet)
    return file, coverage


def check_grant_size(subject: GrantUnderTest) -> None:
    """Raise NotDoneError if a grant says more than generated cases can show."""
    grant = subject.grant
    entries = len(grant.actions) + len(grant.args) + len(grant.fs_scope)
    if entries > MAX_CANDIDATES:
        why = f"`{grant.id}` has {entries:,} actions, arguments and scopes, and first cases are for {MAX_CANDIDATES:,}"
        raise NotDoneError(why, "write cases of what matters by hand")


def _create_case_file(policy: int, names: list[str], data: bytes) -> None:
    make_directory(policy, "tests")
    directory = open_child_directory(policy, "tests")
    try:
        for name in names:
            if _is_in_directory(directory, name):
                raise FileExistsError(None, "exists", name)
        create_file_atomically(directory, names[0], data)
    finally:
        os.close(directory)


def _is_in_directory(directory: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
