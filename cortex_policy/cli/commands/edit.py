"""`edit`: change a grant in an editor; it is saved if it loads, after its meaning was shown."""

import os
from typing import TYPE_CHECKING

import typer

from cortex_policy.cli.common_options import GrantArgument, ResumeOption, RootOption, WaitOption
from cortex_policy.cli.prompts import is_interactive, make_lock_wait_options_with_notice
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.state.grants import check_grant_id
from cortex_policy.state.policy_files import make_file_path_below_policy_directory

if TYPE_CHECKING:
    from cortex_policy.state import Root


def edit(
    grant_id: GrantArgument,
    root: RootOption = None,
    *,
    resume: ResumeOption = False,
    wait_seconds: WaitOption = 0.0,
) -> None:
    """Edit a grant in your editor, and save it if it loads.

    It opens a private copy in your editor. The setting `editor`, `$VISUAL` or `$EDITOR` names the editor. Then it shows
    what is wrong with the text, and whether the text allows more than before. It asks before it saves. If the text is
    not saved, it is kept in a file, and the path of this file is printed.

    Nobody else can write grants while you edit.

    Some editors return while the text is still open. Such an editor needs an option that makes it wait; for known
    editors, `edit` adds this option.

    $ cortex-policy edit git
    $ cortex-policy edit git --wait 60
    $ cortex-policy edit git --resume
    $ EDITOR="code --wait" cortex-policy edit git
    """
    from cortex_policy.manage.editing import grant_ids  # noqa: PLC0415 - no other command needs it

    policy_root = find_inner_root(root)
    check_grant_id(grant_id)
    if grant_id not in grant_ids.list_unique_ids_or_all(policy_root, ()):
        raise grant_ids.make_missing_grant_error(policy_root, grant_id)
    hint = "use `cortex-policy set`, or edit the file by hand, then run `cortex-policy stamp write`"
    edit_grant_or_hook_rules(policy_root, grant_id, wait_seconds, hint, resume=resume)


def edit_grant_or_hook_rules(root: "Root", name: str, wait_seconds: float, hint: str, *, resume: bool) -> None:
    """Edit a grant, or `hooks.toml`, in the operator's editor; the hint says what to do without a terminal."""
    from cortex_policy.cli.edit_terminal import EditScreen  # noqa: PLC0415 - no other command needs it
    from cortex_policy.manage.editing.editor_command import choose_editor_command  # noqa: PLC0415
    from cortex_policy.manage.editing.editor_session import edit_policy_file_in_editor as run  # noqa: PLC0415
    from cortex_policy.manage.settings.effective import find_configured_editor  # noqa: PLC0415
    from cortex_policy.manage.transaction.version_after_write import STAMP_REFUSED  # noqa: PLC0415

    if not is_interactive():
        raise NotDoneError("an editor needs a terminal", hint)
    screen = EditScreen(
        choose_editor_command(os.environ, find_configured_editor(root)),
        os.path.basename(make_file_path_below_policy_directory(name)),
    )
    outcome = run(root, name, make_lock_wait_options_with_notice(wait_seconds), screen, resume=resume)
    if outcome.status == "cancelled":
        raise NotDoneError("cancelled")
    if outcome.status == "saved":
        stamped = (
            "the next write finishes its stamp" if outcome.version is STAMP_REFUSED else f"version {outcome.version}"
        )
        typer.echo(escape_message_to_one_line(f"saved `{name}`, {stamped}"))
