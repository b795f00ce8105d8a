"""`remove`: remove a grant."""

from cortex_policy.cli.common_options import DryRunOption, GrantArgument, JsonOption, RootOption, WaitOption, YesOption
from cortex_policy.cli.prompts import make_lock_wait_options_with_notice
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.cli.roots import find_inner_root


@add_quiet_option
def remove(
    grant_id: GrantArgument,
    root: RootOption = None,
    *,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Remove a grant, valid or not.

    On a terminal it asks; without a terminal it needs `--yes`.

    $ cortex-policy remove git
    $ cortex-policy remove git --yes --json
    """
    from cortex_policy.cli import confirm  # noqa: PLC0415 - only writers need them
    from cortex_policy.cli.output import write_result  # noqa: PLC0415
    from cortex_policy.manage.editing import operations, plans  # noqa: PLC0415

    policy_root = find_inner_root(root)
    if dry_run:
        write_result.print_preview(policy_root, plans.preview_remove_grant(policy_root, grant_id), json=json)
        return
    consent = confirm.make_yes_prompt_for_grant_diff(f"remove `{grant_id}`?", yes=yes, json=json)
    result = operations.remove_grant(policy_root, grant_id, consent, make_lock_wait_options_with_notice(wait_seconds))
    write_result.print_write_result(result, f"removed `{grant_id}`", json=json)
