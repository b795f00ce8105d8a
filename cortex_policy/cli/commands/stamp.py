"""`stamp`: show, verify and write the version and checksum of the grants."""

from typing import Annotated

import typer

from cortex_policy.cli.command_classes import CommandWithExamples, GroupWithExamples
from cortex_policy.cli.common_options import (
    JsonOption,
    RootOption,
    WaitOption,
    WideningOption,
    make_integer_parser,
    make_number_parser,
)
from cortex_policy.cli.output.printing import print_hints, print_json
from cortex_policy.cli.output.progress import track_progress
from cortex_policy.cli.prompts import make_lock_wait_options_with_notice
from cortex_policy.cli.quiet_option import add_quiet_option
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.model import GrantError, UsageError
from cortex_policy.core.text import escape_message_to_one_line
from cortex_policy.manage.stamp import verify as stamp_verify
from cortex_policy.manage.stamp import wait as stamp_wait
from cortex_policy.state import stamp as stamps
from cortex_policy.state.grants_errors import format_root_option, make_hand_edit_hint

stamp_app: typer.Typer = typer.Typer(cls=GroupWithExamples, no_args_is_help=True)


@stamp_app.callback()
def stamp_group() -> None:
    """Show, verify or write the version and checksum of the grants.

    The stamp tells programs that cache grants when to reload them. It shows operators accidental changes. It is not a
    signature.
    """


@stamp_app.command(cls=CommandWithExamples)
def show(root: RootOption = None, *, json: JsonOption = False) -> None:
    """Show the stamp's version and checksum.

    $ cortex-policy stamp show
    $ cortex-policy stamp show --json
    """
    policy_root = find_inner_root(root)
    stamp, doubt = stamps.read_stamp(policy_root), stamp_verify.find_unsafe_stamp_error_or_none(policy_root)
    if json:
        print_json({"stamp": _stamp_to_json(stamp), "warning": doubt.detail if doubt else None})
        return
    _print_unsafe_stamp_warning(doubt)
    if stamp is None:
        typer.echo(
            escape_message_to_one_line(
                f"there is no stamp; write one with `cortex-policy stamp write{format_root_option(policy_root)}`"
            )
        )
    else:
        typer.echo(_stamp_line(stamp))


@stamp_app.command(cls=CommandWithExamples)
def verify(root: RootOption = None, *, json: JsonOption = False) -> None:
    """Compare the grants with their stamp; exit 1 if they differ.

    $ cortex-policy stamp verify
    $ cortex-policy stamp verify --json
    """
    policy_root = find_inner_root(root)
    findings, doubt = (
        stamp_verify.find_stamp_mismatches(policy_root, track_progress),
        stamp_verify.find_unsafe_stamp_error_or_none(policy_root),
    )
    if json:
        listed = [{"id": finding.id or None, "problem": finding.problem} for finding in findings]
        status, warning = "fail" if findings else "ok", doubt.detail if doubt else None
        print_json({"status": status, "findings": listed, "warning": warning})
    else:
        _print_unsafe_stamp_warning(doubt)
        for finding in findings:
            typer.echo(escape_message_to_one_line(f"{finding.id or 'stamp'}: {finding.problem}"))
        if findings:
            print_hints([findings[0].hint or make_hand_edit_hint(format_root_option(policy_root))])
        else:
            typer.echo("the grants are as stamped")
    if findings:
        raise typer.Exit(1)


