"""`schema`: print the JSON Schema of a grant, for editors and other validators."""

from cortex_policy.cli.options import JsonOption
from cortex_policy.cli.output.printing import print_json


def schema(*, json: JsonOption = False) -> None:
    """Print the JSON Schema of a grant.

    It describes which grants load. `validate` also warns about doubtful grants that load.

    $ cortex-policy schema > .cortex/grant.schema.json
    """
    from cortex_policy.schema.document import json_schema  # noqa: PLC0415 - pydantic costs 136 ms

    print_json(json_schema(), indent=None if json else 2)
