"""Edit a grant or `hooks.toml` while the writers' lock is held; a text that is not valid is never saved."""

from cortex_policy.core.decode import HOOKS_TOML, MAX_BYTES
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.manage.diff.grants import compare_grant_bytes
from cortex_policy.manage.editing.edit_loop import DIFF, EDIT, EXIT, SAVE, EditResult, Review, edit_draft_until_saved
from cortex_policy.manage.editing.validity import find_policy_text_problems
from cortex_policy.manage.replay.impact import estimate_impact_as_text
from cortex_policy.manage.transaction.recovery import check_file_stamped
from cortex_policy.manage.transaction.version_after_write import Version
from cortex_policy.manage.transaction.writer import GrantWriter, open_grants_for_write
from cortex_policy.schema.problems import Problem
from cortex_policy.schema.rule_catalog import NOTE
from cortex_policy.state import Root
from cortex_policy.state.comparison_settings import load_settings_for_grant_comparison
from cortex_policy.state.grants import TrustCheck, make_grant_read_error
from cortex_policy.state.policy_files import (
    check_grant_id_or_hooks_toml,
    is_valid_policy_text,
    make_file_path_below_policy_directory,
    raise_file_not_found,
)
from cortex_policy.state.writer_lock import LockWait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.manage.editing.edit_loop import EditorUI


def edit_policy_file_in_editor(
    root: Root, name: str, lock_wait: LockWait, screen: "EditorUI", *, resume: bool = False
) -> EditResult:
    """Let an operator edit a grant, or `hooks.toml`, as `edit_draft_until_saved` does.

    Raise NotDoneError or GrantError if that is impossible. However the session ends, the file is the old or the new
    one.
    """
    check_grant_id_or_hooks_toml(name)
    with open_grants_for_write(root, lock_wait, "hook edit" if name == HOOKS_TOML else "edit", name) as writer:
        return edit_draft_until_saved(_EditedPolicyFile(writer, name, screen), screen, resume=resume)


class _EditedPolicyFile:
    """A grant or `hooks.toml` that can be saved after editing; it may be invalid."""

    max_bytes: int = MAX_BYTES

    def __init__(self, writer: GrantWriter, name: str, screen: "EditorUI") -> None:
        self._writer, self._name, self._screen = writer, name, screen
        self.label: str = f"`{name}` is"
        self.path: str = f"{writer.root.policy_path}/{make_file_path_below_policy_directory(name)}"
        self.original: bytes = self._read_original()

    def _read_original(self) -> bytes:
        root, name = self._writer.root, self._name
        original = self._writer.grants.read(name)
        if original is None:
            if name == HOOKS_TOML:
                raise_file_not_found(root, name)
            raise make_grant_read_error(FileNotFoundError(None, None, self.path), TrustCheck(root), name)
        if len(original) > MAX_BYTES:
            raise NotDoneError(f"`{self.path}` is larger than {MAX_BYTES} bytes", "fix it by hand")
        self._writer.grants.check_permissions(name)
        check_file_stamped(self._writer.grants, name, original)
        return original

    def first_problem_line(self) -> int:
        """Return the line of the first problem in the text before, 0 for none."""
        return _line_of_first(self._find_problems(self.original))

    def review(self, text: bytes) -> Review:
        """Show the problems of a text, or what it changes; a text that does not decode cannot be saved."""
        if not text.strip() and text != self.original:
            self._screen.show_sentence(f"`{self._name}` was emptied, and an empty file is not valid")
            return Review()
        is_valid = is_valid_policy_text(self._name, text)
        if is_valid and text == self.original:
            return Review(SAVE)
        if problems := self._find_problems(text):
            self._screen.show_problems(problems)
        if not is_valid:
            return Review(EDIT + DIFF + EXIT, _line_of_first(problems))
        root = self._writer.root
        change = compare_grant_bytes(self._name, self.original, text, load_settings_for_grant_comparison(root.path))
        self._screen.show_change(change)
        if past := estimate_impact_as_text(root, change):
            self._screen.show_sentence(past)
        return Review(SAVE + EDIT + DIFF + EXIT, _line_of_first(problems), change)

    def save(self, text: bytes) -> Version:
        """Write the text with its stamp; raise if the file is no longer the one before."""
        return self._writer.write(self._name, self.original, text)

    def _find_problems(self, text: bytes) -> tuple[Problem, ...]:
        """Return the errors and warnings of a text."""
        return tuple(one for one in find_policy_text_problems(self._name, text) if one.severity != NOTE)


def _line_of_first(problems: tuple[Problem, ...]) -> int:
    return problems[0].line if problems else 0
