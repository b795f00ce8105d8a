"""The bearer token for a receiver, alone in a file that nobody else can read."""

import os
import re
import stat
from errno import ENOENT
from shlex import quote

from cortex_policy.core.model import UsageError
from cortex_policy.core.text import format_os_error_cause
from cortex_policy.state import OPEN_FILE, read_up_to

MAX_LENGTH = 8192
_OTHERS = 0o077
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")  # as RFC 6750 has it


def read_token(path: str) -> str:
    """Return the token in a file; raise UsageError if others can read the file, or it holds no token."""
    try:
        descriptor = os.open(path, OPEN_FILE)
    except (OSError, ValueError) as error:
        is_missing = isinstance(error, OSError) and error.errno == ENOENT
        hint = "write the token alone into this file" if is_missing else "it must not be a link"
        raise UsageError(f"the token `{path}` cannot be read: {format_os_error_cause(error)}", hint) from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & _OTHERS:
            raise UsageError(
                f"the token `{path}` must be a file of yours that nobody else can read",
                f"run `chmod 600 {quote(path)}`",
            )
        token = read_up_to(descriptor, MAX_LENGTH + 2).strip()
    except OSError as error:
        raise UsageError(f"the token `{path}` cannot be read: {format_os_error_cause(error)}") from None
    finally:
        os.close(descriptor)
    if len(token) > MAX_LENGTH or not _TOKEN.fullmatch(token):
        raise UsageError(f"`{path}` holds no bearer token", "write the token alone into the file, without `Bearer`")
    return token.decode("ascii")
