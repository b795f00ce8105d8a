"""The text of a new grant."""

from cortex_policy.manage.editing.formatting import lay_out_grant_text
from cortex_policy.manage.editing.set_fields import GrantEdit, apply_edit
from cortex_policy.manage.editor_schema import LINK

_NEW_GRANT = (
    f'{{"$schema": "{LINK}", "tool": "%s", "actions": [], "rate": {{"perMinute": 1}}, "dataClass": "internal"}}'
)


def format_new_grant(wanted: GrantEdit, grant_id: str = "t") -> str:
    """Return the text of a new grant in canonical layout; raise UsageError for a value that a grant cannot have.

    Its tool is called like the grant if `wanted` names none.
    """
    return lay_out_grant_text(apply_edit(_NEW_GRANT % grant_id, wanted).text)
