"""`mcp serve`: answer a model's questions about the grants."""

from cortex_policy.cli.common_options import RootOption
from cortex_policy.core.model import UsageError
from cortex_policy.library.root_path_lookup import find_root_keeping_links
from cortex_policy.render import RenderedCall, write_rendered_call_and_exit


def serve(root: RootOption = None) -> None:
    """Answer a model's questions about the grants, as an MCP server.

    An agent starts it and speaks to it over stdin and stdout. Its tools `check_grant`, `list_grants` and `explain_call`
    give the answers of `check --peek`, `list` and `explain`; they count nothing and change nothing. The grants and
    hooks.toml are resources; clients are told of each change as soon as it is written. Relative paths in calls start at
    the root. The server ends when its input ends, or at a signal.

    It needs `pip install 'cortex-policy[mcp]'`.

    $ cortex-policy mcp serve --root /srv/repo
    $ claude mcp add grants -- cortex-policy mcp serve --root /srv/repo
    """
    try:
        from cortex_policy.mcp.server import serve_client  # noqa: PLC0415 - an extra, which takes a second to load
    except ImportError as error:
        why = f"the package `mcp` is missing, or older than 2.3: {error}"
        raise UsageError(why, "run `pip install 'cortex-policy[mcp]'`") from None
    code = serve_client(find_root_keeping_links(root))
    write_rendered_call_and_exit(RenderedCall(code))  # a thread that waits for a disk does not keep it alive
