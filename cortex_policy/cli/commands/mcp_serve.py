"""`mcp serve`: answer a model's questions about the grants."""

from importlib.util import find_spec

from cortex_policy.cli.options import RootOption
from cortex_policy.core.model import UsageError
from cortex_policy.library.path_lookup import find_unresolved_root
from cortex_policy.render import RenderedCall, write_and_exit


def serve(root: RootOption = None) -> None:
    """Answer a model's questions about the grants, as an MCP server.

    An agent starts it and speaks to it over stdin and stdout. Its tools are `check_grant`, `list_grants` and
    `explain_call`: they answer what `check --peek`, `list` and `explain` do, count nothing and change nothing. Each
    grant is a resource, and so is hooks.toml; clients are told of each change as soon as it is written. Relative paths
    in calls start at the root. It ends with its input, or by a signal. It needs `pip install 'cortex-policy[mcp]'`.

    $ cortex-policy mcp serve --root /srv/repo
    $ claude mcp add grants -- cortex-policy mcp serve --root /srv/repo
    """
    if find_spec("mcp") is None:
        raise UsageError("the package `mcp` is not installed", "run `pip install 'cortex-policy[mcp]'`")
    name = find_unresolved_root(root)
    from cortex_policy.mcp.server import serve_client  # noqa: PLC0415 - an extra, which takes a second to load

    write_and_exit(RenderedCall(serve_client(name)))  # a thread that waits for a disk does not keep it alive
