"""`check` and `enforce` for Typer: `main` handles plain command lines itself; both call `decide_outcome_with_wait`."""

from typing import Annotated, Any

import typer

from cortex_policy.check import Call, decide_outcome_with_wait
from cortex_policy.cli.commands import check_options as options
from cortex_policy.cli.common_options import declare_value_option
from cortex_policy.cli.options_from_function import fill_first_argument_by_calling
from cortex_policy.cli.output.call_wait_notice import make_call_wait_notifier_or_none
from cortex_policy.cli.output.explanation import explain_and_render_outcome
from cortex_policy.render import render_outcome_unless_silent, write_rendered_call_and_exit


@fill_first_argument_by_calling(options.make_call_fields)
def check(  # noqa: PLR0913 - the options of a call, and of requests
    fields: dict[str, Any],
    context: typer.Context,
    *,
    wait: options.SingleWaitOption = None,
    peek: Annotated[int, options.declare_flag_option("--peek", sentence="Decide, but count nothing.")] = 0,
    explain: Annotated[
        int, options.declare_flag_option("--explain", sentence="Also print the result of each rule, with its line.")
    ] = 0,
    json: options.JsonFlag = 0,
    quiet: options.QuietFlag = 0,
    batch: Annotated[
        list[str] | None, declare_value_option("FILE|-", "Answer calls, one JSON object on each line.")
    ] = None,
    request: Annotated[list[str] | None, declare_value_option("FILE|-", "Answer an AuthZEN 1.0 request.")] = None,
) -> None:
    """Decide a call, and count it if it is allowed.

    Only exit code 0 means allowed. 10-19 mean denied. 20-29 mean that no decision was possible; the call is then denied
    too. For a denied call, stderr names the rule that denied it, and what would be allowed.

    An argument is a path in three cases. First, the grant declares it with `"format": "path"`. Second, its name is one
    of path, paths, file, files, filepath, filename, targetpath, targetfile, notebookpath, source, src, destination,
    dest, oldpath, newpath, dir, directory, cwd, folder, workdir, workingdirectory. Upper and lower case, `_` and `-`
    make no difference in this comparison. Third, its value is text and the last word of its name is path, paths,
    pathname, filepath, filepaths, file, files, filename, filenames, dir, dirs, directory, directories, folder or
    folders, as in `outputPath` and `log_file`. The option `--path` sets the argument `path`.

    Only paths are compared with `fsScope`. Any other argument, such as `target`, may hold any path. A call without a
    path is allowed, unless `--require-path` or the settings deny it. `explain` says which arguments were treated as
    paths; `cortex-policy-grant`(5) says more.

    With `--batch`, each line of FILE (`-` is stdin) is a call, such as `{"grant": "git", "action": "tree", "args":
    {"path": "docs/x"}}`. A call may also have `cost`, `peek` and `id`. Each call is answered by one line, with the
    members of `--json` and the `id` of the call. The exit code is 0 only if there was at least one call and every call
    was allowed. With `--request`, FILE is one AuthZEN 1.0 request. The request is counted only if its `context.consume`
    is true.

    `check --help` and `check --version` exit with 0 only if there are no other words. With other words, the exit code
    is not 0, so that a script does not take the help for an allowed call.

    $ cortex-policy check git tree --path docs/x --require-path || exit
    $ cortex-policy check git tree --path docs/x --peek --json
    $ cortex-policy check git snippet --path docs/x --arg lines=40
    $ cortex-policy check git search --args '{"path": "docs", "repo": "x"}'
    $ cortex-policy check model-gateway chat --wait 30 --cost 2
    $ cortex-policy check git tree --root /srv/repo -q && echo yes
    $ cortex-policy check --batch calls.jsonl > answers.jsonl
    """
    if batch or request:
        raise typer.Exit(_answer_request_file(context, fields, batch, request))
    call = Call(
        **fields,
        wait_seconds=options.get_single_wait_seconds(wait),
        peek=options.is_single_flag_given("--peek", peek),
        explain=options.is_single_flag_given("--explain", explain),
        json=options.is_single_flag_given("--json", json),
        quiet=options.is_single_flag_given("--quiet", quiet),
        command=context.info_name or "check",
    )
    outcome = decide_outcome_with_wait(call, make_call_wait_notifier_or_none(call))
    write_rendered_call_and_exit(
        explain_and_render_outcome(outcome) if call.explain else render_outcome_unless_silent(outcome)
    )


def _answer_request_file(
    context: typer.Context, fields: dict[str, Any], batch: list[str] | None, request: list[str] | None
) -> int:
    """Answer the requests of a file; raise if the words name a call too."""
    from cortex_policy.batch.answerer import Answerer  # noqa: PLC0415 - a call in words needs none of it
    from cortex_policy.cli.commands.check_requests import answer_authzen_request, answer_batch  # noqa: PLC0415

    option, answer = ("--batch", answer_batch) if batch else ("--request", answer_authzen_request)
    given = {name for name, value in context.params.items() if value}
    if given - {option[2:], "root", "require_path", "json"}:
        message = f"{option} takes no other words than --root and --require-path."
        raise typer.BadParameter(message)
    file = options.get_single_text_or_none(option, batch or request) or ""
    return answer(file, Answerer(fields["root"], require_path=fields["require_path"]))
