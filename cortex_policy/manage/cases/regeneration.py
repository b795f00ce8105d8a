"""Write the generated cases of a file again after its grant has changed, and keep those that people wrote."""

import os

from cortex_policy.core.decode import MAX_BYTES
from cortex_policy.core.model import Settings
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.manage.cases.coverage import measure_coverage
from cortex_policy.manage.cases.first_cases import FirstCases, check_grant_size, serialize_case_file, write_first_cases
from cortex_policy.manage.cases.generator import generate_case_file
from cortex_policy.manage.cases.model import TOML_SUFFIX, CaseFile
from cortex_policy.manage.cases.parser import parse_case_file_collecting_errors
from cortex_policy.manage.cases.runner import run_case_file
from cortex_policy.manage.cases.serializer import make_hand_written_cases_marker
from cortex_policy.manage.cases.suite import GrantLoader
from cortex_policy.manage.cases.temporary_file_tree import FileTree
from cortex_policy.manage.path_names import make_path_relative_if_below_cwd
from cortex_policy.state import Root
from cortex_policy.state.atomic_write import replace_file_atomically
from cortex_policy.state.grants import PolicyDirectory, TrustCheck, check_grant_id
from cortex_policy.state.writer_lock import check_root_not_replaced


def update_cases(root: Root, grant_id: str) -> FirstCases:
    """Write the generated cases of a grant again, or its first cases; people's cases keep every byte.

    Raise NotDoneError if the file cannot be updated, GrantError if the grant cannot be read.
    """
    check_grant_id(grant_id)
    name = f"{grant_id}{TOML_SUFFIX}"
    try:
        with PolicyDirectory(TrustCheck(root), "tests") as directory:
            check_root_not_replaced(directory)
            data = directory.read(name, MAX_BYTES + 1)
            result, new = _generate_again(root, grant_id, data)
            if new == data:
                return result
            replace_file_atomically(
                directory.descriptor, name, new, verify=lambda: _raise_if_file_changed(directory, name, data)
            )
            return FirstCases(result.file, result.cases, result.coverage, result.own_cases)
    except FileNotFoundError:
        return write_first_cases(root, grant_id)
    except OSError as error:
        file = make_path_relative_if_below_cwd(os.path.join(root.cases_path, name))
        raise NotDoneError(f"`{file}` cannot be written: {format_os_error_cause(error)}") from None


def _generate_again(root: Root, grant_id: str, data: bytes) -> tuple[FirstCases, bytes]:
    subject = GrantLoader().load(root, grant_id)
    check_grant_size(subject)
    old = parse_case_file_collecting_errors(
        data, make_path_relative_if_below_cwd(f"{root.cases_path}/{grant_id}{TOML_SUFFIX}"), is_json=False
    )
    _raise_if_not_generated(old, grant_id)
    own_cases = tuple(case for case in old.cases if case.line > old.own_line)
    # without people's cases nothing else needs the old tree
    beside = CaseFile(old.file, grant_id, tree=old.tree if own_cases else FileTree(), cases=own_cases)
    generated = generate_case_file(subject.grant, old.file, beside)
    for error in generated.tree.find_errors():
        raise NotDoneError(
            f"`{old.file}`: `[tree]` does not fit the grant any more: {error}", "change `[tree]` by hand"
        )
    every = CaseFile(old.file, grant_id, tree=generated.tree, cases=(*generated.cases, *own_cases))
    cover = measure_coverage(subject.grant, subject.file, [run_case_file(every, subject).passed_cases])
    is_complete = old.is_complete and not cover.unmet
    file = CaseFile(old.file, grant_id, tree=generated.tree, cases=generated.cases, is_complete=is_complete)
    own_text = "".join(data.decode().split("\n", old.own_line)[old.own_line :])
    result = FirstCases(old.file, len(generated.cases), cover, len(own_cases), is_written=False)
    return result, serialize_case_file(file, own_text)


def _raise_if_not_generated(old: CaseFile, grant_id: str) -> None:
    """Raise NotDoneError for a file whose generated cases are not known, or were not generated as it says."""
    for error in old.errors:
        raise NotDoneError(f"`{error.file}:{error.line}`: {error.message}", error.hint)
    if old.grant_id != grant_id:
        raise NotDoneError(f"`{old.file}` has the cases of `{old.grant_id}`", "write cases of both by hand")
    if not old.own_line:
        hint = f"put this line above your own cases, or at its end: `{make_hand_written_cases_marker(grant_id)}`"
        raise NotDoneError(f"`{old.file}` does not say which of its cases were generated", hint)
    if old.settings != Settings():
        hint = "move your cases for these settings to a file of their own"
        raise NotDoneError(f"`{old.file}` has `[settings]`, but generated cases have none", hint)


def _raise_if_file_changed(directory: PolicyDirectory, name: str, data: bytes) -> None:
    if directory.read(name, MAX_BYTES + 1) != data:
        raise NotDoneError(
            f"`{make_path_relative_if_below_cwd(directory.path)}/{name}` was changed in the meantime", "try again"
        )
