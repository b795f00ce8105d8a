"""Read layers of settings, one JSON object a line, and print what this program makes of each: its settings, or null.

js/test/settings.test.js compares the npm package with it.
"""

import json
import os
import sys

from cortex_policy.core.model import GrantError, Settings
from cortex_policy.core.settings import Layer
from cortex_policy.state.settings import (
    decode_layer,
    make_other_programs_variable_layer,
    make_variables_layer,
    merge_settings_layers,
)

SHARED = ("CORTEX_AUDIT_LOG", "CORTEX_HITL_STORE", "CORTEX_HITL_TIMEOUT_MS")
FIELDS = (
    "sensitive", "require_path", "stamp", "undeclared_args", "state_dir", "audit_file", "audit_on_error",
    "approvals_file", "budgets_key_file", "budgets_password_file",
)  # fmt: skip


def settings_or_none(case: dict[str, dict[str, str]]) -> Settings | None:
    """Return the effective settings of a case, None if they are invalid."""
    for name in SHARED:
        os.environ.pop(name, None)
    os.environ.update({name: text for name, text in case["environment"].items() if name in SHARED})
    try:
        shared = [make_other_programs_variable_layer(name) for name in SHARED]
        operators = layers_of_files(case["files"], "system", "user")
        environment = make_variables_layer(case["environment"])
        return merge_settings_layers([*shared, *operators, environment, *layers_of_files(case["files"], "project")])
    except GrantError:
        return None


def layers_of_files(files: dict[str, str], *places: str) -> list[Layer]:
    """Return what the files of these places say; raise GrantError."""
    return [decode_layer(place, place, files[place].encode(), asks_all=False) for place in places if place in files]


for line in sys.stdin:
    found = settings_or_none(json.loads(line))
    sys.stdout.write(json.dumps(found and {field: getattr(found, field) for field in FIELDS}) + "\n")
