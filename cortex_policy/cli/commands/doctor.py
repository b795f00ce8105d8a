"""`doctor`: check each thing that can be wrong on this machine."""

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption
from cortex_policy.cli.roots import find_inner_root_or_none


def doctor(root: RootOption = None, *, json: JsonOption = False) -> None:
    """Check each thing that can be wrong on this machine.

    Each line says ok, or describes a warning or a problem and gives the command that fixes it. If a program failed, the
    line also gives the command that was tried. The tests have side effects: your shell runs its start-up files to list
    completions; a file next to the rate state is written and locked; the audit log's lock file is created if it is
    missing. The exit code is 1 if there is a problem.

    $ cortex-policy doctor
    $ cortex-policy doctor --json --root /srv/repo
    """
    from cortex_policy.cli.output.doctor import check_result_to_json, print_check_counts, print_check_result  # noqa: PLC0415 - no other command needs them
    from cortex_policy.cli.output.printing import print_json  # noqa: PLC0415
    from cortex_policy.manage.doctor.result import PROBLEM  # noqa: PLC0415
    from cortex_policy.manage.doctor.run import find_worst_status, run_checks  # noqa: PLC0415

    policy_root = find_inner_root_or_none(root)
    results = []
    for result in run_checks(policy_root):
        results.append(result)
        if not json:
            print_check_result(result)
    if json:
        name = policy_root.path if policy_root is not None else None
        print_json(
            {
                "status": find_worst_status(results),
                "root": name,
                "checks": [check_result_to_json(one) for one in results],
            }
        )
    else:
        print_check_counts(results)
    if find_worst_status(results) == PROBLEM:
        raise typer.Exit(1)
