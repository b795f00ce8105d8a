"""The settings directory of another user, for root."""

import os
import pwd
import sys

from cortex_policy.state.safe_directories import open_child_directory, open_directory_without_links

_NAMES = (
    ("Library", "Application Support", "cortex-policy") if sys.platform == "darwin" else (".config", "cortex-policy")
)


def open_user_settings_directory(user: pwd.struct_passwd) -> int:
    """Open the directory of a user's settings; raise FileNotFoundError if there is none, OSError if it is not safe.

    That user could put a link anywhere below the home, so none is followed there.
    """
    home = os.path.realpath(user.pw_dir, strict=True)
    if not os.path.isdir(home):  # as of many users of daemons
        raise FileNotFoundError(home)
    directory = open_directory_without_links(home)
    for name in _NAMES:
        above = directory
        try:
            directory = open_child_directory(above, name)
        finally:
            os.close(above)
    return directory
