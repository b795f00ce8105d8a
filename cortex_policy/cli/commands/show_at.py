"""Print a grant at a past version: its exact text, or JSON."""

import sys
from base64 import b64encode
from typing import TYPE_CHECKING

from cortex_policy.cli.output.printing import grant_to_json, print_error_as_warning, print_json
from cortex_policy.cli.output.write_result import print_escaped_text
from cortex_policy.cli.streams import write_stdout_bytes
from cortex_policy.manage.history.writes import GrantAtVersion, read_grant_at_version
from cortex_policy.state.stamp import compute_content_digest

if TYPE_CHECKING:
    from cortex_policy.state import Root


def print_grant_at_version(root: "Root", grant_id: str, version: int, *, json: bool) -> None:
    """Print a grant at a past version; in a pipe byte for byte."""
    past = read_grant_at_version(root, grant_id, version)
    if json:
        print_json(_version_to_json(past))
        return
    if sys.stdout.isatty():
        print_escaped_text(past.text.decode("utf-8", "backslashreplace"))
    else:
        write_stdout_bytes(past.text)
    print_error_as_warning(past.unsafe_error)


def _version_to_json(past: GrantAtVersion) -> dict[str, object]:
    side = past.change.new
    grant = side.grant
    try:
        text, packed = past.text.decode(), None
    except UnicodeDecodeError:
        text, packed = None, b64encode(past.text).decode()
    return {
        "id": past.id,
        "version": past.version,
        "state": "valid" if grant is not None else "invalid",
        "problem": side.problem or None,
        "sha256": compute_content_digest(past.text).removeprefix("sha256:"),
        **grant_to_json(grant),
        "text": text,
        "base64": packed,
        "warning": past.unsafe_error.detail if past.unsafe_error is not None else None,
    }
