"""`diff`: report whether a change of grants allows more than before, or less."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption, TableOption
from cortex_policy.cli.output.printing import print_json
from cortex_policy.cli.output.progress import track_progress
from cortex_policy.cli.roots import find_inner_root, name_inner_root_if_ambiguous
from cortex_policy.core.model import UsageError

if TYPE_CHECKING:
    from cortex_policy.manage.diff.grants import PolicyDiff


STAMP = "stamp"  # not a revision; a branch of this name is `refs/heads/stamp`


class DiffFailOn(StrEnum):
    """A verdict that ends with 1."""

    WIDENED = "widened"


def diff(  # noqa: PLR0913 - one parameter for each option
    old: Annotated[
        str | None, typer.Argument(metavar="OLD", help="Id or file of a grant, or `hooks.toml`.", show_default=False)
    ] = None,
    new: Annotated[
        str | None,
        typer.Argument(metavar="NEW", help="Id or file of the grant to compare OLD with.", show_default=False),
    ] = None,
    root: RootOption = None,
    *,
    revision: Annotated[
        str | None,
        typer.Option(
            "--against", metavar="REV", help="Compare with a git revision or with `stamp`: all grants, or only OLD."
        ),
    ] = None,
    fail_on: Annotated[
        DiffFailOn | None,
        typer.Option("--fail-on", metavar="widened", help="Exit 1 if more may be allowed than before."),
    ] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")] = False,
    output: TableOption = None,
    json: JsonOption = False,
) -> None:
    """Report whether a change allows more than before, or less.

    The verdict is same, narrowed, widened or both. The command compares which calls are allowed, not how a grant is
    written: `docs` and `docs/` are the same. A change that may allow more counts as widened. A grant that is absent or
    invalid allows nothing.

    An argument that is declared for the first time counts as widened, because `undeclared_args` may have denied calls
    with it. An argument that becomes a path counts as widened, because `require_path` may have denied calls without a
    path. With `undeclared_args = "deny"`, a first scope counts as widened too: paths that are not declared were denied
    before, and are now allowed in the scope.

    `--against stamp` compares the grants with the texts that were stamped last. So it shows what was edited by hand. If
    the stamped text is neither in the history nor in the last commit, the whole grant counts as widened.

    OLD and NEW are ids. A name that contains a `/` or ends in `.json` is a file. The command warns if a scope covers CI
    files, hooks or other files that run with the rights of others.

    $ cortex-policy diff --against HEAD
    $ cortex-policy diff git --against main
    $ cortex-policy diff --against stamp
    $ cortex-policy diff --against origin/main --fail-on widened --markdown
    $ cortex-policy diff git /tmp/git.json --json
    """
    from cortex_policy.cli.output import diff as diff_output  # noqa: PLC0415 - no other command needs it

    if markdown and json:
        message = "--json and --markdown cannot be combined."
        raise typer.BadParameter(message)
    result = _compare_sides_of_options(old, new, root, revision)
    if json:
        print_json(diff_output.diff_to_json(result, revision))
    elif markdown:
        typer.echo(diff_output.diff_to_markdown(result, revision))
    else:
        diff_output.print_diff(result, output)
    if fail_on is not None and diff_output.widens(result.verdict):
        raise typer.Exit(1)


def _compare_sides_of_options(old: str | None, new: str | None, root: str | None, revision: str | None) -> "PolicyDiff":
    from cortex_policy.manage.diff.grants import compare_ids_or_files, make_policy_diff_since_revision  # noqa: PLC0415 - as above
    from cortex_policy.manage.history.hand_edits import make_policy_diff_since_stamp  # noqa: PLC0415 - as above

    if revision is not None and new is None:
        if old is not None and "/" in old:
            message = f"`{old}` is a file"
            raise UsageError(message, "with `--against`, name the grant by its id")
        if revision == STAMP:
            return make_policy_diff_since_stamp(find_inner_root(root), old, track_progress)
        return make_policy_diff_since_revision(find_inner_root(root), revision, old, track_progress)
    if old is None or new is None or revision is not None:
        message = "name two grants; or compare all grants, or one of them, with `--against REVISION`"
        raise UsageError(message, "see `cortex-policy diff --help`")
    return compare_ids_or_files(old, new, name_inner_root_if_ambiguous(root))
