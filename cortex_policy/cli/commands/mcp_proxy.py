"""`mcp proxy`: decide the calls of a server's tools before they reach it."""

from typing import Annotated

import typer

from cortex_policy.cli.common_options import RootOption


def proxy(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND...", help="The server and its arguments, after `--`.", show_default=False),
    ] = None,
    *,
    server: Annotated[
        str,
        typer.Option(
            "--server",
            metavar="NAME",
            help="The server's name in hooks.toml: the part before the `/`.",
            show_default=False,
        ),
    ],
    root: RootOption = None,
) -> None:
    """Check each tool call of an MCP server against the grants.

    It starts COMMAND, a server on standard input and output, and carries messages between this server and the client.
    It decides each tool call before the server gets the call. It uses the rules of hooks.toml for `NAME/tool`;
    `--server` gives the NAME. An allowed call is counted. A denied call is answered with the reason, for the model to
    read. Tools that are never allowed are not listed.

    It ends when the server ends, with the same exit code. It passes SIGTERM, SIGINT and SIGHUP on to the server.

    $ cortex-policy mcp proxy --server files -- mcp-server-filesystem /srv/repo
    $ cortex-policy mcp proxy --server git -- uvx mcp-server-git
    """
    from cortex_policy.mcp.guard import ToolGuard  # noqa: PLC0415 - no other command needs it
    from cortex_policy.mcp.proxy import run_proxy  # noqa: PLC0415

    code = run_proxy(ToolGuard(server, root or ""), list(command or ()))
    if code:
        raise typer.Exit(code)
