"""`schema`: what a grant document looks like, for editors and other validators."""

import json as json_text

import typer

from cortex_policy.cli.options import JsonOption


def schema(*, json: JsonOption = False) -> None:
    """Print the JSON Schema of a grant.

    It says what loads. What is doubtful about a grant that loads, only `validate` knows.

    $ cortex-policy schema > .cortex/grant.schema.json
    """
    from cortex_policy.schema.document import json_schema  # noqa: PLC0415 - pydantic costs 136 ms

    typer.echo(json_text.dumps(json_schema(), indent=None if json else 2))
