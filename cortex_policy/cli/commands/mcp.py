"""`mcp`: programs and models that speak the Model Context Protocol."""

import typer

from cortex_policy.cli.commands import mcp_proxy
from cortex_policy.cli.help import GroupWithExamples, ProxyCommand

mcp_app: typer.Typer = typer.Typer(cls=GroupWithExamples, no_args_is_help=True)


@mcp_app.callback()
def mcp() -> None:
    """Apply the grants to the tools of MCP servers."""


mcp_app.command("proxy", cls=ProxyCommand)(mcp_proxy.proxy)
