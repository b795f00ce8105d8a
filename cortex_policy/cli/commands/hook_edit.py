"""`hook edit`: change the rules of agents' hooks in an editor."""

from cortex_policy.cli.commands.edit import edit_grant_or_hook_rules
from cortex_policy.cli.common_options import ResumeOption, RootOption, WaitOption
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.decode import HOOKS_TOML
from cortex_policy.state.policy_files import raise_file_not_found, read_policy_file_or_none


def edit(root: RootOption = None, *, resume: ResumeOption = False, wait_seconds: WaitOption = 0.0) -> None:
    """Edit the hook rules, and save them if they are valid.

    The rules are `.cortex/policy/hooks.toml`. It works as `edit` does for a grant: it shows what is wrong with the text
    and whether more calls would pass than before, and asks before it saves. If the text is not saved, it is kept in a
    file, and the path of this file is printed.

    $ cortex-policy hook edit
    $ cortex-policy hook edit --resume
    """
    policy_root = find_inner_root(root)
    if read_policy_file_or_none(policy_root, HOOKS_TOML) is None:
        raise_file_not_found(policy_root, HOOKS_TOML)
    hint = "edit the file by hand, then run `cortex-policy stamp write`"
    edit_grant_or_hook_rules(policy_root, HOOKS_TOML, wait_seconds, hint, resume=resume)
