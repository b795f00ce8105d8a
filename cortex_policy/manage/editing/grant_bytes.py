"""The bytes of a grant after an edit or in canonical layout."""

from cortex_policy.core.model import GrantError
from cortex_policy.manage.editing.formatting import lay_out_grant_text
from cortex_policy.manage.editing.set_fields import GrantEdit, apply_edit
from cortex_policy.manage.editing.validity import require_valid_policy_text
from cortex_policy.state import Root


def edit_grant_bytes(root: Root, grant_id: str, old: bytes, edit: GrantEdit) -> bytes:
    """Return the text of a grant after an edit: the same object if the edit changes nothing."""
    try:
        applied = apply_edit(old.decode(), edit, grant_id)
    except (GrantError, UnicodeDecodeError):
        require_valid_policy_text(root, grant_id, old)  # it says more
        raise
    return old if applied.is_unchanged else applied.text.encode()


def validate_and_format_grant(root: Root, grant_id: str, old: bytes) -> bytes:
    """Return the text of a grant in canonical layout; raise GrantError if it is too large then."""
    require_valid_policy_text(root, grant_id, old)
    return lay_out_grant_text(old.decode()).encode()
