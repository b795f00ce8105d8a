"""`schema`: print the JSON Schema of a grant, or install the one for editors."""

from typing import Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption, WaitOption
from cortex_policy.cli.output.printing import print_json
from cortex_policy.cli.prompts import make_lock_wait_options_with_notice
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core.text import escape_message_to_one_line


def schema(
    root: RootOption = None,
    *,
    install: Annotated[
        bool, typer.Option("--install", help="Write `.cortex/policy/grant.schema.json`, for editors.")
    ] = False,
    wait_seconds: WaitOption = 0.0,
    json: JsonOption = False,
) -> None:
    """Print the JSON Schema of a grant.

    The schema describes which grants load. `validate` also warns about grants that load and are doubtful.

    `--install` writes a schema for editors, which also knows the keywords of `args` and misspelled keys. If the
    `$schema` of a grant is `../grant.schema.json`, an editor such as VS Code completes the grant and underlines
    mistakes. `new` and `init` also install this schema, and name it in the grants that they create.

    $ cortex-policy schema --install
    $ cortex-policy schema > grant.schema.json
    """
    if install:
        from cortex_policy.manage.editor_schema import NAME, write_editor_schema_file  # noqa: PLC0415 - only this needs it

        found = find_inner_root(root)
        is_written, file = (
            write_editor_schema_file(found, make_lock_wait_options_with_notice(wait_seconds)),
            f"{found.policy_path}/{NAME}",
        )
        said = f"wrote {file}" if is_written else f"nothing to do: {file} is the schema of this version"
        typer.echo(escape_message_to_one_line(said)) if not json else print_json({"changed": is_written, "file": file})
        return
    from cortex_policy.schema.grant_document import make_grant_json_schema  # noqa: PLC0415 - pydantic costs 136 ms

    print_json(make_grant_json_schema(), indent=None if json else 2)