@stamp_app.command(cls=CommandWithExamples)
@add_quiet_option
def write(
    root: RootOption = None,
    *,
    allow_widening: WideningOption = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Accept the grants as they are now, as the next version.

    It compares each grant that was edited by hand with its stamped text. `diff --against stamp` shows the same
    comparison, and accepts nothing. If a grant may allow more than before, the command asks on a terminal for the word
    `widen`; without a terminal it needs `--allow-widening`. A grant that does not load is not accepted. If the stamped
    text is neither in the history nor in the last commit, the whole grant counts as widened.

    $ cortex-policy stamp write
    $ cortex-policy stamp write --allow-widening
    """
    from cortex_policy.cli.confirm import make_widening_prompt_for_policy_diff  # noqa: PLC0415 - no other command needs them
    from cortex_policy.cli.output.diff import diff_to_json  # noqa: PLC0415
    from cortex_policy.manage.stamp.write import write_stamp  # noqa: PLC0415

    policy_root = find_inner_root(root)
    consent = make_widening_prompt_for_policy_diff(allowed=allow_widening, json=json, root=policy_root)
    result = write_stamp(policy_root, consent, make_lock_wait_options_with_notice(wait_seconds))
    if json:
        members = {"changed": result.is_written, "stamp": _stamp_to_json(result.stamp)}
        print_json(members | diff_to_json(result.diff, "stamp"))
    else:
        typer.echo(_stamp_line(result.stamp) if result.is_written else f"nothing to do: {_stamp_line(result.stamp)}")


@stamp_app.command(cls=CommandWithExamples)
@add_quiet_option
def merge(root: RootOption = None, *, wait_seconds: WaitOption = 0.0, json: JsonOption = False) -> None:
    """Put the stamp right after a merge, a rebase or a cherry-pick.

    It accepts each grant that one of the two sides had stamped, and writes a version that is later than both. Git may
    have left conflict markers in the stamp, or may have taken the version or the checksum of one side: the command
    replaces all of them. It does not ask, because each side was confirmed when it was written. It prints what changes
    for this side. If neither side had stamped a grant, the grant is reported and still differs from its stamp, and the
    exit code is 1. If a grant has conflict markers, resolve them first: until then the exit code is 21.

    $ cortex-policy stamp merge && git add .cortex/policy/stamp.json
    """
    from cortex_policy.cli.output.diff import diff_to_json, print_diff  # noqa: PLC0415 - no other command needs them
    from cortex_policy.manage.stamp.merge import write_stamp_after_merge  # noqa: PLC0415

    policy_root = find_inner_root(root)
    result = write_stamp_after_merge(policy_root, make_lock_wait_options_with_notice(wait_seconds))
    if json:
        members = {"changed": result.is_written, "stamp": _stamp_to_json(result.stamp)}
        print_json(members | {"unstamped": list(result.unstamped)} | diff_to_json(result.diff, None))
    else:
        if result.is_written:
            print_diff(result.diff)
        typer.echo(_stamp_line(result.stamp) if result.is_written else f"nothing to do: {_stamp_line(result.stamp)}")
        for grant_id in result.unstamped:
            typer.echo(escape_message_to_one_line(f"{grant_id}: neither side had stamped it as it is now"), err=True)
            print_hints([make_hand_edit_hint(format_root_option(policy_root), grant_id)])
    if result.unstamped:
        raise typer.Exit(1)


@stamp_app.command(name="merge-files", cls=CommandWithExamples)
def merge_files(
    base: Annotated[str, typer.Argument(metavar="BASE", help="The stamp before both sides.", show_default=False)],
    ours: Annotated[str, typer.Argument(metavar="OURS", help="Our stamp; it becomes the merged one.")],
    theirs: Annotated[str, typer.Argument(metavar="THEIRS", help="The other stamp.")],
) -> None:
    """Merge two versions of a stamp into OURS, as git asks for it.

    After `init --git`, git runs this command. If both sides changed the same grant, the exit code is 1, and OURS has
    all three versions for `stamp merge`.

    $ cortex-policy stamp merge-files base.json ours.json theirs.json
    """
    from cortex_policy.manage.stamp.merge_files import merge_stamp_files  # noqa: PLC0415 - no other command needs it

    merge = merge_stamp_files(base, ours, theirs)
    if merge.conflict:
        typer.echo(escape_message_to_one_line(f"stamp.json: {merge.conflict}"), err=True)
        print_hints(["resolve the grants, then run `cortex-policy stamp merge`"])
        raise typer.Exit(1)


@stamp_app.command(cls=CommandWithExamples)
def wait(
    root: RootOption = None,
    *,
    version: Annotated[
        int | None,
        typer.Option("--version", metavar="N", parser=make_integer_parser(1), help="The version to wait for."),
    ] = None,
    reader: Annotated[
        str | None,
        typer.Option("--reader", metavar="NAME", help="Wait until every process of this reader uses the version."),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout", metavar="SECONDS", parser=make_number_parser(), help="Give up after SECONDS, with exit code 3."
        ),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Wait until the stamp, or a reader, is at a version or later.

    It takes no lock. Without `--timeout` it waits without limit. Without `--version` it waits for the current version.
    A reader is a service that names itself in `PolicyStore(reader=NAME)`.

    $ cortex-policy stamp wait --version 7 --timeout 30
    $ cortex-policy stamp wait --reader gateway --timeout 30
    """
    policy_root = find_inner_root(root)
    if reader is not None:
        confirmations = stamp_wait.wait_for_processes_of_reader(policy_root, reader, version, timeout)
        members = [{name: getattr(each, name) for name in each.__match_args__} for each in confirmations]
        lines = [
            escape_message_to_one_line(f"{each.reader}, process {each.pid}: version {each.version}")
            for each in confirmations
        ]
        if json:
            print_json({"readers": members})
        else:
            typer.echo("\n".join(lines))
        return
    if version is None:
        raise UsageError("`stamp wait` needs `--version N`, `--reader NAME`, or both")
    stamp = stamp_wait.wait_until_stamp_has_version(policy_root, version, timeout)
    if json:
        print_json({"stamp": _stamp_to_json(stamp)})
    else:
        typer.echo(_stamp_line(stamp))


def _print_unsafe_stamp_warning(doubt: GrantError | None) -> None:
    if doubt is not None:
        typer.echo(escape_message_to_one_line(f"warning: {doubt.detail}"), err=True)
        typer.echo(escape_message_to_one_line(f"hint: {doubt.hint}"), err=True)


def _stamp_line(stamp: stamps.Stamp) -> str:
    return f"version {stamp.version}, {len(stamp.grant_digests)} grants, {stamp.checksum_of_digests}"


def _stamp_to_json(stamp: stamps.Stamp | None) -> dict[str, object] | None:
    if stamp is None:
        return None
    return {"version": stamp.version, "checksum": stamp.checksum_of_digests, "grants": dict(stamp.grant_digests)}
