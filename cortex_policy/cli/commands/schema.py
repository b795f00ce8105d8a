"""`schema`: what a grant document looks like, for editors and other validators."""

from cortex_policy.cli.options import JsonOption
from cortex_policy.cli.output.table import print_json


def schema(*, json: JsonOption = False) -> None:
    """Print the JSON Schema of a grant.

    It says what loads. What is doubtful about a grant that loads, only `validate` knows.

    $ cortex-policy schema > .cortex/grant.schema.json
    """
    from cortex_policy.schema.document import json_schema  # noqa: PLC0415 - pydantic costs 136 ms

    print_json(json_schema(), indent=None if json else 2)
